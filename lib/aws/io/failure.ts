import { Fatal, type OutsideSystem, Unavailable } from "../../kit/failure.ts";
import { redact } from "../../kit/redact.ts";
import { errorFacts, judged } from "../answer.ts";

/**
 * What an error of the AWS SDK means: `Unavailable` when trying again may help, otherwise `Fatal` with AWS's own words
 * and, where a permission is missing, its name. An error of our own code comes back as it is.
 */
export function awsFailure(
  system: OutsideSystem,
  operation: string,
  error: unknown,
  { permission, on = "" }: { readonly permission: string; readonly on?: string },
): unknown {
  const { name, message } = errorFacts(error);
  const about = on === "" ? operation : `${operation} of ${on}`;
  if (name === "CredentialsProviderError") {
    return new Fatal(
      "no AWS credentials: set AWS_PROFILE or --profile, or run where a role gives them",
      { cause: redact(message) },
    );
  }
  if (/region is missing/i.test(message)) {
    return new Fatal("no region: set AWS_REGION, or a region in the profile");
  }
  const { kind, mayHaveLanded, words } = judged(error);
  if (kind === "defect") return error;
  if (kind !== "refused") {
    return new Unavailable(system, `did not take ${about}`, {
      cause: redact(words),
      mayHaveLanded,
      ...((kind === "fewer" || kind === "later") && { demand: kind }),
    });
  }
  if (/^AccessDenied|^UnauthorizedOperation/.test(name)) {
    return new Fatal(`${system} denied ${about}: allow ${permission} to whoever runs this`, {
      cause: redact(message),
    });
  }
  return new Fatal(`${system} refused ${about}: ${redact(message) || name}`);
}
