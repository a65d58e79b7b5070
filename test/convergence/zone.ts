import type { InstanceId } from "../../lib/ecs/arn.ts";
import { Fatal, Unavailable } from "../../lib/kit/failure.ts";
import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
import type { HostedZone } from "../../lib/route53/io/zone.ts";
import { isOwn, isStrange, type Whose } from "../../lib/route53/own-record.ts";
import { type Step, stepsOf } from "../../lib/route53/plan.ts";
import { type RecordSet, recordTypes } from "../../lib/route53/record-set.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import {
  type AppliedChange,
  applyBatch,
  type ChangeInput,
  listPage,
  newZone,
  recordsOf,
  type ZoneRecord,
  type ZoneState,
} from "../../lib/standins/route53/rules.ts";
import type { Faults, WindowKind } from "./faults.ts";
import type { Tally } from "./tally.ts";

/** What an agent's request did to the zone. */
export interface Landed {
  readonly host: number;
  /** When the agent handed the request over. */
  readonly askedAtMs: number;
  readonly applied: readonly AppliedChange[];
}

/** The process behind a request: for how long it has been dead, 0 while it lives. */
export interface Life {
  deadForMs(): number;
  readonly dead: AbortSignal;
}

/** One account with one hosted zone, by Route 53's rules, in memory. */
export interface Zone {
  /** The zone as one life of a host's agent reaches it. */
  as(host: number, life: Life): HostedZone;
  /** By hand, past all agents; false when Route 53's rules refuse it. */
  edit(changes: readonly ChangeInput[]): boolean;
  /** Puts records in place before anything begins. */
  fill(records: readonly ZoneRecord[]): void;
  records(): readonly ZoneRecord[];
  /** Batches that agents sent, whatever became of them. */
  readonly sent: () => number;
}

/** What the client of lib/route53/io/zone.ts is set to: so many tries, so long until the headers, so long in all. */
const ATTEMPTS = 5;
const HEADERS_MS = 10_000;
const WHOLE_MS = 15_000;
/** What a killed process had under way arrives within this time or never; no restart is faster. */
const UNDER_WAY_MS = 100;
/** The zone is busy for so long with one change; another one that comes then is turned away. */
const BUSY_MS = 30;

/** What one try came to; the SDK repeats at once what was lost for a broken connection, and nothing else. */
type Outcome<T> = { readonly ok: T } | { readonly lost: string; readonly isRepeated: boolean };

const broken = (lost: string) => ({ lost, isRepeated: true });
const silent = (lost: string) => ({ lost, isRepeated: false });

