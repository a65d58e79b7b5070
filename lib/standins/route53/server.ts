import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type Clock, systemClock } from "../../kit/flow/clock.ts";
import { latest } from "../../kit/latest.ts";
import { MOST_REQUESTS } from "../faults.ts";
import {
  type Action,
  applyBatch,
  type Cursor,
  canonicalName,
  listPage,
  newZone,
  type RuleError,
  recordsOf,
  type ZoneRecord,
  type ZoneState,
} from "./rules.ts";
import {
  changedResponse,
  errorResponse,
  getChangeResponse,
  listResponse,
  parseChangeRequest,
  type ZoneFacts,
  zoneResponse,
  zonesByNameResponse,
  zonesResponse,
} from "./xml.ts";

/** A token bucket: `burst` at once, then `perSecond`. */
export type Rate = { readonly perSecond: number; readonly burst: number } | "unlimited";

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
  readonly zones: readonly {
    readonly id: string;
    readonly name: string;
    readonly privateZone?: boolean;
  }[];
  /** How long a zone stays busy with a change, beyond the request itself. Default 0. */
  readonly applyMs?: number;
  /** How long GetChange says PENDING. Default 0. */
  readonly insyncAfterMs?: number;
  readonly clock?: Clock;
  /** Default: any free port. */
  readonly port?: number;
}

export interface LandedChange {
  readonly zoneId: string;
  readonly action: Action;
  readonly record: ZoneRecord;
  readonly previous?: ZoneRecord;
  readonly requestId: string;
}

export interface RequestSeen {
  /** The clock's milliseconds. */
  readonly at: number;
  readonly operation:
    | "ChangeResourceRecordSets"
    | "ListResourceRecordSets"
    | "GetHostedZone"
    | "GetChange"
    | "ListHostedZones"
    | "ListHostedZonesByName"
    | "unknown";
  readonly zoneId?: string;
  /** How many changes it asks for. */
  readonly changes: number;
  /** "pending" until answered, then "ok", an error code, or the name of the fault that took it. */
  readonly result: string;
}

