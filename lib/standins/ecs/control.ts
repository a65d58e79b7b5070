import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { faultList } from "../faults.ts";
import { httpStandIn, requestId } from "../http-stand-in.ts";
import { requestLog } from "../request-log.ts";
import {
  answerTo,
  type ControlState,
  type EcsError,
  type Operation,
  operationOf,
} from "./control-rules.ts";

interface ControlFault {
  /** Default: any. */
  readonly operation?: Operation;
  /** Only requests about this cluster, by its name. */
  readonly cluster?: string;
  /** Only the page that begins here: 2 is the second one of a list. Default: any. */
  readonly page?: number;
  /** Default: every time. */
  readonly times?: number;
  readonly error: EcsError;
}

export interface ControlRequest {
  readonly operation: Operation | "unknown";
  readonly cluster?: string;
  /** Of a list: which page, from 1 on. */
  readonly page: number;
  /** How many ids it asks about. */
  readonly ids: number;
  /** "ok", or an error's code. */
  readonly result: string;
}

export interface EcsControlStandIn {
  readonly url: string;
  /** In order of arrival. */
  readonly requests: readonly ControlRequest[];
  /** The first that matches a request takes it. */
  fail(fault: ControlFault): void;
  clearFaults(): void;
  /** Hears each request once it was judged, before its answer leaves. */
  onRequest(listener: (request: ControlRequest) => void): void;
  close(): Promise<void>;
}

export const THROTTLED: EcsError = {
  status: 400,
  code: "ThrottlingException",
  message: "Rate exceeded",
};

/** As in reports of users: `… is not authorized to perform: ecs:ListTasks on resource: *` (cdklabs/construct-hub#1207). */
export const denied = (operation: Operation): EcsError => ({
  status: 400,
  code: "AccessDeniedException",
  message: `User: arn:aws:sts::123456789012:assumed-role/sweep/test is not authorized to perform: ecs:${operation} on resource: * because no identity-based policy allows the ecs:${operation} action`,
});

/**
 * The control plane of ECS over HTTP on the loopback address, as far as a sweep reads it: AWS JSON 1.1, the operation in
 * X-Amz-Target, with the rules of `ecs-control-rules.ts`. `state` is asked at each request.
 */
export async function ecsControlStandIn(state: () => ControlState): Promise<EcsControlStandIn> {
  const log = requestLog<ControlRequest>();
  const faults = faultList<ControlFault>();

  const fits =
    (request: Omit<ControlRequest, "result">) =>
    ({ operation, cluster, page }: ControlFault): boolean =>
      (operation ?? request.operation) === request.operation &&
      (cluster ?? request.cluster) === request.cluster &&
      (page ?? request.page) === request.page;

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(message);
    const operation = operationOf(message.method, message.headers["x-amz-target"]);
    const { asked, answer } = answerTo(operation, body, state());
    const fault = faults.next(fits({ operation, ...asked }));
    const judged = fault === undefined ? answer : { ok: false as const, error: fault.error };
    const request = { operation, ...asked, result: judged.ok ? "ok" : judged.error.code };
    log.note(request);
    response.writeHead(judged.ok ? 200 : judged.error.status, {
      "content-type": "application/x-amz-json-1.1",
      "x-amzn-requestid": requestId(log.count()),
    });
    // The protocol's form of an error (Smithy, AWS JSON 1.1: `__type`, and the text as `message`).
    response.end(
      JSON.stringify(
        judged.ok ? judged.body : { __type: judged.error.code, message: judged.error.message },
      ),
    );
  };

  const { url, close } = await httpStandIn({ serve });

  return {
    url,
    requests: log.requests,
    fail: faults.add,
    clearFaults: faults.clear,
    onRequest: (listener) => void log.onRequest(listener),
    close,
  };
}
