import type { InstanceId } from "../../../lib/ecs/arn.ts";
import type { WriterZone } from "../../../lib/fleet/flow/fleet-writer.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import type { Clock } from "../../../lib/kit/flow/clock.ts";
import type { Submission } from "../../../lib/route53/flow/zone-writer.ts";
import type { OwnedZone } from "../../../lib/route53/io/zone.ts";
import type { Whose } from "../../../lib/route53/own-record.ts";
import { type Change, type Step, stepsOf } from "../../../lib/route53/plan.ts";
import type { RecordSet } from "../../../lib/route53/record-set.ts";
import { parseSetIdentifier } from "../../../lib/route53/set-identifier.ts";
import {
  applyBatch,
  listPage,
  newZone,
  recordsOf,
  type ZoneRecord,
  type ZoneState,
} from "../../../lib/standins/route53/rules.ts";

interface VirtualRoute53Options {
  readonly zoneName: string;
  readonly clock: Clock;
  /** There and back. */
  readonly latencyMs: number;
  /** How long the zone is busy with a change: another one that arrives then is turned away, as Route 53 does. */
  readonly applyMs: number;
  /** Requests of the account. */
  readonly rate: { readonly perSecond: number; readonly burst: number } | "unlimited";
  /**
   * Holds each name in a state of its own. Without it the zone takes 10,000 record sets, an account's default, and each
   * change costs time with its size; with it there are no pages.
   */
  readonly namesApart?: boolean;
  /** What Route 53 says of a refused batch, instead of the rules' own words. */
  readonly refusalWords?: string;
}

/** How a request was answered. */
type Answer = "ok" | "refused" | "throttled" | "zone busy";

type Judged<T> =
  | { readonly answer: "ok" | "refused"; readonly result: T }
  | { readonly answer: "throttled" | "zone busy" };

export interface Counts {
  readonly changes: Record<Answer, number>;
  readonly reads: Record<Answer, number>;
}

/** One account with one hosted zone, in memory and in the clock's time. */
export interface VirtualRoute53 {
  /** The zone as this owner sees it: the ports of the zone writer. */
  as(owner: Whose): OwnedZone;
  /** GetHostedZone, whoever asks. */
  facts(): Promise<void>;
  /** Puts records in place, by the same rules. Throws when they refuse. */
  seed(records: readonly ZoneRecord[]): void;
  /** The zone as the writer of a fleet reaches it. */
  writer(): WriterZone<number>;
  readonly counts: Counts;
  records(): readonly ZoneRecord[];
  /** Hears each batch as it takes effect. */
  onLanded: (changes: readonly Change[]) => void;
}

const PAGE = 300;

const none = (): Record<Answer, number> => ({ ok: 0, refused: 0, throttled: 0, "zone busy": 0 });

