/**
 * One standard queue of SQS in memory: what emulators lack of it, which is SenderId and faults on purpose.
 * Sources: [API] Amazon SQS API Reference, the operation's own page; [DG] Developer Guide, "Standard queues" and
 * "Visibility timeout"; [FIELD] observed by others: SenderId is the role's unique id and the session's name.
 */
import { createHash } from "node:crypto";

export interface StoredMessage {
  readonly id: string;
  readonly body: string;
  readonly senderId: string;
  readonly sentMs: number;
  readonly attributes: Readonly<Record<string, { readonly StringValue?: string }>>;
  receives: number;
  /** Of its last giving-out; the earlier ones are no good any more. */
  receipt: string | undefined;
  visibleAtMs: number;
}

export interface StandInQueue {
  readonly name: string;
  readonly visibilitySeconds: number;
  readonly redrive?: { readonly deadLetter: string; readonly maxReceiveCount: number };
  readonly messages: Map<string, StoredMessage>;
}

/** The most that one message holds, and one receive gives out [API]. */
const BODY_LIMIT = 1_048_576;
const MOST_AT_ONCE = 10;
const MOST_VISIBILITY_SECONDS = 43_200;
/** What a stand-in keeps; a real queue has no such limit. */
const MOST_MESSAGES = 100_000;

export const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** Thrown inside, and answered in the form of the JSON protocol. */
export class SqsRefusal extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export function put(
  queue: StandInQueue,
  message: Pick<StoredMessage, "id" | "body" | "senderId" | "sentMs" | "attributes">,
  visibleAtMs: number,
): void {
  if (message.body.length === 0) {
    throw new SqsRefusal("MissingParameter", "The request must contain the parameter MessageBody.");
  }
  if (Buffer.byteLength(message.body) > BODY_LIMIT) {
    throw new SqsRefusal(
      "InvalidParameterValue",
      `One or more parameters are invalid. Reason: Message must be shorter than ${BODY_LIMIT} bytes.`,
    );
  }
  if (queue.messages.size >= MOST_MESSAGES)
    throw new SqsRefusal("OverLimit", "the stand-in is full");
  queue.messages.set(message.id, { ...message, receives: 0, receipt: undefined, visibleAtMs });
}

/**
 * Up to `most` messages that are visible, hidden from now on; what was given out too often goes to the dead-letter queue
 * instead [DG]. `order` shuffles: a standard queue promises none.
 */
export function giveOut(
  queue: StandInQueue,
  deadLetter: StandInQueue | undefined,
  most: number,
  visibilitySeconds: number,
  nowMs: number,
  order: (messages: readonly StoredMessage[]) => readonly StoredMessage[],
): readonly StoredMessage[] {
  if (!Number.isInteger(most) || most < 1 || most > MOST_AT_ONCE) {
    throw new SqsRefusal(
      "InvalidParameterValue",
      `Value ${most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.`,
    );
  }
  const visible = order([...queue.messages.values()].filter((one) => one.visibleAtMs <= nowMs));
  const given: StoredMessage[] = [];
  for (const message of visible) {
    if (given.length === most) break;
    if (queue.redrive !== undefined && message.receives >= queue.redrive.maxReceiveCount) {
      queue.messages.delete(message.id);
      deadLetter?.messages.set(message.id, { ...message, receives: 0, receipt: undefined });
      continue;
    }
    message.receives += 1;
    message.receipt = `${message.id}#${message.receives}`;
    message.visibleAtMs = nowMs + visibilitySeconds * 1_000;
    given.push(message);
  }
  return given;
}

const byReceipt = (queue: StandInQueue, receipt: string): StoredMessage | undefined =>
  queue.messages.get(receipt.split("#")[0] ?? "");

/** Deletes it, whichever giving-out the receipt is of: a later one may make it stay, or not [API]. */
export function remove(queue: StandInQueue, receipt: string): void {
  if (!/^m\d+(?:-\d+)?#\d+$/.test(receipt)) {
    throw new SqsRefusal("ReceiptHandleIsInvalid", "The input receipt handle is invalid.");
  }
  const message = byReceipt(queue, receipt);
  if (message !== undefined && message.receipt === receipt) queue.messages.delete(message.id);
}

export function hide(queue: StandInQueue, receipt: string, seconds: number, nowMs: number): void {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > MOST_VISIBILITY_SECONDS) {
    throw new SqsRefusal(
      "InvalidParameterValue",
      `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and ${MOST_VISIBILITY_SECONDS}.`,
    );
  }
  const message = byReceipt(queue, receipt);
  if (message?.receipt !== receipt || message.visibleAtMs <= nowMs) {
    throw new SqsRefusal("MessageNotInflight", "The message referred to isn't in flight.");
  }
  message.visibleAtMs = nowMs + seconds * 1_000;
}