export function zone({
  zoneName,
  clock,
  random,
  faults,
  tally,
  landed,
}: {
  readonly zoneName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly tally: Tally;
  readonly landed: (what: Landed) => void;
}): Zone {
  let state = newZone("Z1", zoneName);
  let busyUntilMs = Number.NEGATIVE_INFINITY;
  let sent = 0;

  /** One try of the SDK's: there, something done or not, and back. */
  const attempt = async <T>(
    host: number,
    operation: string,
    attempts: number,
    act: () => T,
  ): Promise<Outcome<T>> => {
    await clock.sleep(5 + random() * 30);
    const fault = faults.befall(REQUEST_FAULTS, host);
    switch (fault) {
      case "route 53: throttled":
        throw new Unavailable("Route 53", `did not take ${operation}`, {
          cause: "Throttling: Rate exceeded",
          mayHaveLanded: attempts > 1,
          demand: "fewer",
        });
      case "route 53: denied":
        throw new Fatal(`Route 53 denied ${operation} on zone Z1`);
      case "route 53: unreachable":
        return broken("ECONNREFUSED");
      case "route 53: 5xx":
        return broken("503");
      case "route 53: reset before the change":
        return broken("ECONNRESET");
      case "route 53: a proxy's page":
        return silent("an answer that is not AWS's own");
      case "route 53: hangs before the change":
        await clock.sleep(HEADERS_MS);
        return silent("TimeoutError");
      case "route 53: half-open before the change":
        await clock.sleep(WHOLE_MS);
        return silent("TimeoutError");
      case "route 53: 5xx, yet applied":
      case "route 53: reset after the change":
      case "route 53: answer cut in its body":
        act();
        return broken("ECONNRESET");
      case "route 53: hangs after the change":
        await clock.sleep(HEADERS_MS / 2);
        act();
        await clock.sleep(HEADERS_MS / 2);
        return silent("TimeoutError");
      case "route 53: half-open after the change":
        act();
        await clock.sleep(WHOLE_MS);
        return silent("TimeoutError");
      case undefined: {
        const ok = act();
        await clock.sleep(5 + random() * 30);
        return { ok };
      }
    }
  };

  /** As the SDK does: what is transient goes again at once. */
  const request = async <T>(
    host: number,
    life: Life,
    operation: string,
    act: (n: number) => T,
  ): Promise<T> => {
    for (let n = 1; ; n += 1) {
      const outcome = await attempt(host, operation, n, () => act(n));
      if ("ok" in outcome) return outcome.ok;
      if (n === ATTEMPTS || !outcome.isRepeated || life.deadForMs() > 0) {
        throw new Unavailable("Route 53", `did not take ${operation}`, { cause: outcome.lost });
      }
      await clock.sleep(random() * 50 * 2 ** n);
    }
  };

  const ownAmong = (owner: Whose, records: readonly ZoneRecord[]): readonly RecordSet[] =>
    records.flatMap(({ name, type, ttlSeconds, values, setIdentifier = "", weight, ...rest }) => {
      const known = recordTypes.find((one) => one === type);
      if (known === undefined || (weight === undefined && rest.multiValueAnswer !== true))
        return [];
      const own = { name: plain(name), type: known, setIdentifier, ttlSeconds, values };
      if (!isOwn(own, zoneName, owner)) return [];
      return [{ ...own, ...(weight !== undefined && { weight }) }];
    });

  return {
    records: () => recordsOf(state),
    sent: () => sent,
    fill(records) {
      state = filled(zoneName, records);
    },
    edit(changes) {
      const result = applyBatch(state, changes);
      if (result.ok) state = result.zone;
      return result.ok;
    },
    as: (host, life) => ({
      close() {},
      facts: () =>
        request(host, life, "GetHostedZone", () => ({
          name: plain(state.name),
          size: state.entries.length,
        })),
      as: (owner, name) => ({
        group: (wanted) =>
          request(host, life, "ListResourceRecordSets", () => {
            const here = recordsOf(state).filter((one) => plain(one.name) === wanted);
            const own = ownAmong(owner, here);
            const isMine = ({ type, setIdentifier }: ZoneRecord) =>
              own.some((one) => one.type === type && one.setIdentifier === setIdentifier);
            const types = recordTypes.map((type) => {
              const ofType = here.filter((one) => one.type === type);
              const other = ofType.find((one) => one.weight !== undefined && !isMine(one));
              const ttl = other !== undefined && { othersTtlSeconds: other.ttlSeconds };
              return [type, { size: ofType.length, ...ttl }] as const;
            });
            return { name: wanted, own, types: new Map(types), instances: instancesAmong(here) };
          }),
        page: (cursor) =>
          request(host, life, "ListResourceRecordSets", () => {
            const start = {
              ...(cursor?.StartRecordName !== undefined && { name: cursor.StartRecordName }),
              ...(cursor?.StartRecordType !== undefined && { type: cursor.StartRecordType }),
              ...(cursor?.StartRecordIdentifier !== undefined && {
                identifier: cursor.StartRecordIdentifier,
              }),
            };
            const listed = listPage(state, start);
            if (!listed.ok) throw new Error(listed.error.message);
            const { records, next } = listed.page;
            return {
              own: ownAmong(owner, records),
              strange: records
                .map(({ name: absolute, type, setIdentifier = "" }) => ({
                  name: plain(absolute),
                  type,
                  setIdentifier,
                }))
                .filter((record) => isStrange(record, zoneName)),
              instances: instancesAmong(records),
              ...(next !== undefined && {
                next: {
                  StartRecordName: next.name,
                  StartRecordType: next.type as "A" | undefined,
                  StartRecordIdentifier: next.identifier,
                },
              }),
            };
          }),
        async submit(batch) {
          if (name !== zoneName) throw new Error(`expected the zone ${zoneName}, got ${name}`);
          sent += 1;
          const askedAtMs = clock.now();
          const steps = stepsOf(batch).map(inZone);
          return request(host, life, "ChangeResourceRecordSets", (n) => {
            const deadForMs = life.deadForMs();
            if (deadForMs > UNDER_WAY_MS || (deadForMs > 0 && random() < 0.5)) {
              return { kind: "accepted" } as const; // To nobody.
            }
            const isBusy = clock.now() < busyUntilMs;
            const forced = faults.befall(["route 53: zone busy"], host);
            if (isBusy || forced !== undefined) {
              if (forced === undefined)
                tally.count("route 53: zone busy with another host's change");
              throw new Unavailable("Route 53", "did not take ChangeResourceRecordSets", {
                cause: "PriorRequestNotComplete",
                mayHaveLanded: n > 1,
                demand: "later",
              });
            }
            const refused = (message: string) =>
              ({ kind: "refused", message, ...(n > 1 && { mayHaveLanded: true }) }) as const;
            const wilful = wilfulRefusal(host, steps);
            if (wilful !== undefined) return refused(wilful);
            const result = applyBatch(state, steps);
            if (result.ok) {
              state = result.zone;
              busyUntilMs = clock.now() + BUSY_MS;
              landed({ host, askedAtMs, applied: result.applied });
              return { kind: "accepted" } as const;
            }
            const { message } = result.error;
            for (const kind of kindsOf(message)) tally.count(`refused: ${kind}`);
            const isOld = faults.befall(["route 53: refused in the old wire format"], host);
            if (isOld === undefined) return refused(message);
            const error = { name: "Unknown", Messages: { Message: message.slice(1, -1) } };
            return refused(JSON.stringify(error));
          });
        },
      }),
    }),
  };

  /** Route 53 refuses some record sets for a reason that nobody has written down. */
  function wilfulRefusal(host: number, steps: readonly ChangeInput[]): string | undefined {
    const [bad] = steps.filter(({ action, record }) => action !== "DELETE" && isRefusable(record));
    if (bad === undefined) return undefined;
    const { name = "", type = "", setIdentifier = "" } = bad.record;
    switch (
      faults.befall(
        ["route 53: refused in unknown words", "route 53: refused with a name in unknown words"],
        host,
      )
    ) {
      case "route 53: refused in unknown words":
        return "[Nobody has read this before]";
      case "route 53: refused with a name in unknown words":
        return `[RRSet with DNS name ${name}, type ${type}, SetIdentifier ${setIdentifier} is protected: keep out.]`;
      case undefined:
        return undefined;
    }
  }
}

