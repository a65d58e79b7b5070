import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { type Clock, systemClock } from "../../kit/flow/clock.ts";
import { faultList } from "../faults.ts";
import { httpStandIn, requestId } from "../http-stand-in.ts";
import { listeners } from "../listeners.ts";
import { type RequestLog, requestLog } from "../request-log.ts";
import {
  type LandedChange,
  type Live,
  type Operation,
  type Reply,
  type Route53Api,
  refusal,
  route53Api,
  routeOf,
} from "./api.ts";
import { hostedZones, type OutsideChange, type ZoneOptions } from "./hosted-zones.ts";
import type { RuleError } from "./refusals.ts";
import { signatureProblem } from "./signature.ts";
import { type Rate, tokenBucket } from "./throttle.ts";
import { parseChangeRequest } from "./xml.ts";
import type { ZoneRecord } from "./zone.ts";

export type { LandedChange } from "./api.ts";
export type { Rate } from "./throttle.ts";

interface LiveOptions {
  /** Added to every answer; half of it passes before a change takes effect. Default 0. */
  readonly latencyMs?: number;
  /** Requests of the account. Default 10 a second, burst 50 [THR]. */
  readonly rate?: Rate;
  /** Record changes of the account. Default "unlimited": the real numbers are not known [THR]. */
  readonly changeRate?: Rate;
  /** How far its clock, which the Date header shows, is ahead of this host's. Default 0. */
  readonly aheadMs?: number;
}

export interface Route53StandInOptions extends LiveOptions {
  readonly zones: readonly ZoneOptions[];
  /** How long a zone stays busy with a change, beyond the request itself. Default 0. */
  readonly applyMs?: number;
  /** How long GetChange says PENDING. Default 0. */
  readonly insyncAfterMs?: number;
  readonly clock?: Clock;
  /** Default: any free port. */
  readonly port?: number;
}

export interface RequestSeen {
  /** The clock's milliseconds. */
  readonly at: number;
  readonly operation: Operation;
  readonly zoneId?: string;
  /** How many changes it asks for. */
  readonly changes: number;
  /** "pending" until answered, then "ok", an error code, or the name of the fault that took it. */
  readonly result: string;
}

export interface Fault {
  /** Default: any. */
  readonly operation?: Operation;
  /** Default 1. */
  readonly times?: number;
  readonly kind:
    | { readonly error: RuleError }
    /** The socket is reset before, or after, the request did its work. */
    | "reset-before"
    | "reset-after"
    /** Never answered: not done, or done. */
    | "hang"
    | "hang-after";
}

/** A request that hangs is never "answered"; it is "given up" when its client closes the connection. */
export type RequestPhase = "arrived" | "answered" | "given up";

export interface Route53StandIn {
  readonly url: string;
  /** Everything in list order; the same array until the zone changes. */
  records(zoneId: string): readonly ZoneRecord[];
  /** Puts foreign records in place by the same rules. Throws when they refuse. */
  seed(zoneId: string, records: readonly ZoneRecord[]): void;
  /** Somebody else's batch, by the same rules; no request, no landed change of ours. Throws when they refuse. */
  edit(zoneId: string, changes: readonly OutsideChange[]): void;
  /** In order of arrival. */
  readonly requests: readonly RequestSeen[];
  /** Hears each batch as it takes effect. Returns the way to stop listening. */
  onLanded(listener: (changes: readonly LandedChange[]) => void): () => void;
  /** Hears each request. Returns the way to stop listening. */
  onRequest(listener: (request: RequestSeen, phase: RequestPhase) => void): () => void;
  /**
   * Resolves with the zone as soon as the condition holds: looked at now and after each landed change or edit.
   * Rejects after `timeoutMs` (default 30 s of real time, whatever the clock) or at close, and says what the zone holds.
   */
  until(
    zoneId: string,
    condition: (records: readonly ZoneRecord[]) => boolean,
    timeoutMs?: number,
  ): Promise<readonly ZoneRecord[]>;
  /** Faults wait in a queue; the first that matches a request takes it, before the throttle sees it. */
  fail(fault: Fault): void;
  clearFaults(): void;
  /** Takes effect at the next request. A new rate starts with a full bucket. */
  set(options: LiveOptions): void;
  /** Destroys open sockets. */
  close(): Promise<void>;
}

/**
 * Route 53 over HTTP on the loopback address, with the rules of `rules.ts`. A request is throttled on arrival, then
 * judged, and a change takes effect halfway through the latency; its zone is busy until the answer has left.
 */
