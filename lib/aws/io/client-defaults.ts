import { StandardRetryStrategy } from "@smithy/core/retry";
import { errorFacts } from "../answer.ts";

/**
 * What every client of the AWS SDK is made with. The SDK repeats at once what a broken connection or a moment's failure
 * of the service cost. Throttling it leaves to the caller, who paces all of its requests; so, too, a request that ran
 * out of time: repeated here, it would take several times its limit until the caller's patience begins.
 */
export const clientDefaults = () => ({
  retryStrategy: retryTransient(),
  // Until the headers. Without throwOnRequestTimeout the SDK only warns and waits for ever.
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
