import { jittered, nextPauseMs } from "../../lib/ecs/pace.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { rungWithin } from "../../lib/net/flow/rung-within.ts";
import { print, printJson } from "../cli/terminal.ts";
import { type Answer, together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { BalancerConfig } from "./config.ts";
import { type Edges, systemEdges } from "./edges.ts";
import { type Observer, observer } from "./show/observer.ts";
import { dryRunReport, reportText } from "./show/report.ts";
import { leave } from "./stop.ts";
import { pacing } from "./work/pace.ts";
import type { CycleResult } from "./work/parts.ts";
import { openWorld, type World } from "./world.ts";

/** What is open is cut, and what drains left, a moment before the process's own limit makes the end a failure. */
const BEFORE_LIMIT_MS = 800;
/** Once is not one look: what looks absent must look so twice, and what was moved is looked at again. */
const MOST_ONCE = 6;
const ONCE_PAUSE_MS = 1_000;

/**
 * Keeps load balancers and target groups as the services file says, cycle by cycle, until it is stopped. A look that fails
 * changes nothing, and what is forwarded goes on whatever AWS does. With --dryRun or --once it comes back with an answer.
 */
export async function balancer(
  config: BalancerConfig,
  surroundings: Surroundings,
  edges: Edges = systemEdges(config, surroundings.env),
): Promise<Answer | undefined> {
  if (config.json && !config.dryRun) {
    return { code: 2, why: "--json: expected --dryRun beside it, got none" };
  }
  const { stop } = surroundings;
  const bell = doorbell();
  const observed = observer(config, surroundings);
  const isKeeping = !config.dryRun && !config.once;
  const done = new AbortController();
  const serving = isKeeping
    ? observed.serve(AbortSignal.any([stop.signal, done.signal]))
    : undefined;
  try {
    const world = await openWorld(config, surroundings, edges, observed, () => bell.ring());
    try {
      if (config.dryRun) return await dryRun(config, surroundings, world);
      if (config.once) return await once(surroundings, observed, world);
      await keep(config, surroundings, observed, world, bell);
      return undefined;
    } finally {
      world.close();
    }
  } finally {
    done.abort();
    await serving;
  }
}

async function dryRun(
  config: BalancerConfig,
  { clock, stop }: Surroundings,
  { cycle, services, host }: World,
): Promise<Answer> {
  let result = await cycle();
  if (services.hasDoubt()) {
    await clock.sleep(ONCE_PAUSE_MS, stop.signal);
    result = await cycle();
  }
  const report = dryRunReport(result, host.instance);
  await (config.json ? printJson(report) : print(reportText(report)));
  if (result.problems.length > 0 || result.files.services === undefined) {
    return { code: 1, why: "not everything could be looked at" };
  }
  return report.changes
    ? { code: 3, why: "something would change" }
    : { code: 0, why: "nothing would change" };
}

async function once(
  { clock, stop }: Surroundings,
  observed: Observer,
  { cycle }: World,
): Promise<Answer> {
  let result: CycleResult;
  for (let times = 1; ; times += 1) {
    result = await cycle();
    observed.cycled(result, 0);
    if ((!result.again && result.problems.length === 0) || times === MOST_ONCE) break;
    await clock.sleep(ONCE_PAUSE_MS, stop.signal);
  }
  const bad = [...result.standings].filter(([, { mark }]) => mark === "bad");
  const { files, problems } = result;
  const wrong = bad.length + problems.length + files.problems.length + files.broken.length;
  return wrong === 0
    ? { code: 0, why: "all is as wanted" }
    : { code: 1, why: "something is left for you to see to" };
}

async function keep(
  config: BalancerConfig,
  { stop, clock, random, log }: Surroundings,
  observed: Observer,
  world: World,
  bell: ReturnType<typeof doorbell>,
): Promise<void> {
  const { cycle, services, forward, watch } = world;
  const pace = pacing(clock);
  let last: CycleResult | undefined;
  const follow = async (): Promise<void> => {
    let sleepMs = 0;
    while (!stop.signal.aborted) {
      last = await cycle();
      const askedMs = (last.files.configuration?.sleepTimeSeconds ?? 10) * 1000;
      sleepMs = nextPauseMs(
        Math.max(sleepMs, askedMs),
        last.isThrottled ? "throttled" : "read",
        askedMs,
      );
      observed.cycled(last, sleepMs / 1000);
      const facts = { again: last.again, isUnsettled: services.isUnsettled() };
      const pauseMs = Math.min(sleepMs, pace.nextMs(jittered(sleepMs, random()), facts));
      if (await rungWithin(bell, pauseMs, clock, stop.signal)) {
        pace.event();
        await clock.sleep(pace.leastMs, stop.signal).catch(() => {});
      }
    }
  };
  await together(stop, [follow(), watch.run(stop.signal), ...forward.run(stop.signal)]);
  const limitMs = Math.max(0, config.drainTimeout * 1000 - BEFORE_LIMIT_MS);
  const startedMs = clock.now();
  const all = (last?.seen ?? []).map(({ service }) => service);
  const asked = Math.max(
    0,
    ...all.map(({ drainSeconds }) => (drainSeconds ?? config.drainTimeout) * 1000),
  );
  const untilMs = startedMs + Math.min(limitMs, asked);
  if (config.onStop === "deregister" && stop.wasAsked()) {
    await leave({
      services: all,
      balancers: world.classic.seen(),
      instance: world.host.instance,
      classic: world.classicApi,
      targets: world.targetsApi,
      journal: world.journal,
      clock,
      limitMs: untilMs - clock.now(),
      tell: observed.tell,
    });
  }
  const cut = await forward.close(Math.max(0, untilMs - clock.now()));
  if (cut > 0) log.warn("connections were still open: cut", { connections: cut });
}
