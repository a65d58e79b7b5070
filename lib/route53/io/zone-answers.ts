import { errorFacts, judged } from "../../aws/answer.ts";
import { Fatal, Unavailable } from "../../kit/failure.ts";

/** What Route 53 says of a batch that it won't have; undefined for every other error. */
export function refusal(error: unknown): string | undefined {
  if (judged(error).kind !== "refused") return undefined;
  const { name, message, status } = errorFacts(error);
  if (name === "InvalidChangeBatch" || name === "InvalidInput") return message;
  // The wire format of earlier years: the SDK calls it Unknown and keeps the texts in a field of its own.
  return name === "Unknown" && status === 400 ? JSON.stringify(error) : undefined;
}

/** The error to throw for one of the SDK's. Throws a defect of our own as it is. */
export function failure(operation: string, zoneId: string, error: unknown): Unavailable | Fatal {
  if (error instanceof Unavailable || error instanceof Fatal) return error;
  const { kind, mayHaveLanded, words } = judged(error);
  switch (kind) {
    case "defect":
      throw error;
    case "outage":
      return unavailable(operation, { mayHaveLanded, cause: words });
    case "fewer":
    case "later":
      return unavailable(operation, { mayHaveLanded, cause: words, demand: kind });
    case "refused":
  }
  if (errorFacts(error).name.startsWith("AccessDenied")) {
    return new Fatal(
      `Route 53 denied ${operation} on zone ${zoneId}: allow route53:${operation} in the role of this process`,
      { mayHaveLanded, cause: error },
    );
  }
  return new Fatal(`Route 53 refused ${operation} on zone ${zoneId}`, {
    mayHaveLanded,
    cause: error,
  });
}

export const unavailable = (
  operation: string,
  options: ConstructorParameters<typeof Unavailable>[2],
): Unavailable => new Unavailable("Route 53", `did not take ${operation}`, options);
