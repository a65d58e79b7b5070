import { retry, throttleWaits } from "../../../lib/kit/flow/retry.ts";
import { chance } from "../../support/chance.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { virtualAgent } from "./agent.ts";
import { FLEET } from "./fleet.ts";
import { instanceOf, recordOf, ZONE_NAME } from "./records.ts";
import { inZone, total, virtualRoute53 } from "./route53.ts";

/** A fleet whose agents are all replaced at once, in virtual time: a new image, rolled out without a limit. */
export const UPDATE = {
  hosts: 1_000,
  overMs: 10_000,
  tasksPerHost: 5,
  /** One host in so many has had a task replaced meanwhile. */
  changedEvery: 10,
  patienceMs: 60_000,
} as const;
/** Whatever has not landed by then never will. */
const GIVE_UP_MS = 3_600_000;

export interface UpdateRun {
  /** All requests, however they were answered. */
  readonly requests: number;
  readonly throttled: number;
  /** Starts that ended the process. */
  readonly gaveUp: number;
  /** When every start had its answer. */
  readonly startedMs: number;
  /** When every change had landed. */
  readonly landedMs: number;
  readonly missing: number;
}

/** Each agent asks for its zone, believes its journal, and sends what has changed. */
export async function runUpdate({
  seed,
  hosts = UPDATE.hosts,
}: {
  readonly seed: number;
  readonly hosts?: number;
}): Promise<UpdateRun> {
  const { overMs, tasksPerHost, changedEvery, patienceMs } = UPDATE;
  const clock = virtualClock();
  const route53 = virtualRoute53({ ...FLEET, zoneName: ZONE_NAME, clock, namesApart: true });
  const names = Math.ceil((hosts * tasksPerHost) / FLEET.setsPerName);
  const taskOf = (host: number, slot: number) =>
    recordOf(host, host * tasksPerHost + slot, (host * tasksPerHost + slot) % names);
  const stop = new AbortController();
  let waiting = Math.ceil(hosts / changedEvery);
  let started = 0;
  let gaveUp = 0;
  let startedMs = 0;
  let landedMs = 0;
  route53.onLanded = (changes) => {
    waiting -= changes.length;
    landedMs = clock.now();
  };

  const start = async (host: number): Promise<void> => {
    const random = chance(seed * 100_003 + host);
    await clock.sleep(random() * overMs);
    const zone = route53.as(instanceOf(host));
    await retry(() => route53.facts(), {
      clock,
      random,
      limitMs: patienceMs,
      stop: stop.signal,
      throttled: throttleWaits({ random }),
    });
    started += 1;
    startedMs = clock.now();
    const before = Array.from({ length: tasksPerHost }, (_, slot) => taskOf(host, slot));
    const desired = host % changedEvery === 0 ? before.slice(1) : before;
    const { ended } = virtualAgent({
      ...{ clock, random, zone, stop: stop.signal, published: before, desired, hosts },
    });
    await ended;
  };

  for (let host = 0; host < hosts; host += 1) {
    route53.seed(Array.from({ length: tasksPerHost }, (_, slot) => inZone(taskOf(host, slot))));
    start(host).catch(() => {
      if (!stop.signal.aborted) gaveUp += 1;
    });
  }
  await clock.pass(GIVE_UP_MS, () => started + gaveUp === hosts && waiting === 0);
  const requests = total(route53.counts);
  const throttled = total(route53.counts, "throttled");
  stop.abort();
  await clock.pass(clock.now());
  return { requests, throttled, gaveUp, startedMs, landedMs, missing: waiting };
}
