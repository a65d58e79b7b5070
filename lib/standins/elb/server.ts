import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, systemClock } from "../../kit/flow/clock.ts";
import { faultList } from "../faults.ts";
import { httpStandIn, requestId } from "../http-stand-in.ts";
import { requestLog } from "../request-log.ts";
import { type ClassicOperation, classicOperations } from "./classic-rules.ts";
import {
  addBalancer,
  type ClassicBalancer,
  type ClassicState,
  classicState,
  plainBalancer,
} from "./classic-state.ts";
import { Form, Refusal, xml } from "./form.ts";
import {
  addGroup,
  plainTargets,
  type StandInGroup,
  type TargetsState,
  targetsOperations,
  targetsState,
} from "./targets-rules.ts";

type ElbOperation = ClassicOperation | keyof typeof targetsOperations;

interface ElbFault {
  /** Default: any. */
  readonly operation?: ElbOperation;
  readonly loadBalancer?: string;
  /** Default: every time. */
  readonly times?: number;
  /**
   * An error's code; or the connection is reset: before anything happens, or after it has happened and before the answer;
   * or there is never an answer.
   */
  readonly kind:
    | { readonly code: string; readonly status?: number; readonly message?: string }
    | "reset-before"
    | "reset-after"
    | "hang";
}

interface ElbRequest {
  readonly operation: ElbOperation | "unknown";
  /** The load balancer's name or the target group's ARN; of a question, all names. */
  readonly about: string;
  /** "ok", an error's code, or the fault. */
  readonly result: string;
  readonly at: number;
}

export interface ElbStandIn {
  readonly url: string;
  /** In order of arrival; the oldest are forgotten. */
  readonly requests: readonly ElbRequest[];
  balancer(name: string): ReturnType<typeof plainBalancer>;
  targets(arn: string): readonly string[];
  add(balancer: ClassicBalancer): void;
  addGroup(group: StandInGroup): void;
  remove(name: string): void;
  /** By somebody else's hand: one operation, as a form. */
  act(operation: ElbOperation, fields: Readonly<Record<string, string>>): void;
  /** How long a listener counts as there after its delete. */
  deleteTakes(ms: number): void;
  /** How long each answer takes. */
  latency(ms: number): void;
  fail(fault: ElbFault): void;
  clearFaults(): void;
  /** Waited for as a request arrives, and again when it has taken effect and before its answer leaves. */
  gate(listener: Gate | undefined): void;
  onRequest(listener: (request: ElbRequest) => void): void;
  close(): Promise<void>;
}

type Gate = (moment: {
  readonly operation: ElbOperation;
  readonly phase: "before" | "after";
}) => void | Promise<void>;

const CLASSIC = "2012-06-01";
const VERSIONS: Readonly<Record<string, string>> = {
  [CLASSIC]: "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/",
  "2015-12-01": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
};
const MOST_BODY = 262_144;

/** Answers both APIs as their rules say, without a server: what the tests of flows use. */
export function elbRules(clock: Clock = systemClock) {
  const classic: ClassicState = classicState();
  const targets: TargetsState = targetsState();
  return {
    classic,
    targets,
    /** The result's fields. Throws `Refusal`. */
    answer(version: string, operation: string, form: Form): object {
      const now = clock.now();
      const result =
        version === CLASSIC && Object.hasOwn(classicOperations, operation)
          ? classicOperations[operation as ClassicOperation](classic, form, now)
          : version !== CLASSIC && Object.hasOwn(targetsOperations, operation)
            ? targetsOperations[operation as keyof typeof targetsOperations](targets, form, now)
            : undefined;
      if (result === undefined) {
        throw new Refusal("InvalidAction", `the stand-in does not know ${operation} of ${version}`);
      }
      form.refuseUnknown();
      return result;
    },
  };
}

