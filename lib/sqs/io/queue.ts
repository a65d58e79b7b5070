import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { errorFacts, judged } from "../../aws/answer.ts";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { inTime, REQUEST_LIMIT_MS } from "../../aws/io/whole-answers.ts";
import { Fatal, Unavailable } from "../../kit/failure.ts";

/** A message as SQS gave it out. */
interface Received {
  readonly id: string;
  /** Names this giving-out of it, for deleting it. */
  readonly receipt: string;
  readonly body: string;
  /** Set by SQS: `AROA…:<session>`, for one. */
  readonly senderId: string;
  /** When SQS took it, in Unix ms. */
  readonly sentMs: number;
  /** How often it was given out, this time included. */
  readonly receives: number;
}

interface QueueFacts {
  /** How long a message that was given out stays hidden from others. */
  readonly visibilitySeconds: number;
  /** Where SQS puts what was given out too often; undefined where nobody has said so. */
  readonly deadLetterUrl?: string;
  /** About how many messages wait, and how many are given out. */
  readonly waiting: number;
  readonly inFlight: number;
}

/**
 * One standard queue. Every function throws `Unavailable` when trying again may help, and `Fatal` when only an operator
 * can (no permission, no such queue).
 */
export interface MessageQueue {
  /** Resolves once SQS has taken it. */
  send(body: string): Promise<void>;
  /** The same for the dead-letter queue, with why it is there. */
  bury(url: string, body: string, reason: string): Promise<void>;
  /** At most 10 messages; waits up to 20 s for the first. Rejects with the signal's reason when it aborts. */
  receive(stop: AbortSignal): Promise<readonly Received[]>;
  /** Deletes at most 10 given-out messages. Comes back with the receipts that SQS did not delete. */
  remove(receipts: readonly string[]): Promise<readonly string[]>;
  /** Hides at most 10 given-out messages for so long from now on; 0 gives them back. */
  hide(receipts: readonly string[], seconds: number): Promise<void>;
  facts(): Promise<QueueFacts>;
  close(): void;
}

/** The longest that SQS waits for a first message (API reference, ReceiveMessage, WaitTimeSeconds). */
const LONG_POLL_SECONDS = 20;
const MOST_AT_ONCE = 10;

/**
 * The queue at this URL: requests go where the URL leads. Credentials come from where the AWS SDK finds them. One client
 * serves the whole process, and one of its own waits for messages: its requests take longer than any other may.
 */
export function messageQueue({
  url,
  region,
}: {
  readonly url: string;
  readonly region: string;
}): MessageQueue {
  const endpoint = new URL(url).origin;
  const defaults = clientDefaults();
  const client = new SQSClient({ region, endpoint, ...defaults });
  const waiting = new SQSClient({
    region,
    endpoint,
    ...clientDefaults(),
    requestHandler: {
      ...defaults.requestHandler,
      requestTimeout: (LONG_POLL_SECONDS + 10) * 1_000,
    },
  });
  const asked: Ask = (operation, send) =>
    inTime(REQUEST_LIMIT_MS, send).catch((error: unknown): never => {
      throw failure(operation, url, error);
    });

  return {
    ...sending(client, asked, url),
    ...givenOut(client, asked, url),
    receive: (stop) => receive(waiting, url, stop),
    facts: () => factsOf(client, asked, url),
    close() {
      client.destroy();
      waiting.destroy();
    },
  };
}

/** The answer to one request, in time. Throws what a failure means to the caller. */
type Ask = <T>(
  operation: string,
  send: (limit: { readonly abortSignal: AbortSignal }) => Promise<T>,
) => Promise<T>;

function sending(client: SQSClient, asked: Ask, url: string): Pick<MessageQueue, "send" | "bury"> {
  const put = async (to: string, body: string, reason?: string): Promise<void> => {
    const command = new SendMessageCommand({
      QueueUrl: to,
      MessageBody: body,
      ...(reason !== undefined && {
        MessageAttributes: { reason: { DataType: "String", StringValue: reason } },
      }),
    });
    const { MessageId } = await asked("SendMessage", (limit) => client.send(command, limit));
    // Only SQS itself gives a message an id.
    if (MessageId === undefined) throw new Unavailable("SQS", "answered SendMessage without an id");
  };
  return { send: (body) => put(url, body), bury: put };
}

