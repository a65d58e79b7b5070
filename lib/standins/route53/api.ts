import type { IncomingMessage } from "node:http";
import type { Clock } from "../../kit/flow/clock.ts";
import { requestId } from "../http-stand-in.ts";
import { MOST_REQUESTS } from "../request-log.ts";
import { factsOf, type Hosted, type HostedZones } from "./hosted-zones.ts";
import { type Cursor, listPage } from "./list.ts";
import { canonicalName } from "./names.ts";
import type { RuleError } from "./refusals.ts";
import { applyBatch } from "./rules.ts";
import {
  changedResponse,
  errorResponse,
  getChangeResponse,
  listResponse,
  type parseChangeRequest,
  zoneResponse,
  zonesByNameResponse,
  zonesResponse,
} from "./xml.ts";
import type { Action, ZoneRecord } from "./zone.ts";

export type Operation =
  | "ChangeResourceRecordSets"
  | "ListResourceRecordSets"
  | "GetHostedZone"
  | "GetChange"
  | "ListHostedZones"
  | "ListHostedZonesByName"
  | "unknown";

export interface Route {
  readonly operation: Operation;
  readonly id?: string;
  readonly query: URLSearchParams;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly result: string;
  /** Runs as the answer leaves. */
  readonly release?: () => void;
}

export interface LandedChange {
  readonly zoneId: string;
  readonly action: Action;
  readonly record: ZoneRecord;
  readonly previous?: ZoneRecord;
  readonly requestId: string;
}

/** What the account can do at the moment; a test changes it while requests come. */
export interface Live {
  latencyMs: number;
  /** True when the request, or so many changes, may pass. */
  takeRequest: (count: number) => boolean;
  takeChanges: (count: number) => boolean;
}

export interface ApiOptions {
  readonly zones: HostedZones;
  readonly live: Live;
  readonly clock: Clock;
  readonly applyMs: number;
  readonly insyncAfterMs: number;
  readonly closing: () => AbortSignal;
  readonly landed: (changes: readonly LandedChange[]) => void;
}

type ParsedChanges = ReturnType<typeof parseChangeRequest>;

const throttled: RuleError = { status: 400, code: "Throttling", message: "Rate exceeded" };

