import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type Clock, systemClock } from "../../kit/flow/clock.ts";
import { faultList } from "../faults.ts";
import { giveOut, hide, md5, put, remove, SqsRefusal, type StandInQueue } from "./queue.ts";

/** What goes wrong, at the next request of this operation. */
interface SqsFault {
  readonly operation: Operation;
  /** Default 1. */
  readonly times?: number;
  readonly kind:
    | { readonly error: { readonly status: number; readonly code: string } }
    /** Of SendMessage: taken, and never seen again; there twice; there only after so many ms. */
    | "lost"
    | "doubled"
    | { readonly lateMs: number }
    /** The connection breaks, before or after the work. */
    | "reset-before"
    | "reset-after";
}

const operations = [
  "SendMessage",
  "ReceiveMessage",
  "DeleteMessageBatch",
  "ChangeMessageVisibilityBatch",
  "GetQueueAttributes",
  "GetQueueUrl",
] as const;
type Operation = (typeof operations)[number];

export interface SqsStandIn {
  /** The URL of a queue by its name. */
  url(queue: string): string;
  readonly requests: Readonly<Record<Operation, number>>;
  /** Bodies of what a queue holds, given out or not, with why they are there where somebody has said so. */
  messages(queue: string): readonly { readonly body: string; readonly reason?: string }[];
  fail(fault: SqsFault): void;
  clearFaults(): void;
  /** Nobody can reach it, or everybody can again. */
  setAway(isAway: boolean): void;
  close(): Promise<void>;
}

export interface SqsStandInOptions {
  readonly queues: readonly {
    readonly name: string;
    readonly visibilitySeconds?: number;
    readonly deadLetter?: string;
    readonly maxReceiveCount?: number;
  }[];
  /** Whose key it is: the SenderId of what is sent with it. A key that is not here may not send. */
  readonly senders: Readonly<Record<string, string>>;
  /** Puts what could be given out in another order. */
  readonly order?: Parameters<typeof giveOut>[5];
  readonly clock?: Clock;
}

const ACCOUNT = "123456789012";
const POLL_MS = 20;