export function virtualRoute53(options: VirtualRoute53Options): VirtualRoute53 {
  const { zoneName, clock, latencyMs, applyMs } = options;
  const states = new Map<string, ZoneState>();
  const counts: Counts = { changes: none(), reads: none() };
  const take = bucket(options);
  let busyUntilMs = Number.NEGATIVE_INFINITY;

  const shardOf = (name: string): string => (options.namesApart ? name : "");
  const stateOf = (shard: string): ZoneState => states.get(shard) ?? newZone("Z1", zoneName);

  /** All or nothing, over all names. */
  const apply = (batch: readonly ZoneChange[]): string | undefined => {
    const after = new Map<string, ZoneState>();
    for (const [shard, changes] of Map.groupBy(batch, ({ record }) => shardOf(record.name))) {
      const result = applyBatch(stateOf(shard), changes);
      if (!result.ok) return options.refusalWords ?? result.error.message;
      after.set(shard, result.zone);
    }
    for (const [shard, state] of after) states.set(shard, state);
    return undefined;
  };

  const weightedOf = (records: readonly ZoneRecord[]): readonly RecordSet[] =>
    records.flatMap(({ name, type, ttlSeconds, weight, values, setIdentifier }) =>
      type !== "A" || setIdentifier === undefined || weight === undefined
        ? []
        : [{ name: name.slice(0, -1), type, ttlSeconds, weight, values, setIdentifier }],
    );

  /** There, judged, and back. Throws for an answer that asks to come again later. */
  const request = async <T>(kind: keyof Counts, judge: () => Promise<Judged<T>>): Promise<T> => {
    await clock.sleep(latencyMs / 2);
    const judged = take() ? await judge() : ({ answer: "throttled" } as const);
    counts[kind][judged.answer] += 1;
    await clock.sleep(latencyMs / 2);
    if ("result" in judged) return judged.result;
    throw new Unavailable("Route 53", `says ${judged.answer}`, {
      mayHaveLanded: false,
      demand: judged.answer === "throttled" ? "fewer" : "later",
    });
  };
  const read = <T>(look: () => T) =>
    request("reads", async () => ({ answer: "ok", result: look() }));
  const instancesAmong = (records: readonly RecordSet[]): readonly InstanceId[] => [
    ...new Set(records.flatMap((one) => parseSetIdentifier(one.setIdentifier)?.instance ?? [])),
  ];

  const change = async (
    batch: readonly Change[],
    first: readonly ZoneChange[],
  ): Promise<Judged<Submission>> => {
    busyUntilMs = clock.now() + applyMs;
    await clock.sleep(applyMs);
    const message = apply([...first, ...stepsOf(batch).map(absolute)]);
    if (message !== undefined) {
      return { answer: "refused", result: { kind: "refused", message } };
    }
    route53.onLanded(batch);
    return { answer: "ok", result: { kind: "accepted" } };
  };

  const route53: VirtualRoute53 = {
    counts,
    facts: () => request("reads", async () => ({ answer: "ok", result: undefined })),
    onLanded: () => {},
    records: () => [...states.values()].flatMap(recordsOf),
    seed(records) {
      for (let from = 0; from < records.length; from += 500) {
        const piece = records.slice(from, from + 500);
        const problem = apply(piece.map((record) => ({ action: "UPSERT", record })));
        if (problem !== undefined) throw new Error(problem);
      }
    },
    writer: () => ({
      names: { id: "Z1", name: zoneName },
      submit: (batch, { name, before, after, ttlSeconds }) =>
        request<Submission>("changes", async () => {
          if (clock.now() < busyUntilMs) return { answer: "zone busy" };
          const text = (action: "DELETE" | "CREATE", value: string): ZoneChange => ({
            action,
            record: { name: `${name}.`, type: "TXT", ttlSeconds, values: [`"${value}"`] },
          });
          return change(batch, [
            ...(before === undefined ? [] : [text("DELETE", before)]),
            text("CREATE", after),
          ]);
        }),
      fence: (name) =>
        read(() => {
          const here = recordsOf(stateOf(shardOf(`${name}.`)));
          return here
            .find((one) => one.type === "TXT" && one.name === `${name}.`)
            ?.values[0]?.slice(1, -1);
        }),
      group: (owner, name) => route53.as(owner).group(name),
      page: (from = 0) =>
        read(() => {
          const all = weightedOf(route53.records());
          const own = all.slice(from, from + PAGE);
          return {
            own,
            instances: instancesAmong(own),
            ...(from + PAGE < all.length && { next: from + PAGE }),
          };
        }),
    }),
    as: (owner) => {
      const isOwn = ({ setIdentifier }: RecordSet) =>
        owner === "any instance" || parseSetIdentifier(setIdentifier)?.instance === owner;
      return {
        submit: (batch) =>
          request<Submission>("changes", async () => {
            if (clock.now() < busyUntilMs) return { answer: "zone busy" };
            return change(batch, []);
          }),
        group: (name) =>
          read(() => {
            const here = weightedOf(recordsOf(stateOf(shardOf(`${name}.`)))).filter(
              (record) => record.name === name,
            );
            const other = here.find((record) => !isOwn(record));
            return {
              name,
              own: here.filter(isOwn),
              types: new Map([
                [
                  "A" as const,
                  {
                    size: here.length,
                    ...(other !== undefined && { othersTtlSeconds: other.ttlSeconds }),
                  },
                ],
              ]),
              instances: instancesAmong(here),
            };
          }),
        page: (cursor) =>
          read(() => {
            if (options.namesApart) throw new Error("expected one state, got one for each name");
            const listed = listPage(stateOf(""), {
              ...(cursor?.StartRecordName !== undefined && { name: cursor.StartRecordName }),
              ...(cursor?.StartRecordType !== undefined && { type: cursor.StartRecordType }),
              ...(cursor?.StartRecordIdentifier !== undefined && {
                identifier: cursor.StartRecordIdentifier,
              }),
            });
            if (!listed.ok) throw new Error(listed.error.message);
            const { records, next } = listed.page;
            const weighted = weightedOf(records);
            return {
              own: weighted.filter(isOwn),
              strange: [],
              instances: instancesAmong(weighted),
              ...(next !== undefined && {
                next: {
                  StartRecordName: next.name,
                  StartRecordType: next.type as "A" | undefined,
                  StartRecordIdentifier: next.identifier,
                },
              }),
            };
          }),
      };
    },
  };
  return route53;
}

interface ZoneChange {
  readonly action: Step["action"];
  readonly record: ZoneRecord;
}

/** As Route 53 writes a name. */
export const inZone = (record: RecordSet): ZoneRecord => ({ ...record, name: `${record.name}.` });

const absolute = ({ action, record }: Step): ZoneChange => ({ action, record: inZone(record) });

/** True when the account still has a request to give. */
function bucket({ rate, clock }: VirtualRoute53Options): () => boolean {
  if (rate === "unlimited") return () => true;
  let tokens = rate.burst;
  let atMs = clock.now();
  return () => {
    const nowMs = clock.now();
    tokens = Math.min(rate.burst, tokens + ((nowMs - atMs) / 1000) * rate.perSecond);
    atMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

/** All requests of one kind, or those that were answered so. */
export const total = (counts: Counts, answer?: Answer): number =>
  [counts.changes, counts.reads]
    .flatMap((answers) => (answer === undefined ? Object.values(answers) : answers[answer]))
    .reduce((sum, count) => sum + count, 0);

export const changeRequests = ({ changes }: Counts): number =>
  Object.values(changes).reduce((sum, count) => sum + count, 0);