async function receive(
  client: SQSClient,
  url: string,
  stop: AbortSignal,
): Promise<readonly Received[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: url,
    MaxNumberOfMessages: MOST_AT_ONCE,
    WaitTimeSeconds: LONG_POLL_SECONDS,
    MessageSystemAttributeNames: ["SenderId", "SentTimestamp", "ApproximateReceiveCount"],
  });
  const { Messages: messages = [] } = await client
    .send(command, { abortSignal: stop })
    .catch((error: unknown): never => {
      throw stop.aborted ? stop.reason : failure("ReceiveMessage", url, error);
    });
  return messages.flatMap(({ MessageId: id, ReceiptHandle: receipt, Body: body, Attributes }) => {
    const { SenderId: senderId = "", SentTimestamp, ApproximateReceiveCount } = Attributes ?? {};
    const sentMs = Number(SentTimestamp);
    if (id === undefined || receipt === undefined || !Number.isSafeInteger(sentMs)) return [];
    const receives = Number(ApproximateReceiveCount ?? 1);
    return [{ id, receipt, body: body ?? "", senderId, sentMs, receives }];
  });
}

/** What is done with messages that were given out. */
const givenOut = (
  client: SQSClient,
  asked: Ask,
  url: string,
): Pick<MessageQueue, "remove" | "hide"> => ({
  async remove(receipts) {
    const command = new DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: receipts.map((ReceiptHandle, at) => ({ Id: String(at), ReceiptHandle })),
    });
    const { Failed: failed = [] } = await asked("DeleteMessageBatch", (limit) =>
      client.send(command, limit),
    );
    // The sender's fault: the receipt is no good any more, and the message comes again.
    return failed
      .filter((one) => one.SenderFault !== true)
      .flatMap(({ Id }) => receipts[Number(Id)] ?? []);
  },
  async hide(receipts, seconds) {
    const command = new ChangeMessageVisibilityBatchCommand({
      QueueUrl: url,
      Entries: receipts.map((ReceiptHandle, at) => ({
        Id: String(at),
        ReceiptHandle,
        VisibilityTimeout: seconds,
      })),
    });
    await asked("ChangeMessageVisibilityBatch", (limit) => client.send(command, limit));
  },
});

async function factsOf(client: SQSClient, asked: Ask, url: string): Promise<QueueFacts> {
  const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...FACTS] });
  const { Attributes: all = {} } = await asked("GetQueueAttributes", (limit) =>
    client.send(command, limit),
  );
  const target = deadLetterTarget(all.RedrivePolicy);
  const named = target && new GetQueueUrlCommand(target);
  const deadLetterUrl =
    named && (await asked("GetQueueUrl", (limit) => client.send(named, limit))).QueueUrl;
  return {
    visibilitySeconds: Number(all.VisibilityTimeout ?? 30),
    waiting: Number(all.ApproximateNumberOfMessages ?? 0),
    inFlight: Number(all.ApproximateNumberOfMessagesNotVisible ?? 0),
    ...(deadLetterUrl !== undefined && { deadLetterUrl }),
  };
}

const FACTS = [
  "VisibilityTimeout",
  "RedrivePolicy",
  "ApproximateNumberOfMessages",
  "ApproximateNumberOfMessagesNotVisible",
] as const;

interface QueueName {
  readonly QueueName: string;
  readonly QueueOwnerAWSAccountId?: string;
}

/** The queue that a redrive policy names by its ARN. */
function deadLetterTarget(policy: string | undefined): QueueName | undefined {
  const [, account, name] = /"arn:[\w-]+:sqs:[\w-]*:(\w*):([\w.-]+)"/.exec(policy ?? "") ?? [];
  if (name === undefined) return undefined;
  return { QueueName: name, ...(account && { QueueOwnerAWSAccountId: account }) };
}

function failure(operation: string, url: string, error: unknown): Unavailable | Fatal {
  if (error instanceof Unavailable || error instanceof Fatal) return error;
  const { kind, mayHaveLanded, words } = judged(error);
  const { name } = errorFacts(error);
  if (kind === "defect") throw error;
  if (kind !== "refused" || LATER.test(name)) {
    const demand = kind === "fewer" || kind === "later" ? kind : undefined;
    return new Unavailable("SQS", `did not take ${operation}`, {
      cause: words,
      mayHaveLanded,
      ...(demand !== undefined && { demand }),
    });
  }
  if (/AccessDenied/.test(name)) {
    return new Fatal(
      `SQS denied ${operation} on ${url}: allow sqs:${actionOf(operation)} in the role of this process, and in the queue's policy`,
      { cause: error, mayHaveLanded },
    );
  }
  if (/NonExistentQueue|QueueDoesNotExist/.test(name)) {
    return new Fatal(`SQS knows no queue ${url} in this account and region`, { cause: error });
  }
  return new Fatal(`SQS refused ${operation} on ${url}`, { cause: error, mayHaveLanded });
}

/** Its own words for less and for later (API reference, errors of ReceiveMessage and SendMessage). */
const LATER = /OverLimit|KmsThrottled|RequestThrottled|ServiceUnavailable/;

/** IAM knows no batches. */
const actionOf = (operation: string): string => operation.replace(/Batch$/, "");
