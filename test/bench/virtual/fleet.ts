import { keyOf, type RecordSet } from "../../../lib/route53/record-set.ts";
import { chance } from "../../support/chance.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { type Keeper, virtualAgent } from "./agent.ts";
import { virtualBaseline } from "./baseline.ts";
import { instanceOf, recordOf, ZONE_NAME } from "./records.ts";
import { type Counts, inZone, virtualRoute53 } from "./route53.ts";
import { type VirtualQueue, virtualQueue } from "./sqs.ts";
import { unixOf, virtualSender, virtualWriter } from "./via.ts";

/** A deployment that rolls over a fleet, in virtual time: every host replaces each of its tasks once. */
export const FLEET = {
  tasksPerHost: 20,
  /** A name holds at most 100 record sets, and for a moment a replaced task has two. */
  setsPerName: 80,
  deploymentMs: 600_000,
  /** From the start of the new task to the stop of the old one. */
  overlapMs: 2_000,
  latencyMs: 60,
  applyMs: 20,
  rate: { perSecond: 10, burst: 50 },
  auditMs: 900_000,
} as const;
/** Whatever has not landed by then never will. */
const GIVE_UP_MS = 4 * FLEET.deploymentMs;

export interface FleetOptions {
  readonly kind: "agent" | "baseline" | "writer";
  readonly hosts: number;
  readonly seed: number;
  readonly applyMs?: number;
}

/** Times are from the event on the host to the moment at which Route 53 applied the change; one list for each host. */
export interface FleetRun {
  readonly registeredMs: readonly (readonly number[])[];
  readonly removedMs: readonly (readonly number[])[];
  readonly counts: Counts;
  /** Events whose change had not landed when the run was given up. */
  readonly missing: number;
  /** Writers that gave up: their process would start again. */
  readonly ended: number;
  readonly allMs: number;
  /** Of the queue, where there is one. */
  readonly queue?: VirtualQueue["counts"];
}

/** With a writer between: every host has sent its set once by then, and the writer knows them all. */
const WARM_MS = 120_000;
const FIRST_SENDS_MS = 30_000;
/** Of each request to the queue, there and back. */
const QUEUE_LATENCY_MS = 20;

export async function runFleet(options: FleetOptions): Promise<FleetRun> {
  const { hosts, seed, kind } = options;
  const { tasksPerHost, deploymentMs, overlapMs } = FLEET;
  const clock = virtualClock();
  const route53 = virtualRoute53({
    ...FLEET,
    zoneName: ZONE_NAME,
    clock,
    applyMs: options.applyMs ?? FLEET.applyMs,
    namesApart: true,
  });
  const names = Math.max(tasksPerHost, Math.ceil((hosts * tasksPerHost) / FLEET.setsPerName));
  const taskOf = (host: number, slot: number, generation: number): RecordSet =>
    recordOf(
      host,
      (generation * hosts + host) * tasksPerHost + slot,
      (host * tasksPerHost + slot) % names,
    );

  /** When the event was, by the change that must follow from it. */
  const waiting = new Map<string, { readonly host: number; readonly atMs: number }>();
  const registeredMs: number[][] = Array.from({ length: hosts }, () => []);
  const removedMs: number[][] = Array.from({ length: hosts }, () => []);
  let allMs = 0;
  route53.onLanded = (changes) => {
    for (const { action, record } of changes) {
      const key = `${action} ${keyOf(record)}`;
      const event = waiting.get(key);
      if (event === undefined) continue;
      waiting.delete(key);
      allMs = clock.now();
      (action === "UPSERT" ? registeredMs : removedMs)[event.host]?.push(allMs - event.atMs);
    }
  };

  const stop = new AbortController();
  const isVia = kind === "writer";
  const beginMs = isVia ? WARM_MS : 0;
  const unixMs = unixOf(clock);
  const queue = virtualQueue({ clock, unixMs, latencyMs: QUEUE_LATENCY_MS });
  let ended = 0;
  let events = 2 * hosts * tasksPerHost;
  for (let host = 0; host < hosts; host += 1) {
    const random = chance(seed * 100_003 + host);
    const before = Array.from({ length: tasksPerHost }, (_, slot) => taskOf(host, slot, 0));
    route53.seed(before.map(inZone));
    const parts = { clock, random, stop: stop.signal };
    const zone = route53.as(instanceOf(host));
    let keeper: Keeper | undefined;
    const begin = (): void => {
      if (isVia) {
        const owner = instanceOf(host);
        keeper = virtualSender({ ...parts, queue, owner, desired: before });
      } else if (kind === "baseline") keeper = virtualBaseline({ ...parts, zone });
      else
        keeper = virtualAgent({ ...parts, zone, published: before, hosts, auditMs: FLEET.auditMs });
      keeper.ended?.catch(() => {
        ended += 1;
      });
    };
    if (isVia) clock.at(1_000 + random() * FIRST_SENDS_MS, begin);
    else begin();
    const offsetsMs = before
      .map(() => random() * (deploymentMs - overlapMs))
      .toSorted((a, b) => a - b);
    for (const [slot, offsetMs] of offsetsMs.entries()) {
      const old = taskOf(host, slot, 0);
      const next = taskOf(host, slot, 1);
      clock.at(beginMs + offsetMs, () => {
        events -= 1;
        waiting.set(`UPSERT ${keyOf(next)}`, { host, atMs: clock.now() });
        keeper?.start(next);
      });
      clock.at(beginMs + offsetMs + overlapMs, () => {
        events -= 1;
        waiting.set(`DELETE ${keyOf(old)}`, { host, atMs: clock.now() });
        keeper?.stop(old);
      });
    }
  }
  if (isVia) {
    virtualWriter({ clock, random: chance(seed), queue, route53, unixMs, name: WRITER })
      .run(stop.signal)
      .catch(() => {
        ended += 1;
      });
    await clock.pass(WARM_MS);
  }
  const before = { counts: structuredClone(route53.counts), queue: structuredClone(queue.counts) };
  await clock.pass(beginMs + GIVE_UP_MS, () => events === 0 && waiting.size === 0);
  const counts = since(before.counts, structuredClone(route53.counts));
  const sent = queueSince(before.queue, queue.counts);
  stop.abort();
  await clock.pass(clock.now() + 1_000);
  return {
    registeredMs,
    removedMs,
    counts,
    missing: waiting.size + events,
    ended,
    allMs: allMs - beginMs,
    ...(isVia && { queue: sent }),
  };
}

const WRITER = "0123456789abcdef";

/** What came after the warm-up. */
const since = (before: Counts, after: Counts): Counts => ({
  changes: less(before.changes, after.changes),
  reads: less(before.reads, after.reads),
});
const queueSince = (before: VirtualQueue["counts"], after: VirtualQueue["counts"]) =>
  less(before, after);

const less = <T extends Readonly<Record<string, number>>>(before: T, after: T): T =>
  Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]),
  ) as T;
