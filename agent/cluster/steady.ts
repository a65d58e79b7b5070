import { type LiveService, type ServiceFile, settling } from "../../lib/cloud/service.ts";
import { CONTENT_TAG } from "../../lib/cloud/tags.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import type { Session } from "./session.ts";

const POLL_MS = 5_000;
/** A service without a limit of its own must not hold a drain for ever. */
const DRAIN_LIMIT_MS = 600_000;
const EVENTS_SHOWN = 3;

/** A service that should come to run what it was told to. */
export interface Awaited {
  readonly file: ServiceFile;
  readonly taskDefinition: string;
  /** What it was before this run changed it; not there for one that was as it should be. */
  readonly changedFrom?: LiveService | "nothing";
}

/**
 * Waits until every service of the folder runs what it should, and tells how far each is. Comes back with a sentence for
 * each that failed or took too long: with ECS's own events and the reasons why its tasks stopped. Where `--rollback` says
 * so, those that this run changed then go back to what they ran before.
 */
export async function steady(
  session: Session,
  awaited: readonly Awaited[],
  { rolledBack }: { readonly rolledBack: string[] },
): Promise<readonly string[]> {
  const { edges, retry, folder, config, say, surroundings } = session;
  const { clock, stop } = surroundings;
  const limitMs = config.wait.value * 1000;
  const untilMs = clock.now() + limitMs;
  const waiting = new Map(awaited.map((one) => [one.file.name, one]));
  const told = new Map<string, string>();
  const seen = new Set(
    awaited.flatMap(({ changedFrom: from }) =>
      typeof from === "object" ? from.events.map(({ id }) => id) : [],
    ),
  );
  const problems: string[] = [];
  const give = async (one: Awaited, live: LiveService, why: string): Promise<void> => {
    waiting.delete(one.file.name);
    const reasons = await retry(() => edges.ecs.stopReasons(folder.names.cluster, one.file.name));
    const events = live.events.filter(({ id }) => !seen.has(id)).slice(0, EVENTS_SHOWN);
    problems.push(
      [
        `service ${one.file.name} ${why}`,
        ...events.map(({ text }) => `ECS says: ${text}`),
        ...reasons.slice(0, EVENTS_SHOWN).map((reason) => `a task stopped: ${reason}`),
      ].join("; "),
    );
    if (config.rollback && (await rollBack(session, one))) rolledBack.push(one.file.name);
  };
  while (waiting.size > 0) {
    for (const live of await readAll(session, [...waiting.keys()])) {
      const one = waiting.get(live.name);
      if (one === undefined) continue;
      const state = settling(live, one.taskDefinition);
      if (state.kind === "settled") {
        waiting.delete(live.name);
        await say(`service ${live.name}: steady, ${live.running} running`);
      } else if (state.kind === "failed") {
        await give(one, live, `failed: ${state.why}`);
      } else if (clock.now() >= untilMs) {
        await give(one, live, `did not settle within ${config.wait.value} s: ${state.text}`);
      } else if (told.get(live.name) !== state.text) {
        told.set(live.name, state.text);
        await say(`service ${live.name}: ${state.text}`);
      }
    }
    if (waiting.size === 0) break;
    await clock.sleep(Math.min(POLL_MS, Math.max(1, untilMs - clock.now())), stop.signal);
  }
  return problems;
}

async function readAll(
  { edges, retry, folder }: Session,
  names: readonly string[],
): Promise<readonly LiveService[]> {
  const found: LiveService[] = [];
  for (let at = 0; at < names.length; at += 10) {
    const some = names.slice(at, at + 10);
    found.push(...(await retry(() => edges.ecs.services(folder.names.cluster, some))));
  }
  return found;
}

/** True when the service is told to run again what it ran before; a new one has no before. */
async function rollBack(
  session: Session,
  { file, changedFrom: before }: Awaited,
): Promise<boolean> {
  const { edges, retry, folder, say } = session;
  if (before === undefined) return false;
  if (before === "nothing" || before.status !== "ACTIVE") {
    await say(`service ${file.name}: is new, there is nothing to go back to`);
    return false;
  }
  const { cluster } = folder.names;
  await retry(() =>
    edges.ecs.updateService({
      ...{ cluster, service: file.name, taskDefinition: before.taskDefinition },
      ...(!before.daemon && { desiredCount: before.desired }),
    }),
  );
  // So that the next plan knows that the file is not what runs.
  const tags = new Map([[CONTENT_TAG, before.tags.get(CONTENT_TAG) ?? "rolled-back"]]);
  await retry(() => edges.ecs.tag(before.arn, tags));
  await say(
    `service ${file.name}: goes back to ${before.taskDefinition.replace(/^arn:[^/]*\//, "")}`,
  );
  return true;
}

/** Asks for no tasks and waits until none runs. A DAEMON service can't be asked: deleting it stops its tasks. */
export async function drained(session: Session, live: LiveService): Promise<void> {
  const { edges, retry, folder, say } = session;
  if (live.daemon || live.status !== "ACTIVE") return;
  const { cluster } = folder.names;
  if (live.desired > 0) {
    await retry(() => edges.ecs.updateService({ cluster, service: live.name, desiredCount: 0 }));
  }
  await until(session, live.name, (now) => {
    if (now === undefined || now.running + now.pending === 0) return undefined;
    return `${now.running + now.pending} still to stop`;
  });
  await say(`service ${live.name}: drained`);
}

/** Waits until ECS calls the service inactive or does not know it any more. */
export const gone = (session: Session, name: string): Promise<void> =>
  until(session, name, (now) =>
    now === undefined || now.status === "INACTIVE" ? undefined : `is ${now.status}`,
  );

/** Waits until nothing is left to wait for; each thing that is, is told once. */
async function until(
  session: Session,
  name: string,
  left: (now: LiveService | undefined) => string | undefined,
): Promise<void> {
  const { edges, retry, folder, config, say, surroundings } = session;
  const { clock, stop } = surroundings;
  const limitMs = config.wait.value * 1000 || DRAIN_LIMIT_MS;
  const untilMs = clock.now() + limitMs;
  let told: string | undefined;
  for (;;) {
    const [now] = await retry(() => edges.ecs.services(folder.names.cluster, [name]));
    const what = left(now);
    if (what === undefined) return;
    if (clock.now() >= untilMs) {
      throw new Fatal(
        `service ${name} takes longer than ${limitMs / 1000} s (--wait): ${what}; see its events with \`cluster info\``,
      );
    }
    if (what !== told) await say(`service ${name}: ${what}`);
    told = what;
    await clock.sleep(POLL_MS, stop.signal);
  }
}