export interface Fault {
  /** Default: any. */
  readonly operation?: RequestSeen["operation"];
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

interface OutsideChange {
  readonly action: Action;
  readonly record: ZoneRecord;
}

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

interface Hosted {
  readonly id: string;
  readonly privateZone: boolean;
  state: ZoneState;
  records: readonly ZoneRecord[];
  /** Change requests between arrival and answer. */
  inFlight: number;
  /** The clock's milliseconds. */
  busyUntil: number;
}

interface Route {
  readonly operation: RequestSeen["operation"];
  readonly id?: string;
  readonly query: URLSearchParams;
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly result: string;
  /** Runs as the answer leaves. */
  readonly release?: () => void;
}

const throttled: RuleError = { status: 400, code: "Throttling", message: "Rate exceeded" };

const routeOf = (message: IncomingMessage): Route => {
  const url = URL.parse(`http://localhost${message.url}`) ?? new URL("http://localhost/");
  const [version, collection = "", id, leaf, ...rest] = url.pathname
    .replace(/^\//, "")
    .replace(/\/$/, "") // botocore ends the path with a slash [facts 6]
    .split("/");
  const shape = `${message.method} ${collection}${id === undefined ? "" : "/*"}${leaf === undefined ? "" : `/${leaf}`}`;
  const operations: Readonly<Record<string, RequestSeen["operation"]>> = {
    "POST hostedzone/*/rrset": "ChangeResourceRecordSets",
    "GET hostedzone/*/rrset": "ListResourceRecordSets",
    "GET hostedzone/*": "GetHostedZone",
    "GET change/*": "GetChange",
    "GET hostedzone": "ListHostedZones",
    "GET hostedzonesbyname": "ListHostedZonesByName",
  };
  const known = version === "2013-04-01" && rest.length === 0;
  return {
    operation: (known ? operations[shape] : undefined) ?? "unknown",
    ...(id === undefined ? {} : { id }),
    query: url.searchParams,
  };
};

/** A signature is good for so long before and after the time it names [DDNS]. */
const SIGNATURE_LIMIT_MS = 300_000;

/**
 * What is wrong with the time of a signature, the one thing of it that is looked at: how it fares when clocks differ.
 * [DDNS] https://github.com/crazy-max/ddns-route53/issues/40 for one that is late,
 * https://github.com/kubernetes-sigs/external-dns/issues/1626 for one that is early.
 */
const signatureProblem = (
  signedAt: string | readonly string[] | undefined,
  nowMs: number,
): RuleError | undefined => {
  // Whoever does not sign has no clock.
  if (typeof signedAt !== "string") return undefined;
  const basic = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");
  const signedMs = Date.parse(
    signedAt.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, "$1-$2-$3:$4:$5"),
  );
  const refused = (text: string) => ({ status: 403, code: "SignatureDoesNotMatch", message: text });
  const now = basic(nowMs);
  if (Number.isNaN(signedMs))
    return refused(`Date must be in ISO-8601 'basic format'. Got '${signedAt}'`); // wording ours
  if (signedMs < nowMs - SIGNATURE_LIMIT_MS) {
    const earliest = basic(nowMs - SIGNATURE_LIMIT_MS);
    return refused(
      `Signature expired: ${signedAt} is now earlier than ${earliest} (${now} - 5 min.)`,
    );
  }
  if (signedMs > nowMs + SIGNATURE_LIMIT_MS) {
    const latest = basic(nowMs + SIGNATURE_LIMIT_MS);
    return refused(
      `Signature not yet current: ${signedAt} is still later than ${latest} (${now} + 5 min.)`,
    );
  }
  return undefined;
};

/** True when taken. A single take above the burst passes on a full bucket and leaves it in debt. */
const tokenBucket = (rate: Rate, clock: Clock): ((count: number) => boolean) => {
  if (rate === "unlimited") return () => true;
  let tokens = rate.burst;
  let at = clock.now();
  return (count) => {
    const now = clock.now();
    tokens = Math.min(rate.burst, tokens + ((now - at) / 1000) * rate.perSecond);
    at = now;
    if (tokens < Math.min(count, rate.burst)) return false;
    tokens -= count;
    return true;
  };
};

/** Runs of records that no request limit refuses; what the zone's own rules say is another matter. */
const pieces = (records: readonly ZoneRecord[]): readonly ZoneRecord[][] => {
  const cut: ZoneRecord[][] = [];
  let values = Number.POSITIVE_INFINITY;
  let characters = 0;
  for (const record of records) {
    values += record.values.length;
    characters += record.values.join("").length;
    if (values > 1000 || characters > 32_000) {
      cut.push([]);
      values = record.values.length;
      characters = record.values.join("").length;
    }
    cut.at(-1)?.push(record);
  }
  return cut;
};

const listenerSet = <Heard extends readonly unknown[]>() => {
  const listeners = new Set<(...heard: Heard) => void>();
  return {
    add(listener: (...heard: Heard) => void): () => void {
      const own = (...heard: Heard): void => listener(...heard);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    tell(...heard: Heard): void {
      for (const listener of [...listeners]) listener(...heard);
    },
  };
};

/**
 * Route 53 over HTTP on the loopback address, with the rules of `route53-rules.ts`. A request is throttled on arrival,
 * then judged, and a change takes effect halfway through the latency; its zone is busy until the answer has left.
 */
export const route53StandIn = async (options: Route53StandInOptions): Promise<Route53StandIn> => {
  const clock = options.clock ?? systemClock;
  const { applyMs = 0, insyncAfterMs = 0 } = options;
  let latencyMs = options.latencyMs ?? 0;
  let aheadMs = options.aheadMs ?? 0;
  let takeRequest = tokenBucket(options.rate ?? { perSecond: 10, burst: 50 }, clock);
  let takeChanges = tokenBucket(options.changeRate ?? "unlimited", clock);

  const zones = new Map<string, Hosted>();
  for (const { id, name, privateZone = false } of options.zones) {
    const state = newZone(id, name);
    const records = recordsOf(state);
    zones.set(id, { id, privateZone, state, records, inFlight: 0, busyUntil: 0 });
  }
  /** When each change took effect, by change id. */
  const changedAt = new Map<string, number>();
  const requests = latest<RequestSeen>(MOST_REQUESTS);
  const faults: { fault: Fault; left: number }[] = [];
  const landed = listenerSet<[readonly LandedChange[]]>();
  const seen = listenerSet<[RequestSeen, RequestPhase]>();
  const moved = listenerSet<[Hosted]>();
  const closing = new AbortController();

  const hostedAs = (zoneId: string): Hosted => {
    const hosted = zones.get(zoneId);
    if (hosted === undefined)
      throw new Error(`expected one of ${[...zones.keys()].join(", ")}, got ${zoneId}`);
    return hosted;
  };
  const move = (hosted: Hosted, state: ZoneState): void => {
    hosted.state = state;
    hosted.records = recordsOf(state);
  };
  const wait = async (ms: number): Promise<void> => {
    if (ms > 0) await clock.sleep(ms, closing.signal);
  };
  const requestIdOf = (index: number): string =>
    `00000000-0000-4000-8000-${String(index + 1).padStart(12, "0")}`;
  const factsOf = ({ id, privateZone, state, records }: Hosted): ZoneFacts => ({
    id,
    name: state.name,
    privateZone,
    recordCount: records.length,
    nameServers: records.find((r) => r.type === "NS" && r.name === state.name)?.values ?? [],
  });
  const changeInfo = (id: string, at: number) => ({
    id,
    status: clock.now() < at + insyncAfterMs ? ("PENDING" as const) : ("INSYNC" as const),
    submittedAt: new Date(performance.timeOrigin + at).toISOString(),
  });

  const ok = (body: string): Reply => ({ status: 200, body, result: "ok" });
  const refusal = (error: RuleError, requestId: string): Reply => ({
    status: error.status,
    body: errorResponse(error, requestId),
    result: error.code,
  });

  const change = async (
    hosted: Hosted,
    parsed: ReturnType<typeof parseChangeRequest>,
    index: number,
  ): Promise<Reply> => {
    const requestId = requestIdOf(index);
    // [DG:DNSLimitations]; wording ours.
    if (hosted.inFlight > 0 || clock.now() < hosted.busyUntil) {
      const message = `The request was rejected because Route 53 was still processing a prior request for ${hosted.id}.`;
      await wait(latencyMs);
      return refusal({ status: 400, code: "PriorRequestNotComplete", message }, requestId);
    }
    hosted.inFlight += 1;
    const release = (): void => {
      hosted.inFlight -= 1;
    };
    await wait(latencyMs / 2);
    const outcome = parsed.ok ? applyBatch(hosted.state, parsed.changes) : parsed;
    if (!outcome.ok) {
      await wait(latencyMs / 2);
      return { ...refusal(outcome.error, requestId), release };
    }
    const now = clock.now();
    const id = `C${String(index + 1).padStart(13, "0")}`;
    move(hosted, outcome.zone);
    hosted.busyUntil = now + applyMs;
    changedAt.set(id, now);
    landed.tell(outcome.applied.map((one) => ({ zoneId: hosted.id, requestId, ...one })));
    moved.tell(hosted);
    await wait(latencyMs / 2);
    // A change is always PENDING in its own answer [SDK d.ts].
    return { ...ok(changedResponse({ ...changeInfo(id, now), status: "PENDING" })), release };
  };

  const list = (hosted: Hosted, query: URLSearchParams, requestId: string): Reply => {
    const cursor: Cursor = Object.fromEntries(
      (["name", "type", "identifier"] as const).flatMap((key) => {
        const value = query.get(key);
        return value === null ? [] : [[key, value]];
      }),
    );
    const maxItems = query.get("maxitems");
    const listed = listPage(hosted.state, cursor, maxItems === null ? undefined : Number(maxItems));
    return listed.ok ? ok(listResponse(listed.page)) : refusal(listed.error, requestId);
  };

  const zonesByName = (query: URLSearchParams): Reply => {
    const reversed = (name: string): string => name.split(".").toReversed().join(".");
    const startName = query.get("dnsname") ?? undefined;
    const startId = query.get("hostedzoneid") ?? undefined;
    const named = canonicalName(startName ?? "");
    const start = "name" in named ? `${reversed(named.name)} ${startId ?? ""}` : "";
    const maxItems = Math.min(100, Math.max(1, Number(query.get("maxitems") ?? 100) || 100));
    const after = [...zones.values()]
      .map((hosted) => ({ hosted, order: `${reversed(hosted.state.name)} ${hosted.id}` }))
      .filter(({ order }) => order >= start)
      .toSorted((a, b) => (a.order < b.order ? -1 : 1))
      .map(({ hosted }) => factsOf(hosted));
    return ok(
      zonesByNameResponse({
        zones: after.slice(0, maxItems),
        next: after[maxItems],
        maxItems,
        startName,
        startId,
      }),
    );
  };

  /** In pages of at most 100, each of which begins where the marker of the one before says [API:ListHostedZones]. */
  const allZones = (query: URLSearchParams): Reply => {
    const all = [...zones.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(factsOf);
    const marker = query.get("marker") ?? undefined;
    const maxItems = Math.min(100, Math.max(1, Number(query.get("maxitems") ?? 100) || 100));
    const after = all.filter(({ id }) => marker === undefined || id >= marker);
    const [page, next] = [after.slice(0, maxItems), after[maxItems]];
    return ok(zonesResponse({ zones: page, marker, next, maxItems }));
  };

  const answer = async (
    { operation, id = "", query }: Route,
    parsed: ReturnType<typeof parseChangeRequest> | undefined,
    index: number,
  ): Promise<Reply> => {
    const requestId = requestIdOf(index);
    const asked = parsed?.ok ? parsed.changes.length : 0;
    if (!takeRequest(1) || (asked > 0 && !takeChanges(asked))) {
      await wait(latencyMs);
      return refusal(throttled, requestId);
    }
    const hosted = zones.get(id);
    if (parsed !== undefined && hosted !== undefined) return await change(hosted, parsed, index);
    await wait(latencyMs);
    switch (operation) {
      case "ListHostedZones":
        return allZones(query);
      case "ListHostedZonesByName":
        return zonesByName(query);
      case "GetChange": {
        const at = changedAt.get(id);
        const message = `Could not find resource with ID: ${id}`; // wording ours
        return at === undefined
          ? refusal({ status: 404, code: "NoSuchChange", message }, requestId)
          : ok(getChangeResponse(changeInfo(id, at)));
      }
      case "unknown": {
        const message = "The stand-in does not know this method and path"; // wording ours
        return refusal({ status: 404, code: "UnknownOperation", message }, requestId);
      }
      case "ChangeResourceRecordSets":
      case "ListResourceRecordSets":
      case "GetHostedZone":
        if (hosted === undefined) {
          const message = `No hosted zone found with ID: ${id}`; // [EXP t1]
          return refusal({ status: 404, code: "NoSuchHostedZone", message }, requestId);
        }
        return operation === "GetHostedZone"
          ? ok(zoneResponse(factsOf(hosted)))
          : list(hosted, query, requestId);
    }
  };

  const takeFault = (operation: RequestSeen["operation"]): Fault["kind"] | undefined => {
    const at = faults.findIndex(({ fault }) => (fault.operation ?? operation) === operation);
    const found = faults[at];
    if (found === undefined) return undefined;
    found.left -= 1;
    if (found.left <= 0) faults.splice(at, 1);
    return found.fault.kind;
  };

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
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
    requests.add(arrived);
    const index = requests.count() - 1;
    const concluded = (result: string): void => {
      const request = { ...arrived, result };
      requests.replace(arrived, request);
      seen.tell(request, "answered");
    };
    const hangs = (result: "hang" | "hang-after"): void => {
      const request = { ...arrived, result };
      requests.replace(arrived, request);
      response.once("close", () => seen.tell(request, "given up"));
    };
    const fault = takeFault(operation);
    seen.tell(arrived, "arrived");
    if (fault === "hang") return hangs(fault);
    if (fault === "reset-before") {
      message.socket.resetAndDestroy();
      return concluded("reset-before");
    }
    let reply: Reply;
    if (typeof fault === "object") {
      await wait(latencyMs);
      reply = refusal(fault.error, requestIdOf(index));
    } else {
      const untimely = signatureProblem(message.headers["x-amz-date"], Date.now());
      reply =
        untimely === undefined
          ? await answer(route, parsed, index)
          : refusal(untimely, requestIdOf(index));
    }
    reply.release?.();
    if (fault === "hang-after") return hangs(fault);
    if (fault === "reset-after") {
      message.socket.resetAndDestroy();
      return concluded("reset-after");
    }
    concluded(reply.result);
    response.writeHead(reply.status, {
      "content-type": "text/xml",
      "x-amzn-requestid": requestIdOf(index),
      date: new Date(Date.now() + aheadMs).toUTCString(),
    });
    response.end(reply.body);
  };

  const server = createServer((message, response) => {
    serve(message, response).catch((error: unknown) => {
      // The client is gone or we are closing; anything else is a defect here and must be seen.
      if (message.socket.destroyed || closing.signal.aborted) return response.destroy();
      response.writeHead(500).end(String(error));
      return undefined;
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;

  const edit = (zoneId: string, changes: readonly OutsideChange[]): void => {
    const hosted = hostedAs(zoneId);
    const outcome = applyBatch(hosted.state, changes);
    if (!outcome.ok) throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
    move(hosted, outcome.zone);
    moved.tell(hosted);
  };

  return {
    url: `http://127.0.0.1:${port}`,
    requests: requests.items,
    records: (zoneId) => hostedAs(zoneId).records,
    edit,
    seed(zoneId, records) {
      const hosted = hostedAs(zoneId);
      let state = hosted.state;
      for (const piece of pieces(records)) {
        const outcome = applyBatch(
          state,
          piece.map((record) => ({ action: "CREATE", record })),
        );
        if (!outcome.ok) throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
        state = outcome.zone;
      }
      move(hosted, state);
      moved.tell(hosted);
    },
    onLanded: (listener) => landed.add(listener),
    onRequest: (listener) => seen.add(listener),
    async until(zoneId, condition, timeoutMs = 90_000) {
      const hosted = hostedAs(zoneId);
      const { promise, resolve, reject } = Promise.withResolvers<readonly ZoneRecord[]>();
      const look = (): void => {
        try {
          if (condition(hosted.records)) resolve(hosted.records);
        } catch (error) {
          reject(error);
        }
      };
      const giveUp = (why: string) => (): void => {
        const held = hosted.records.map((record) => JSON.stringify(record)).join("\n");
        reject(new Error(`${why} while waiting for zone ${zoneId}, which holds:\n${held}`));
      };
      const stop = moved.add((one) => {
        if (one === hosted) look();
      });
      const closed = giveUp("the stand-in closed");
      const timer = setTimeout(giveUp(`${timeoutMs} ms passed`), timeoutMs);
      closing.signal.addEventListener("abort", closed);
      try {
        look();
        return await promise;
      } finally {
        stop();
        clearTimeout(timer);
        closing.signal.removeEventListener("abort", closed);
      }
    },
    fail(fault) {
      faults.push({ fault, left: fault.times ?? 1 });
    },
    clearFaults() {
      faults.length = 0;
    },
    set(live) {
      latencyMs = live.latencyMs ?? latencyMs;
      aheadMs = live.aheadMs ?? aheadMs;
      if (live.rate !== undefined) takeRequest = tokenBucket(live.rate, clock);
      if (live.changeRate !== undefined) takeChanges = tokenBucket(live.changeRate, clock);
    },
    async close() {
      closing.abort(new Error("the stand-in closed"));
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
};
