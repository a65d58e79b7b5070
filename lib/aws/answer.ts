import { causes } from "../kit/failure.ts";
import { quote } from "../kit/quote.ts";
import { redact } from "../kit/redact.ts";

/** By name, never by class: Throttling, for one, comes as the base class. */
export function errorFacts(error: unknown) {
  const fields = fieldsOf(error);
  const metadata = fieldsOf(fields["$metadata"]);
  return {
    name: textOf(fields["name"]),
    message: textOf(fields["message"]),
    code: textOf(fields["code"]),
    status: typeof metadata["httpStatusCode"] === "number" ? metadata["httpStatusCode"] : undefined,
    attempts: typeof metadata["attempts"] === "number" ? metadata["attempts"] : 1,
  };
}

/** What an error of the AWS SDK says of the request that ended in it. */
export interface Judged {
  /**
   * - defect: an error of our own code;
   * - outage: no answer, one that can't be read or is not AWS's, or a failure that passes;
   * - fewer: it asks for fewer requests;
   * - later: it is busy with another change;
   * - refused: no, in AWS's own words.
   */
  readonly kind: "defect" | "outage" | "fewer" | "later" | "refused";
  /** False only where nothing can have been sent, or AWS itself says that it did nothing. */
  readonly mayHaveLanded: boolean;
  /** For people: AWS's code and words, or the status and the first words of an answer that is not AWS's. */
  readonly words: string;
}

/** Errors that JavaScript throws at a mistake in the code, and no outside system can cause. */
const DEFECTS = new Set(["TypeError", "RangeError", "ReferenceError", "AssertionError"]);

/** Nothing was sent: the connection or the credentials were not there. */
const NOT_SENT = new Set(["CredentialsProviderError", "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"]);

/** AWS's codes for too many requests (API references, common errors; Route 53's Developer Guide, API throttling). */
const FEWER = new Set([
  "Throttling",
  "ThrottlingException",
  "ThrottledException",
  "TooManyRequestsException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
]);

/** Codes after which the same request may succeed. A new role or key takes a moment to be known everywhere. */
const PASSING = new Set([
  "TimeoutError",
  "RequestTimeout",
  "RequestTimeoutException",
  "RequestExpired",
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
]);

/** A signature whose time is off. From such an answer the SDK takes the server's time: the next request is signed right. */
const isUntimely = (name: string, message: string): boolean =>
  name === "SignatureDoesNotMatch" && /^Signature (expired|not yet current)/.test(message);

/**
 * The one place that decides what is known of a request after an error: that nothing landed, or that it may have.
 * (That it landed, only an answer says that could be read.) With several attempts the last one's words say nothing of
 * those before it.
 */
export function judged(error: unknown): Judged {
  const { name, message, code, status, attempts } = errorFacts(error);
  if (status === undefined) {
    const isUnsent = NOT_SENT.has(name) || NOT_SENT.has(code);
    return {
      kind: DEFECTS.has(name) ? "defect" : "outage",
      mayHaveLanded: !isUnsent || attempts > 1,
      words: named(name, error),
    };
  }
  if (!isOwnAnswer(error)) {
    // Between here and AWS somebody asks to wait (RFC 9110 15.5.9, RFC 6585 4).
    const kind = status === 408 || status === 429 ? "fewer" : "outage";
    return { kind, mayHaveLanded: true, words: foreignWords({ status, body: bodyOf(error) }) };
  }
  const words = named(name, error);
  const mayHaveLanded = attempts > 1 || status >= 500;
  if (name === "PriorRequestNotComplete") return { kind: "later", mayHaveLanded, words };
  if (FEWER.has(name) || status === 408 || status === 429) {
    return { kind: "fewer", mayHaveLanded, words };
  }
  const passes = status >= 500 || PASSING.has(name) || isUntimely(name, message);
  return { kind: passes ? "outage" : "refused", mayHaveLanded, words };
}

const named = (name: string, error: unknown): string => `${name}: ${causes(error)}`;

/** How much of somebody else's answer is told. */
const FIRST_WORDS = 160;

/** An answer that is not what AWS says, as one sentence: its status and how it begins, without what may be a secret. */
export const foreignWords = ({
  status,
  body,
}: {
  readonly status: number;
  readonly body: string | undefined;
}): string => {
  const begins = redact(body ?? "").trim();
  return (
    `an answer that is not AWS's own (is there a proxy between?): status ${status}, ` +
    (begins === "" ? "without a body" : quote(begins, FIRST_WORDS))
  );
};

/**
 * True for an error in the form of AWS: XML as Route 53 writes it today and wrote it before, or JSON that names its type
 * (AWS restXml and awsJson protocols). A status of 2xx or 3xx is never one.
 */
function isOwnAnswer(error: unknown): boolean {
  const { name, status = 0 } = errorFacts(error);
  if (status < 400) return false;
  const body = bodyOf(error);
  if (body === undefined) return name !== "" && name !== "Unknown" && name !== "NotFound";
  const { headers } = fieldsOf(fieldsOf(error)["$response"]);
  const hasType = fieldsOf(headers)["x-amzn-errortype"] !== undefined || body.includes('"__type"');
  return (hasType && /^\s*\{/.test(body)) || OWN_XML.test(body);
}
const OWN_XML = /^\s*(?:<\?xml[^>]*\?>\s*)?<(?:ErrorResponse|InvalidChangeBatch)[\s>]/;

/** How the answer to a request begins, whichever way the SDK kept it; undefined where it did not. */
function bodyOf(error: unknown): string | undefined {
  return firstText(fieldsOf(fieldsOf(error)["$response"])["body"]);
}

/** Of a body in memory, as text, what decides; undefined for a stream. */
export function firstText(body: unknown): string | undefined {
  if (typeof body === "string") return body.slice(0, FIRST_BYTES);
  if (!(body instanceof Uint8Array)) return undefined;
  return new TextDecoder().decode(body.subarray(0, FIRST_BYTES));
}
const FIRST_BYTES = 2_000;

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
