import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { faultList } from "../faults.ts";
import { httpStandIn } from "../http-stand-in.ts";
import { requestLog } from "../request-log.ts";
import {
  ec2Answer,
  ecsAnswer,
  type FleetOperation,
  FleetRefusal,
  type FleetState,
  fleetOperations,
} from "./service-rules.ts";

/** What happens to a request instead of its answer. */
type FleetFault = {
  /** Default: any. */
  readonly operation?: FleetOperation;
  /** Default: every time. */
  readonly times?: number;
} & (
  | { readonly error: { readonly status: number; readonly code: string; readonly message: string } }
  /** This text, with status 200. */
  | { readonly body: string }
  /** The connection is broken off. */
  | { readonly cut: true }
);

interface FleetRequest {
  readonly operation: FleetOperation | "unknown";
  /** "ok", or an error's code, or how it was cut short. */
  readonly result: string;
  /** As it was sent. */
  readonly body: string;
}

export interface FleetStandIn {
  readonly url: string;
  /** In order of arrival, at least the last thousand of them. */
  readonly requests: readonly FleetRequest[];
  fail(fault: FleetFault): void;
  clearFaults(): void;
  /** Hears each request once it was judged, before its answer leaves. */
  onRequest(listener: (request: FleetRequest) => void): void;
  close(): Promise<void>;
}

/** Few, because each is remembered with its body. */
const MOST_REMEMBERED = 1_000;

export const fleetThrottled = {
  status: 400,
  code: "ThrottlingException",
  message: "Rate exceeded",
};
/** As in reports of users. */
export const fleetDenied = (operation: string) => ({
  status: 400,
  code: "AccessDeniedException",
  message: `User: arn:aws:sts::123456789012:assumed-role/client/test is not authorized to perform: ecs:${operation} on resource: * because no identity-based policy allows the ecs:${operation} action`,
});
/** EC2's own code for the same (EC2 API Reference, error codes). */
export const ec2Denied = {
  status: 403,
  code: "UnauthorizedOperation",
  message: "You are not authorized to perform this operation.",
};

/**
 * ECS (AWS JSON 1.1) and EC2 (its query protocol) over HTTP on the loopback address, as far as a client of a service reads
 * them, with the rules of `service-rules.ts`. `state` is asked at each request; an unsigned request is refused.
 */
export async function fleetStandIn(
  state: () => FleetState,
  { port = 0, latencyMs = 0 }: { readonly port?: number; readonly latencyMs?: number } = {},
): Promise<FleetStandIn> {
  const log = requestLog<FleetRequest>(MOST_REMEMBERED);
  const faults = faultList<FleetFault>();

  const heard = (operation: FleetRequest["operation"], result: string, body: string): void => {
    log.note({ operation, result, body });
  };

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(message);
    if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs));
    const asked = askedIn(message, body);
    const { operation, isEc2 } = asked;
    const send = (status: number, answer: string) => {
      response.writeHead(status, {
        "content-type": isEc2 ? "text/xml;charset=UTF-8" : "application/x-amz-json-1.1",
      });
      response.end(answer);
    };
    const fault = faults.next(({ operation: only }) => only === undefined || only === operation);
    if (fault !== undefined && "cut" in fault) {
      heard(operation, "cut", body);
      message.socket.destroy();
      return;
    }
    if (fault !== undefined && "body" in fault) {
      heard(operation, "garbled", body);
      send(200, fault.body);
      return;
    }
    try {
      if (fault !== undefined) {
        throw new FleetRefusal(fault.error.code, fault.error.message, fault.error.status);
      }
      const answer = judge(message, asked, body, state());
      heard(operation, "ok", body);
      send(200, answer);
    } catch (error) {
      if (!(error instanceof FleetRefusal)) throw error;
      heard(operation, error.code, body);
      send(error.status, refusalText(isEc2, error));
    }
  };

  const { url, close } = await httpStandIn({ serve, at: { port } });
  return {
    url,
    requests: log.requests,
    fail: faults.add,
    clearFaults: faults.clear,
    onRequest: (listener) => void log.onRequest(listener),
    close,
  };
}

interface Asked {
  readonly operation: FleetOperation | "unknown";
  readonly isEc2: boolean;
}

function askedIn(message: IncomingMessage, body: string): Asked {
  const target = message.headers["x-amz-target"];
  const isEc2 = target === undefined;
  const name = isEc2
    ? (new URLSearchParams(body).get("Action") ?? "")
    : String(target).replace("AmazonEC2ContainerServiceV20141113.", "");
  const known = fleetOperations.find((one) => one === name);
  const ofEc2 = known === "DescribeInstances" || known === "DescribeNetworkInterfaces";
  return { operation: known !== undefined && ofEc2 === isEc2 ? known : "unknown", isEc2 };
}

function judge(
  message: IncomingMessage,
  { operation, isEc2 }: Asked,
  body: string,
  state: FleetState,
): string {
  const service = isEc2 ? "ec2" : "ecs";
  const signature = new RegExp(
    `^AWS4-HMAC-SHA256 Credential=[^/]+/\\d{8}/eu-west-1/${service}/aws4_request, SignedHeaders=[a-z0-9;-]+, Signature=[0-9a-f]{64}$`,
  );
  if (message.method !== "POST" || operation === "unknown") {
    throw new FleetRefusal(
      isEc2 ? "InvalidAction" : "UnknownOperationException",
      "the stand-in does not know this operation",
    );
  }
  if (!signature.test(message.headers.authorization ?? "")) {
    throw new FleetRefusal(
      "MissingAuthenticationToken",
      `the request is not signed for ${service} in eu-west-1`,
      403,
    );
  }
  if (operation === "DescribeInstances" || operation === "DescribeNetworkInterfaces") {
    return ec2Answer(operation, new URLSearchParams(body), state);
  }
  let input: unknown;
  try {
    input = JSON.parse(body);
  } catch {
    throw new FleetRefusal("SerializationException", "expected JSON");
  }
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new FleetRefusal("SerializationException", "expected an object");
  }
  return JSON.stringify(ecsAnswer(operation, input as Record<string, unknown>, state));
}

/** Each protocol's own form of an error. */
const refusalText = (isEc2: boolean, { code, message }: FleetRefusal): string =>
  isEc2
    ? `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>00000000-0000-4000-8000-000000000000</RequestID></Response>`
    : JSON.stringify({ __type: code, message });
