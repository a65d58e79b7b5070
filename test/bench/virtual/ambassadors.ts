import { poll } from "../../../lib/ecs/flow/poll.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import { chance } from "../../support/chance.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

/** Ambassadors that share one account, in virtual time, all started within a minute, as a deployment does. */
export const AMBASSADORS = {
  /** ECS Developer Guide, request throttling: cluster resource reads of one account and region. */
  rate: { perSecond: 20, burst: 100 },
  callsPerPoll: 2,
  pollMs: 7_000,
  latencyMs: 30,
  startMs: 60_000,
  lengthMs: 3_600_000,
  /** What comes before does not count: they find their pace. */
  warmUpMs: 900_000,
  sampleMs: 5_000,
} as const;

export interface AmbassadorsRun {
  readonly requests: number;
  readonly throttled: number;
  /** Of every ambassador, every five seconds after the warm-up: ms since its state was read. */
  readonly agesMs: readonly number[];
  /** Of every ambassador: ms from its start to its first state. */
  readonly firstMs: readonly number[];
}

export async function runAmbassadors(count: number, seed: number): Promise<AmbassadorsRun> {
  const clock = virtualClock();
  const random = chance(seed);
  const stop = new AbortController();
  const bucket = bucketOf(() => clock.now());
  const readAtMs: (number | undefined)[] = Array.from({ length: count });
  const firstMs: number[] = [];
  const agesMs: number[] = [];

  const ask = async () => {
    await clock.sleep(AMBASSADORS.latencyMs);
    if (!bucket.take()) {
      throw new Unavailable("ECS", "did not take ListTasks", { demand: "fewer" });
    }
  };
  const start = async (n: number) => {
    const bornMs = clock.now();
    await poll({
      async read() {
        for (let call = 0; call < AMBASSADORS.callsPerPoll; call += 1) await ask();
      },
      meanMs: AMBASSADORS.pollMs,
      clock,
      random,
      stop: stop.signal,
      tell: {
        read() {
          if (readAtMs[n] === undefined) firstMs.push(clock.now() - bornMs);
          readAtMs[n] = clock.now();
        },
        missed: () => {},
      },
    });
  };
  for (let n = 0; n < count; n += 1) {
    clock.at((n / count) * AMBASSADORS.startMs, () => void start(n));
  }
  for (let atMs = AMBASSADORS.warmUpMs; atMs < AMBASSADORS.lengthMs; atMs += AMBASSADORS.sampleMs) {
    clock.at(atMs, () => {
      for (const lastMs of readAtMs) {
        agesMs.push(lastMs === undefined ? Number.POSITIVE_INFINITY : clock.now() - lastMs);
      }
      if (atMs <= AMBASSADORS.warmUpMs) bucket.reset();
    });
  }
  await clock.pass(AMBASSADORS.lengthMs);
  stop.abort();
  return { ...bucket.counts(), agesMs, firstMs };
}

function bucketOf(nowMs: () => number) {
  const { perSecond, burst } = AMBASSADORS.rate;
  let tokens: number = burst;
  let atMs = 0;
  let requests = 0;
  let throttled = 0;
  return {
    take(): boolean {
      const now = nowMs();
      tokens = Math.min(burst, tokens + ((now - atMs) / 1_000) * perSecond);
      atMs = now;
      requests += 1;
      if (tokens < 1) {
        throttled += 1;
        return false;
      }
      tokens -= 1;
      return true;
    },
    reset() {
      requests = 0;
      throttled = 0;
    },
    counts: () => ({ requests, throttled }),
  };
}