/** What a request asks for, by its method and path. */
export const routeOf = (message: IncomingMessage): Route => {
  const url = URL.parse(`http://localhost${message.url}`) ?? new URL("http://localhost/");
  const [version, collection = "", id, leaf, ...rest] = url.pathname
    .replace(/^\//, "")
    .replace(/\/$/, "") // botocore ends the path with a slash [facts 6]
    .split("/");
  const shape = `${message.method} ${collection}${id === undefined ? "" : "/*"}${leaf === undefined ? "" : `/${leaf}`}`;
  const operations: Readonly<Record<string, Operation>> = {
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

const ok = (body: string): Reply => ({ status: 200, body, result: "ok" });

export const refusal = (error: RuleError, requestIdentity: string): Reply => ({
  status: error.status,
  body: errorResponse(error, requestIdentity),
  result: error.code,
});

/** What one request is judged with. */
interface Account extends ApiOptions {
  /** When each change took effect, by change id: as many as there are requests remembered. */
  readonly changedAt: Map<string, number>;
  wait(ms: number): Promise<void>;
}

/** How the account answers, request by request: throttled on arrival, then judged. */
export interface Route53Api {
  /** `count` is the request's number, from 1 on; `parsed` is its body where it asks for changes. */
  answer(route: Route, parsed: ParsedChanges | undefined, count: number): Promise<Reply>;
  /** Rejects when the stand-in closes. */
  wait(ms: number): Promise<void>;
}

export function route53Api(options: ApiOptions): Route53Api {
  const { zones, live, clock, closing } = options;
  const account: Account = {
    ...options,
    changedAt: new Map(),
    async wait(ms) {
      if (ms > 0) await clock.sleep(ms, closing());
    },
  };
  return {
    wait: account.wait,
    async answer(route, parsed, count) {
      const asked = parsed?.ok ? parsed.changes.length : 0;
      if (!live.takeRequest(1) || (asked > 0 && !live.takeChanges(asked))) {
        await account.wait(live.latencyMs);
        return refusal(throttled, requestId(count));
      }
      const hosted = zones.all.get(route.id ?? "");
      if (parsed !== undefined && hosted !== undefined) {
        return await change(account, hosted, parsed, count);
      }
      await account.wait(live.latencyMs);
      return read(account, route, hosted, requestId(count));
    },
  };
}

/** A change takes effect halfway through the latency; its zone is busy until the answer has left. */
async function change(
  { live, clock, applyMs, zones, landed, wait, changedAt, insyncAfterMs }: Account,
  hosted: Hosted,
  parsed: ParsedChanges,
  count: number,
): Promise<Reply> {
  const requestIdentity = requestId(count);
  // [DG:DNSLimitations]; wording ours.
  if (hosted.inFlight > 0 || clock.now() < hosted.busyUntil) {
    const message = `The request was rejected because Route 53 was still processing a prior request for ${hosted.id}.`;
    await wait(live.latencyMs);
    return refusal({ status: 400, code: "PriorRequestNotComplete", message }, requestIdentity);
  }
  hosted.inFlight += 1;
  const release = (): void => {
    hosted.inFlight -= 1;
  };
  await wait(live.latencyMs / 2);
  const outcome = parsed.ok ? applyBatch(hosted.state, parsed.changes) : parsed;
  if (!outcome.ok) {
    await wait(live.latencyMs / 2);
    return { ...refusal(outcome.error, requestIdentity), release };
  }
  const now = clock.now();
  const id = `C${String(count).padStart(13, "0")}`;
  hosted.busyUntil = now + applyMs;
  changedAt.set(id, now);
  for (const oldest of changedAt.keys()) {
    if (changedAt.size <= MOST_REQUESTS) break;
    changedAt.delete(oldest);
  }
  zones.move(hosted, outcome.zone, () =>
    landed(
      outcome.applied.map((one) => ({ zoneId: hosted.id, requestId: requestIdentity, ...one })),
    ),
  );
  await wait(live.latencyMs / 2);
  // A change is always PENDING in its own answer [SDK d.ts].
  const info = changeInfo(id, now, clock.now(), insyncAfterMs);
  return { ...ok(changedResponse({ ...info, status: "PENDING" })), release };
}

/** The answer to a request that changes nothing, or that names no zone of the account. */
function read(
  { zones, changedAt, clock, insyncAfterMs }: Account,
  { operation, id = "", query }: Route,
  hosted: Hosted | undefined,
  requestIdentity: string,
): Reply {
  switch (operation) {
    case "ListHostedZones":
      return allZones(zones, query);
    case "ListHostedZonesByName":
      return zonesByName(zones, query);
    case "GetChange": {
      const at = changedAt.get(id);
      const message = `Could not find resource with ID: ${id}`; // wording ours
      return at === undefined
        ? refusal({ status: 404, code: "NoSuchChange", message }, requestIdentity)
        : ok(getChangeResponse(changeInfo(id, at, clock.now(), insyncAfterMs)));
    }
    case "unknown": {
      const message = "The stand-in does not know this method and path"; // wording ours
      return refusal({ status: 404, code: "UnknownOperation", message }, requestIdentity);
    }
    case "ChangeResourceRecordSets":
    case "ListResourceRecordSets":
    case "GetHostedZone":
      if (hosted === undefined) {
        const message = `No hosted zone found with ID: ${id}`; // [EXP t1]
        return refusal({ status: 404, code: "NoSuchHostedZone", message }, requestIdentity);
      }
      return operation === "GetHostedZone"
        ? ok(zoneResponse(factsOf(hosted)))
        : list(hosted, query, requestIdentity);
  }
}

const changeInfo = (id: string, at: number, now: number, insyncAfterMs: number) => ({
  id,
  status: now < at + insyncAfterMs ? ("PENDING" as const) : ("INSYNC" as const),
  submittedAt: new Date(performance.timeOrigin + at).toISOString(),
});

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

const zonesByName = (zones: HostedZones, query: URLSearchParams): Reply => {
  const reversed = (name: string): string => name.split(".").toReversed().join(".");
  const startName = query.get("dnsname") ?? undefined;
  const startId = query.get("hostedzoneid") ?? undefined;
  const named = canonicalName(startName ?? "");
  const start = "name" in named ? `${reversed(named.name)} ${startId ?? ""}` : "";
  const maxItems = Math.min(100, Math.max(1, Number(query.get("maxitems") ?? 100) || 100));
  const after = [...zones.all.values()]
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
const allZones = (zones: HostedZones, query: URLSearchParams): Reply => {
  const all = [...zones.all.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(factsOf);
  const marker = query.get("marker") ?? undefined;
  const maxItems = Math.min(100, Math.max(1, Number(query.get("maxitems") ?? 100) || 100));
  const after = all.filter(({ id }) => marker === undefined || id >= marker);
  const [page, next] = [after.slice(0, maxItems), after[maxItems]];
  return ok(zonesResponse({ zones: page, marker, next, maxItems }));
};
