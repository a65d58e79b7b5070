import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { type Clock, systemClock } from "../../kit/flow/clock.ts";
import { faultList } from "../faults.ts";
import { httpStandIn } from "../http-stand-in.ts";
import {
  ACCOUNT,
  type Asker,
  type Input,
  type Operation,
  operationOf,
  operations,
  sqsOperations,
} from "./operations.ts";
import { type giveOut, SqsRefusal, type StandInQueue } from "./queue.ts";

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

/**
 * SQS over HTTP on the loopback address, in its JSON protocol. Signatures are not checked; whose key signed a request is
 * read from them.
 */
export async function sqsStandIn(options: SqsStandInOptions): Promise<SqsStandIn> {
  const { clock = systemClock, order = (messages) => messages } = options;
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
  const faults = faultList<SqsFault>({ times: 1 });
  let isAway = false;
  const url = (queue: string): string => `${http.url}/${ACCOUNT}/${queue}`;
  const act = sqsOperations({
    ...{ queues, order, clock, url },
    isAway: () => isAway,
    closing: () => http.closing(),
  });

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
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
      refuse(response, fault.error.status, fault.error.code, "a fault");
      return;
    }
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const mishap: Asker["mishap"] = fault === "reset-after" ? undefined : fault;
    const body = await act(operation, input, { senderId, mishap, gone: gone.signal });
    if (fault === "reset-after") request.socket.destroy();
    else say(response, 200, body);
  };
  const http = await httpStandIn({
    serve: (request, response) =>
      serve(request, response).catch((error: unknown) => {
        if (!(error instanceof SqsRefusal)) throw error;
        const status = error.code === "AccessDeniedException" ? 403 : 400;
        refuse(response, status, error.code, error.message);
      }),
  });

  return {
    url,
    requests,
    messages: (queue) =>
      [...(queues.get(queue)?.messages.values() ?? [])].map(({ body, attributes }) => {
        const reason = attributes["reason"]?.StringValue;
        return { body, ...(reason !== undefined && { reason }) };
      }),
    fail: faults.add,
    clearFaults: faults.clear,
    setAway(away) {
      isAway = away;
    },
    close: http.close,
  };
}

function say(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
  response.end(JSON.stringify(body));
}

const refuse = (response: ServerResponse, status: number, code: string, message: string): void =>
  say(response, status, { __type: `com.amazonaws.sqs#${code}`, message });

/** The access key that a request is signed with. */
const keyOf = ({ headers }: IncomingMessage): string | undefined =>
  /Credential=([^/]+)\//.exec(headers.authorization ?? "")?.[1];