/** SQS over HTTP on the loopback address, in its JSON protocol. Signatures are not checked, only read for whose they are. */
export async function sqsStandIn(options: SqsStandInOptions): Promise<SqsStandIn> {
  const clock = options.clock ?? systemClock;
  const order = options.order ?? ((messages) => messages);
  const queues = new Map<string, StandInQueue>(
    options.queues.map(({ name, visibilitySeconds = 30, deadLetter, maxReceiveCount = 20 }) => [
      name,
      {
        name,
        visibilitySeconds,
        ...(deadLetter !== undefined && { redrive: { deadLetter, maxReceiveCount } }),
        messages: new Map(),
      },
    ]),
  );
  const requests = Object.fromEntries(operations.map((one) => [one, 0])) as Record<
    Operation,
    number
  >;
  const faults = faultList<SqsFault>();
  const closing = new AbortController();
  let ids = 0;
  let isAway = false;

  const queueOf = (url: unknown): StandInQueue => {
    const name = typeof url === "string" ? (url.split("/").at(-1) ?? "") : "";
    const queue = queues.get(name);
    if (queue === undefined) {
      throw new SqsRefusal("QueueDoesNotExist", "The specified queue does not exist.");
    }
    return queue;
  };

  const send = (input: Input, senderId: string, fault: SqsFault["kind"] | undefined) => {
    const queue = queueOf(input["QueueUrl"]);
    const body = typeof input["MessageBody"] === "string" ? input["MessageBody"] : "";
    ids += 1;
    const id = `m${ids}`;
    const lateMs = typeof fault === "object" && "lateMs" in fault ? fault.lateMs : 0;
    const attributes = (input["MessageAttributes"] ?? {}) as Record<
      string,
      { StringValue?: string }
    >;
    const message = { id, body, senderId, sentMs: Date.now(), attributes };
    if (fault !== "lost") put(queue, message, clock.now() + lateMs);
    if (fault === "doubled") put(queue, { ...message, id: `${id}-2` }, clock.now());
    return { MessageId: id, MD5OfMessageBody: md5(body) };
  };

  const receive = async (input: Input, gone: AbortSignal) => {
    const queue = queueOf(input["QueueUrl"]);
    const untilMs = clock.now() + Number(input["WaitTimeSeconds"] ?? 0) * 1_000;
    const most = Number(input["MaxNumberOfMessages"] ?? 1);
    const seconds = Number(input["VisibilityTimeout"] ?? queue.visibilitySeconds);
    const deadLetter = queues.get(queue.redrive?.deadLetter ?? "");
    for (;;) {
      const given = giveOut(queue, deadLetter, most, seconds, clock.now(), order);
      if (given.length > 0 || clock.now() >= untilMs || gone.aborted || isAway) {
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
      await clock.sleep(POLL_MS, AbortSignal.any([gone, closing.signal])).catch(() => {});
    }
  };

  const each = (input: Input, act: (queue: StandInQueue, entry: Input) => void) => {
    const queue = queueOf(input["QueueUrl"]);
    const entries = (input["Entries"] ?? []) as readonly Input[];
    if (entries.length === 0 || entries.length > 10) {
      throw new SqsRefusal("EmptyBatchRequest", "There should be 1 to 10 entries in the request.");
    }
    const failed: object[] = [];
    const successful: object[] = [];
    for (const entry of entries) {
      try {
        act(queue, entry);
        successful.push({ Id: entry["Id"] });
      } catch (error) {
        if (!(error instanceof SqsRefusal)) throw error;
        failed.push({
          Id: entry["Id"],
          SenderFault: true,
          Code: error.code,
          Message: error.message,
        });
      }
    }
    return { Successful: successful, Failed: failed };
  };

  const answer = async (operation: Operation, input: Input, of: Asker): Promise<object> => {
    switch (operation) {
      case "SendMessage":
        return send(input, of.senderId, of.fault);
      case "ReceiveMessage":
        return receive(input, of.gone);
      case "DeleteMessageBatch":
        return each(input, (queue, entry) => remove(queue, String(entry["ReceiptHandle"])));
      case "ChangeMessageVisibilityBatch":
        return each(input, (queue, entry) =>
          hide(
            queue,
            String(entry["ReceiptHandle"]),
            Number(entry["VisibilityTimeout"]),
            clock.now(),
          ),
        );
      case "GetQueueAttributes":
        return { Attributes: attributesOf(queueOf(input["QueueUrl"]), clock.now()) };
      case "GetQueueUrl":
        return { QueueUrl: url(queueOf(input["QueueName"]).name) };
    }
  };

  const server = createServer((request, response) => {
    const say = (status: number, body: object): void => {
      response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
      response.end(JSON.stringify(body));
    };
    const serve = async (): Promise<void> => {
      const operation = operationOf(request);
      const senderId = options.senders[keyOf(request) ?? ""];
      const input = JSON.parse((await text(request)) || "{}") as Input;
      if (isAway) {
        request.socket.destroy();
        return;
      }
      if (operation === undefined) throw new SqsRefusal("UnsupportedOperation", "not known here");
      if (senderId === undefined) throw new SqsRefusal("AccessDeniedException", "Access denied.");
      requests[operation] += 1;
      const fault = faults.next((one) => one.operation === operation)?.kind;
      if (fault === "reset-before") {
        request.socket.destroy();
        return;
      }
      if (typeof fault === "object" && "error" in fault) {
        say(fault.error.status, {
          __type: `com.amazonaws.sqs#${fault.error.code}`,
          message: "a fault",
        });
        return;
      }
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      const body = await answer(operation, input, { senderId, fault, gone: gone.signal });
      if (fault === "reset-after") request.socket.destroy();
      else say(200, body);
    };
    serve().catch((error: unknown) => {
      if (!(error instanceof SqsRefusal))
        return say(500, { __type: "InternalFailure", message: String(error) });
      return say(error.code === "AccessDeniedException" ? 403 : 400, {
        __type: `com.amazonaws.sqs#${error.code}`,
        message: error.message,
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = (queue: string): string => `http://127.0.0.1:${port}/${ACCOUNT}/${queue}`;

  return {
    url,
    requests,
    messages: (queue) =>
      [...(queues.get(queue)?.messages.values() ?? [])].map(({ body, attributes }) => {
        const reason = attributes["reason"]?.StringValue;
        return { body, ...(reason !== undefined && { reason }) };
      }),
    fail: (fault) => faults.add({ times: 1, ...fault }),
    clearFaults: faults.clear,
    setAway(away) {
      isAway = away;
    },
    async close() {
      closing.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Input = Readonly<Record<string, unknown>>;
interface Asker {
  readonly senderId: string;
  readonly fault: SqsFault["kind"] | undefined;
  readonly gone: AbortSignal;
}

const operationOf = ({ headers }: IncomingMessage): Operation | undefined =>
  operations.find((one) => headers["x-amz-target"] === `AmazonSQS.${one}`);

/** The access key that a request is signed with. */
const keyOf = ({ headers }: IncomingMessage): string | undefined =>
  /Credential=([^/]+)\//.exec(headers.authorization ?? "")?.[1];

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