/** Both APIs over HTTP on the loopback address, told apart by the version in the form, as AWS does. */
export async function elbStandIn({
  clock = systemClock,
  port = 0,
}: {
  readonly clock?: Clock;
  readonly port?: number;
} = {}): Promise<ElbStandIn> {
  const rules = elbRules(clock);
  const log = requestLog<ElbRequest>();
  const serving: Serving = {
    rules,
    clock,
    faults: faultList<ElbFault>(),
    gate: undefined,
    latencyMs: 0,
    served: 0,
    heard: log.note,
  };
  const { url, close } = await httpStandIn({
    serve: (message, response) => serve(serving, message, response),
    at: { port },
  });

  return {
    url,
    requests: log.requests,
    balancer: (name) => plainBalancer(rules.classic, name),
    targets: (arn) => plainTargets(rules.targets, arn),
    add: (balancer) => addBalancer(rules.classic, balancer),
    addGroup: (group) => addGroup(rules.targets, group),
    remove: (name) => void rules.classic.balancers.delete(name),
    act(operation, fields) {
      const version = Object.hasOwn(classicOperations, operation) ? CLASSIC : "2015-12-01";
      rules.answer(version, operation, new Form(new URLSearchParams(fields).toString()));
    },
    deleteTakes(ms) {
      rules.classic.deleteTakesMs = ms;
    },
    latency(ms) {
      serving.latencyMs = ms;
    },
    fail: serving.faults.add,
    clearFaults: serving.faults.clear,
    gate(listener) {
      serving.gate = listener;
    },
    onRequest: (listener) => void log.onRequest(listener),
    close,
  };
}

interface Serving {
  readonly rules: ReturnType<typeof elbRules>;
  readonly clock: Clock;
  readonly faults: ReturnType<typeof faultList<ElbFault>>;
  readonly heard: (request: ElbRequest) => void;
  gate: Gate | undefined;
  latencyMs: number;
  served: number;
}

async function serve(
  serving: Serving,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const form = new Form(await bodyOf(message));
  const operation = (form.text("Action") ?? "") as ElbOperation;
  const about = aboutOf(form);
  serving.served += 1;
  const id = requestId(serving.served);
  const fault = serving.faults.next(
    (one) => (one.operation ?? operation) === operation && (one.loadBalancer ?? about) === about,
  )?.kind;
  const said = (result: string) =>
    serving.heard({ operation: operation || "unknown", about, result, at: serving.clock.now() });
  await serving.gate?.({ operation, phase: "before" });
  if (fault === "reset-before" || fault === "hang") {
    said(fault);
    if (fault === "reset-before") message.socket.resetAndDestroy();
    return;
  }
  const answer = answerTo(serving.rules, form, id, fault);
  said(fault === "reset-after" ? fault : answer.result);
  await serving.gate?.({ operation, phase: "after" });
  if (fault === "reset-after") {
    message.socket.resetAndDestroy();
    return;
  }
  if (serving.latencyMs > 0) await serving.clock.sleep(serving.latencyMs);
  response.writeHead(answer.status, { "content-type": "text/xml", "x-amzn-requestid": id });
  response.end(answer.body);
}

function answerTo(
  rules: ReturnType<typeof elbRules>,
  form: Form,
  id: string,
  fault: ElbFault["kind"] | undefined,
): { readonly status: number; readonly body: string; readonly result: string } {
  const version = form.text("Version") ?? "";
  const operation = form.text("Action") ?? "";
  const namespace = VERSIONS[version] ?? "";
  try {
    if (typeof fault === "object") {
      throw new Refusal(fault.code, fault.message ?? fault.code, fault.status ?? 400);
    }
    const result = xml({ [`${operation}Result`]: rules.answer(version, operation, form) });
    const meta = xml({ ResponseMetadata: { RequestId: id } });
    const name = `${operation}Response`;
    return {
      status: 200,
      body: `<${name} xmlns="${namespace}">${result}${meta}</${name}>`,
      result: "ok",
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return refused(error, id, namespace);
  }
}

const aboutOf = (form: Form): string =>
  form.text("LoadBalancerName") ??
  form.text("TargetGroupArn") ??
  [...form.texts("LoadBalancerNames"), ...form.texts("TargetGroupArns")].join(",");

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BODY) throw new Error(`a request of more than ${MOST_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The Query protocol's form of an error (Smithy, awsQuery). */
const refused = ({ code, message, status }: Refusal, id: string, namespace: string) => ({
  status,
  result: code,
  body:
    `<ErrorResponse xmlns="${namespace}">` +
    xml({
      Error: { Type: status >= 500 ? "Receiver" : "Sender", Code: code, Message: message },
      RequestId: id,
    }) +
    "</ErrorResponse>",
});