/** Those that are refused in words that nobody knows, while it does so. */
export const isRefusable = (record: { readonly setIdentifier?: string | undefined }): boolean =>
  record.setIdentifier?.endsWith("1") === true;

const REQUEST_FAULTS = [
  "route 53: throttled",
  "route 53: 5xx",
  "route 53: 5xx, yet applied",
  "route 53: reset before the change",
  "route 53: reset after the change",
  "route 53: answer cut in its body",
  "route 53: half-open before the change",
  "route 53: half-open after the change",
  "route 53: a proxy's page",
  "route 53: hangs before the change",
  "route 53: hangs after the change",
  "route 53: unreachable",
  "route 53: denied",
] as const satisfies readonly WindowKind[];

/** The reasons that Route 53's rules have against what these agents send. */
const REASONS = {
  "it was not found": "deletes what is not there",
  "do not match the current values": "deletes what is there with other values",
  "must contain the same TTL": "another TTL",
  "Exceeded limit on number of": "the name is full",
  "conflicting RRSet of type CNAME": "a CNAME in the way",
  "a non-weighted set exists": "a simple record in the way",
  "a non multivalue answer rrset exists": "another routing in the way",
  "already exists": "creates what is there",
} as const;

const kindsOf = (message: string): readonly string[] => {
  const kinds = Object.entries(REASONS).flatMap(([text, kind]) =>
    message.includes(text) ? kind : [],
  );
  return kinds.length > 0 ? kinds : [`otherwise: ${message}`];
};

/** Filling a zone takes longer than most runs in it, and each run begins with one of a few. */
const fillings = new Map<string, ZoneState>();

function filled(zoneName: string, records: readonly ZoneRecord[]): ZoneState {
  const key = JSON.stringify(records);
  const known = fillings.get(key);
  if (known !== undefined) return known;
  let state = newZone("Z1", zoneName);
  for (let from = 0; from < records.length; from += 400) {
    const piece = records.slice(from, from + 400);
    const result = applyBatch(
      state,
      piece.map((record) => ({ action: "UPSERT", record })),
    );
    if (!result.ok) throw new Error(result.error.message);
    state = result.zone;
  }
  fillings.set(key, state);
  return state;
}

const plain = (name: string): string => name.replace(/\.$/, "");

/** A change in Route 53's own form. */
const inZone = ({ action, record: { weight, ...record } }: Step): ChangeInput => ({
  action,
  record: {
    ...record,
    name: `${record.name}.`,
    ...(weight === undefined ? { multiValueAnswer: true } : { weight }),
  },
});

const instancesAmong = (records: readonly ZoneRecord[]): readonly InstanceId[] => [
  ...new Set(
    records.flatMap(({ setIdentifier = "" }) => parseSetIdentifier(setIdentifier)?.instance ?? []),
  ),
];