export async function route53StandIn(options: Route53StandInOptions): Promise<Route53StandIn> {
  const { clock = systemClock, applyMs = 0, insyncAfterMs = 0 } = options;
  const live: Live & { aheadMs: number } = {
    latencyMs: options.latencyMs ?? 0,
    aheadMs: options.aheadMs ?? 0,
    takeRequest: tokenBucket(options.rate ?? { perSecond: 10, burst: 50 }, clock),
    takeChanges: tokenBucket(options.changeRate ?? "unlimited", clock),
  };
  const closing = (): AbortSignal => http.closing();
  const zones = hostedZones(options.zones, closing);
  const landed = listeners<[readonly LandedChange[]]>();
  const phases = listeners<[RequestSeen, RequestPhase]>();
  const log = requestLog<RequestSeen>();
  const faults = faultList<Fault>({ times: 1 });
  const api = route53Api({
    ...{ zones, live, clock, applyMs, insyncAfterMs, closing },
    landed: landed.tell,
  });
  const serving: Serving = { api, live, clock, faults, log, phase: phases.tell };
  const http = await httpStandIn({
    serve: (message, response) => serve(serving, message, response),
    at: { port: options.port ?? 0 },
  });

  return {
    url: http.url,
    requests: log.requests,
    records: (zoneId) => zones.named(zoneId).records,
    edit: zones.edit,
    seed: zones.seed,
    until: zones.until,
    onLanded: landed.add,
    onRequest: phases.add,
    fail: faults.add,
    clearFaults: faults.clear,
    set({ latencyMs = live.latencyMs, aheadMs = live.aheadMs, rate, changeRate }) {
      live.latencyMs = latencyMs;
      live.aheadMs = aheadMs;
      if (rate !== undefined) live.takeRequest = tokenBucket(rate, clock);
      if (changeRate !== undefined) live.takeChanges = tokenBucket(changeRate, clock);
    },
    close: http.close,
  };
}

interface Serving {
  readonly api: Route53Api;
  readonly live: { readonly latencyMs: number; readonly aheadMs: number };
  readonly clock: Clock;
  readonly faults: ReturnType<typeof faultList<Fault>>;
  readonly log: RequestLog<RequestSeen>;
  readonly phase: (request: RequestSeen, phase: RequestPhase) => void;
}

async function serve(
  { api, live, clock, faults, log, phase }: Serving,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await text(message);
  const route = routeOf(message);
  const { operation, id } = route;
  const parsed = operation === "ChangeResourceRecordSets" ? parseChangeRequest(body) : undefined;
  const arrived: RequestSeen = {
    at: clock.now(),
    operation,
    ...(id === undefined || operation === "GetChange" ? {} : { zoneId: id }),
    changes: parsed?.ok ? parsed.changes.length : 0,
    result: "pending",
  };
  log.note(arrived);
  const count = log.count();
  const resulted = (result: string): RequestSeen => {
    const request = { ...arrived, result };
    log.replace(arrived, request);
    return request;
  };
  const hangs = (result: "hang" | "hang-after"): void => {
    const request = resulted(result);
    response.once("close", () => phase(request, "given up"));
  };
  const resets = (result: "reset-before" | "reset-after"): void => {
    message.socket.resetAndDestroy();
    phase(resulted(result), "answered");
  };

  const fault = faults.next((one) => (one.operation ?? operation) === operation)?.kind;
  phase(arrived, "arrived");
  if (fault === "hang") return hangs(fault);
  if (fault === "reset-before") return resets(fault);
  const answer = async (): Promise<Reply> => {
    if (typeof fault === "object") {
      await api.wait(live.latencyMs);
      return refusal(fault.error, requestId(count));
    }
    const untimely = signatureProblem(message.headers["x-amz-date"], Date.now());
    return untimely === undefined
      ? await api.answer(route, parsed, count)
      : refusal(untimely, requestId(count));
  };
  const reply = await answer();
  reply.release?.();
  if (fault === "hang-after") return hangs(fault);
  if (fault === "reset-after") return resets(fault);
  phase(resulted(reply.result), "answered");
  response.writeHead(reply.status, {
    "content-type": "text/xml",
    "x-amzn-requestid": requestId(count),
    date: new Date(Date.now() + live.aheadMs).toUTCString(),
  });
  response.end(reply.body);
  return undefined;
}
