import { errorFacts, judged } from "../../aws/answer.ts";
import { Unavailable } from "../../kit/failure.ts";

/**
 * What an error of the SDK comes to: a refusal, with AWS's words. Throws `Unavailable` where trying again may help:
 * no answer, a fault of the service, too many requests.
 */
export function refusalOf(
  operation: string,
  error: unknown,
): { readonly kind: "refused"; readonly code: string; readonly message: string } {
  if (error instanceof Unavailable) throw error;
  const { name, message } = errorFacts(error);
  // DependencyThrottle is a failure of something behind the load balancer's API that passes.
  const isThrottled = /throttle/i.test(name);
  const { kind, mayHaveLanded, words } = judged(error);
  if (kind === "defect") throw error;
  if (kind !== "refused" || isThrottled) {
    throw new Unavailable("Elastic Load Balancing", `did not take ${operation}`, {
      cause: words,
      mayHaveLanded,
      ...((kind === "fewer" || isThrottled) && { demand: "fewer" as const }),
    });
  }
  return { kind: "refused", code: codeOf(name), message };
}

/** The code on the wire: the SDK calls an error `DuplicateListenerException` whose code is DuplicateListener. */
const codeOf = (name: string): string => name.replace(/Exception$/, "");

/** A list that is not there at all is no empty list: whoever takes it for one forgets what is there. */
export function present<T>(
  operation: string,
  name: string,
  list: readonly T[] | undefined,
): readonly T[] {
  if (list !== undefined) return list;
  throw new Unavailable("Elastic Load Balancing", `answered ${operation} without ${name}`, {
    mayHaveLanded: false,
  });
}
