import { StandardRetryStrategy } from "@smithy/core/retry";

/**
 * What every client of the AWS SDK is made with. The SDK repeats at once what a broken connection or a moment's failure
 * of the service cost. Throttling it leaves to the caller, who paces all of its requests; so, too, a request that ran
 * out of time: repeated here, it would take several times its limit until the caller's patience begins.
 */
export const clientDefaults = () => ({
  retryStrategy: retryTransient(),
  // Without throwOnRequestTimeout the SDK only warns and waits for ever.
  requestHandler: {
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    throwOnRequestTimeout: true,
  },
});

function retryTransient(): StandardRetryStrategy {
  const strategy = new StandardRetryStrategy(5);
  const retry = strategy.refreshRetryTokenForRetry.bind(strategy);
  strategy.refreshRetryTokenForRetry = async (token, error) => {
    if (error.errorType === "THROTTLING") throw new Error("throttled: the caller paces it");
    if (isOutOfTime(error.error)) throw new Error("no answer in time: the caller tries again");
    return retry(token, error);
  };
  return strategy;
}

/** True for the limits above. The SDK gives the same name to a reset connection, with that one's code. */
function isOutOfTime(error: unknown): boolean {
  const { name, code } = errorFacts(error);
  return name === "TimeoutError" && (code === "ETIMEDOUT" || code === "");
}

/** Answers, and the lack of one, after which trying again may help, whatever the service. */
export const TRANSIENT: readonly string[] = [
  "Throttling",
  "ThrottlingException",
  "TimeoutError",
  "RequestTimeout",
  "RequestExpired",
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
];

/** By name, never by class: Throttling, for one, comes as the base class. */
export function errorFacts(error: unknown) {
  const of = (value: unknown): Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const fields = of(error);
  const metadata = of(fields["$metadata"]);
  return {
    name: text(fields["name"]),
    message: text(fields["message"]),
    code: text(fields["code"]),
    status: typeof metadata["httpStatusCode"] === "number" ? metadata["httpStatusCode"] : undefined,
    attempts: typeof metadata["attempts"] === "number" ? metadata["attempts"] : 1,
  };
}
