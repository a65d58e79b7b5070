import type { IncomingMessage } from "node:http";
import type { Clock } from "../../kit/flow/clock.ts";
import { giveOut, hide, md5, put, remove, SqsRefusal, type StandInQueue } from "./queue.ts";

export const operations = [
  "SendMessage",
  "ReceiveMessage",
  "DeleteMessageBatch",
  "ChangeMessageVisibilityBatch",
  "GetQueueAttributes",
  "GetQueueUrl",
] as const;
export type Operation = (typeof operations)[number];

export const ACCOUNT = "123456789012";
/** How often a queue is looked into for somebody who waits for a message. */
const POLL_MS = 20;

/** A request's members. */
export type Input = Readonly<Record<string, unknown>>;

/** Who asks, and how. */
export interface Asker {
  readonly senderId: string;
  /** What goes wrong with a message that is sent, if anything. */
  readonly mishap: "lost" | "doubled" | { readonly lateMs: number } | undefined;
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal;
}

export interface OperationsOptions {
  readonly queues: ReadonlyMap<string, StandInQueue>;
  readonly order: Parameters<typeof giveOut>[5];
  readonly clock: Clock;
  /** Nobody can reach the queues. */
  readonly isAway: () => boolean;
  readonly closing: () => AbortSignal;
  /** The URL of a queue by its name. */
  readonly url: (queue: string) => string;
}

/** What each operation does to the queues. The answer is the body of the response; throws `SqsRefusal`. */
export function sqsOperations(
  options: OperationsOptions,
): (operation: Operation, input: Input, asker: Asker) => Promise<object> {
  const { queues, clock, url } = options;
  let ids = 0;
  const queueOf = (input: Input): StandInQueue => queueNamed(queues, input["QueueUrl"]);
  return async (operation, input, asker) => {
    switch (operation) {
      case "SendMessage":
        ids += 1;
        return send(queueOf(input), input, `m${ids}`, asker, clock.now());
      case "ReceiveMessage":
        return receive(options, queueOf(input), input, asker.gone);
      case "DeleteMessageBatch":
        return each(input, (entry) => remove(queueOf(input), String(entry["ReceiptHandle"])));
      case "ChangeMessageVisibilityBatch":
        return each(input, (entry) =>
          hide(
            queueOf(input),
            String(entry["ReceiptHandle"]),
            Number(entry["VisibilityTimeout"]),
            clock.now(),
          ),
        );
      case "GetQueueAttributes":
        return { Attributes: attributesOf(queueOf(input), clock.now()) };
      case "GetQueueUrl":
        return { QueueUrl: url(queueNamed(queues, input["QueueName"]).name) };
    }
  };
}

function queueNamed(queues: ReadonlyMap<string, StandInQueue>, url: unknown): StandInQueue {
  const name = typeof url === "string" ? (url.split("/").at(-1) ?? "") : "";
  const queue = queues.get(name);
  if (queue === undefined) {
    throw new SqsRefusal("QueueDoesNotExist", "The specified queue does not exist.");
  }
  return queue;
}

function send(
  queue: StandInQueue,
  input: Input,
  id: string,
  { senderId, mishap }: Asker,
  nowMs: number,
): object {
  const body = typeof input["MessageBody"] === "string" ? input["MessageBody"] : "";
  const attributes = (input["MessageAttributes"] ?? {}) as Record<string, { StringValue?: string }>;
  const message = { id, body, senderId, sentMs: Date.now(), attributes };
  if (mishap !== "lost")
    put(queue, message, nowMs + (typeof mishap === "object" ? mishap.lateMs : 0));
  if (mishap === "doubled") put(queue, { ...message, id: `${id}-2` }, nowMs);
  return { MessageId: id, MD5OfMessageBody: md5(body) };
}

/** Waits as long as the request says for a first message. */
async function receive(
  { queues, clock, order, isAway, closing }: OperationsOptions,
  queue: StandInQueue,
  input: Input,
  gone: AbortSignal,
): Promise<object> {
  const untilMs = clock.now() + Number(input["WaitTimeSeconds"] ?? 0) * 1_000;
  const most = Number(input["MaxNumberOfMessages"] ?? 1);
  const seconds = Number(input["VisibilityTimeout"] ?? queue.visibilitySeconds);
  const deadLetter = queues.get(queue.redrive?.deadLetter ?? "");
  for (;;) {
    const given = giveOut(queue, deadLetter, most, seconds, clock.now(), order);
    if (given.length > 0 || clock.now() >= untilMs || gone.aborted || isAway()) {
      return {
        Messages: given.map(({ id, receipt, body, senderId, sentMs, receives }) => ({
          MessageId: id,
          ReceiptHandle: receipt,
          Body: body,
          MD5OfBody: md5(body),
          Attributes: {
            SenderId: senderId,
            SentTimestamp: String(sentMs),
            ApproximateReceiveCount: String(receives),
          },
        })),
      };
    }
    await clock.sleep(POLL_MS, AbortSignal.any([gone, closing()])).catch(() => {});
  }
}

/** Acts on each entry of a batch by itself: one that is refused does not keep the others from it. */
function each(input: Input, act: (entry: Input) => void): object {
  const entries = (input["Entries"] ?? []) as readonly Input[];
  if (entries.length === 0 || entries.length > 10) {
    throw new SqsRefusal("EmptyBatchRequest", "There should be 1 to 10 entries in the request.");
  }
  const failed: object[] = [];
  const successful: object[] = [];
  for (const entry of entries) {
    try {
      act(entry);
      successful.push({ Id: entry["Id"] });
    } catch (error) {
      if (!(error instanceof SqsRefusal)) throw error;
      const { code, message } = error;
      failed.push({ Id: entry["Id"], SenderFault: true, Code: code, Message: message });
    }
  }
  return { Successful: successful, Failed: failed };
}

/** The operation that a request names; undefined for one that is not known here. */
export const operationOf = ({ headers }: IncomingMessage): Operation | undefined =>
  operations.find((one) => headers["x-amz-target"] === `AmazonSQS.${one}`);

function attributesOf({ visibilitySeconds, redrive, messages }: StandInQueue, nowMs: number) {
  const hidden = [...messages.values()].filter((one) => one.visibleAtMs > nowMs).length;
  const arn = (name: string): string => `arn:aws:sqs:eu-west-1:${ACCOUNT}:${name}`;
  return {
    VisibilityTimeout: String(visibilitySeconds),
    ApproximateNumberOfMessages: String(messages.size - hidden),
    ApproximateNumberOfMessagesNotVisible: String(hidden),
    ...(redrive !== undefined && {
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: arn(redrive.deadLetter),
        maxReceiveCount: redrive.maxReceiveCount,
      }),
    }),
  };
}
