import { causes, Fatal, type OutsideSystem, Unavailable } from "../../kit/failure.ts";
import { redact } from "../../kit/redact.ts";
import { errorFacts, TRANSIENT } from "./client-defaults.ts";

/**
 * What an error of the AWS SDK means: `Unavailable` when trying again may help, otherwise `Fatal` with AWS's own words
 * and, where a permission is missing, its name.
 */
export function awsFailure(
  system: OutsideSystem,
  operation: string,
  error: unknown,
  { permission, on = "" }: { readonly permission: string; readonly on?: string },
): Unavailable | Fatal {
  const { name, message, status, attempts } = errorFacts(error);
  const about = on === "" ? operation : `${operation} of ${on}`;
  if (name === "CredentialsProviderError") {
    return new Fatal(
      "no AWS credentials: set AWS_PROFILE or --profile, or run where a role gives them",
      { cause: redact(message) },
    );
  }
  if (status === undefined && /region is missing/i.test(message)) {
    return new Fatal("no region: set AWS_REGION, or a region in the profile");
  }
  if (status === undefined || status >= 500 || TRANSIENT.includes(name)) {
    const isKnown = name.startsWith("Throttling") || TRANSIENT.includes(name);
    return new Unavailable(system, `did not take ${about}`, {
      cause: redact(`${name}: ${causes(error)}${attempts > 1 ? ` (${attempts} times)` : ""}`),
      mayHaveLanded:
        !name.startsWith("Throttling") && (status === undefined || status >= 500 || !isKnown),
      ...(name.startsWith("Throttling") && { demand: "fewer" as const }),
    });
  }
  if (/^AccessDenied|^UnauthorizedOperation/.test(name)) {
    return new Fatal(`${system} denied ${about}: allow ${permission} to whoever runs this`, {
      cause: redact(message),
    });
  }
  if (
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch)/.test(name)
  ) {
    return new Fatal(
      `${system} does not take the AWS credentials: see \`aws sts get-caller-identity\``,
      {
        cause: name,
      },
    );
  }
  return new Fatal(`${system} refused ${about}: ${redact(message) || name}`);
}
