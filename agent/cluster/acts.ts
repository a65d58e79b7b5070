import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isOwn } from "../../lib/cloud/tags.ts";
import { oldRevisions } from "../../lib/cloud/task-definition.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import { quote } from "../../lib/kit/quote.ts";
import { columns, line, type Piece } from "../cli/terminal.ts";
import { shortOf } from "./apply.ts";
import { builtInStacks } from "./built-in.ts";
import { readLive } from "./look.ts";
import type { Session } from "./session.ts";
import { skeletons } from "./skeletons.ts";
import { drained } from "./steady.ts";

/** How everything of the folder is, for machines. */
export interface Info {
  readonly schemaVersion: 1;
  readonly folder: string;
  readonly project: string;
  readonly prefix: string;
  readonly cluster: { readonly name: string; readonly hosts?: number; readonly running?: number };
  readonly taskPrefix: string;
  readonly profile?: string;
  readonly stacks: readonly {
    readonly name: string;
    readonly status: string;
    readonly reason?: string;
    readonly outputs: Readonly<Record<string, string>>;
  }[];
  readonly services: readonly {
    readonly name: string;
    readonly own: boolean;
    readonly status: string;
    readonly desired: number;
    readonly running: number;
    readonly pending: number;
    readonly taskDefinition: string;
    readonly lastEvent?: string;
  }[];
  readonly taskDefinitions: readonly string[];
}

/** Reads how everything is that the folder asks for or has made. */
export async function info(session: Session): Promise<Info> {
  const { folder, edges, retry, owner } = session;
  const { names } = folder;
  const live = await readLive(session);
  const cluster = await retry(() => edges.ecs.cluster(names.cluster));
  const bases =
    folder.stacks.length > 0
      ? folder.stacks.map(({ name }) => name)
      : builtInStacks(names.prefix).map(({ name }) => name);
  const stacks: Info["stacks"][number][] = [];
  for (const name of bases) {
    const stack = await retry(() => edges.stacks.stack(name));
    stacks.push({
      ...{ name, status: stack?.status ?? "not there" },
      ...(stack?.reason && { reason: stack.reason }),
      outputs: Object.fromEntries(stack?.outputs ?? []),
    });
  }
  return {
    schemaVersion: 1,
    ...{ folder: folder.path, project: names.project, prefix: names.prefix, stacks },
    cluster: { name: names.cluster, ...cluster },
    taskPrefix: names.taskPrefix,
    ...(folder.profile !== undefined && { profile: folder.profile }),
    services: [...live.services.values()].map((service) => ({
      ...{ name: service.name, own: isOwn(service.tags, owner), status: service.status },
      ...{ desired: service.desired, running: service.running, pending: service.pending },
      taskDefinition: shortOf(service.taskDefinition),
      ...(service.events[0] && { lastEvent: service.events[0].text }),
    })),
    taskDefinitions: [...live.latest.values()].map(({ arn }) => shortOf(arn)),
  };
}

export function infoText(info: Info): readonly string[] {
  const hosts =
    info.cluster.hosts === undefined
      ? "not there"
      : `${info.cluster.hosts} hosts, ${info.cluster.running} tasks running`;
  const facts: readonly (readonly Piece[])[] = [
    ["PROJECT", info.project],
    ["PREFIX", info.prefix],
    ["CLUSTER", `${info.cluster.name} (${hosts})`],
    ["TASK_PREFIX", info.taskPrefix],
    ["PROFILE", info.profile ?? "as the AWS SDK finds it"],
  ];
  return [
    ...columns(facts),
    ...info.stacks.flatMap(({ name, status, reason, outputs }) => [
      line(`stack ${name}: ${status}${reason === undefined ? "" : `, ${reason}`}`),
      ...columns(Object.entries(outputs).map(([key, value]) => [`  ${key}`, value])),
    ]),
    ...info.services.map(
      ({ name, status, running, desired, pending, taskDefinition, lastEvent, own }) =>
        line(
          `service ${name}: ${status}, ${running} of ${desired} running, ${pending} pending, ${taskDefinition}` +
            `${own ? "" : ", not of this folder"}${lastEvent === undefined ? "" : `; ${lastEvent}`}`,
        ),
    ),
    ...info.taskDefinitions.map((one) => line(`task definition ${one}`)),
  ];
}

/** Asks for no tasks of one service and waits until none runs. Throws `Fatal` where there is none to drain. */
export async function drain(session: Session, name: string | undefined): Promise<void> {
  const { folder, edges, retry, owner, config, say } = session;
  const { cluster } = folder.names;
  if (name === undefined) throw new Fatal("expected the name of a service after drain");
  const [live] = await retry(() => edges.ecs.services(cluster, [name]));
  if (live === undefined || live.status === "INACTIVE") {
    throw new Fatal(`cluster ${cluster} has no service ${quote(name)}: see \`cluster info\``);
  }
  if (!isOwn(live.tags, owner) && !config.adopt) {
    throw new Fatal(`service ${name} is not of this folder and prefix: it is left as it is`);
  }
  if (live.daemon) {
    throw new Fatal(
      `service ${name} runs one task on each host (DAEMON), which can't be drained: drain a host instead, or delete the service`,
    );
  }
  if (live.status === "ACTIVE") await drained(session, live);
  await say(`apply brings ${name} back to what its file says`);
}

/**
 * Deregisters the old revisions of the folder's own families: all but the newest `--keep`, and none that a service of the
 * cluster runs. Comes back with what went.
 */
export async function cleanup(session: Session): Promise<readonly string[]> {
  const { edges, retry, config, owner, say } = session;
  const { latest, services, revisions } = await readLive(session);
  const families = [...latest.values()].filter(({ tags }) => isOwn(tags, owner));
  const own = new Set(families.map(({ family }) => family));
  const arns: string[] = [];
  for (const { family } of families) {
    const tagged = revisions?.filter((arn) => arn.includes(`/${family}:`)) ?? [];
    // A family with few revisions that are known by their tags has at most these: only others are listed.
    if (revisions === undefined || tagged.length > config.keep) {
      arns.push(...(await retry(() => edges.ecs.revisions(family))));
    }
  }
  const inUse = new Set(
    [...services.values()].flatMap(({ taskDefinition, deployments }) => [
      taskDefinition,
      ...deployments.map((one) => one.taskDefinition),
    ]),
  );
  const old = oldRevisions(arns, { keep: config.keep, inUse });
  for (const arn of old) {
    await retry(() => edges.ecs.deregister(arn));
    await say(`deregistered ${shortOf(arn)}`);
  }
  await say(`${own.size} families, ${old.length} old revisions deregistered`);
  return old;
}

/** Writes skeletons of every kind of file into `templates/`, where none of that name is. Comes back with their paths. */
export async function templates(
  folder: string,
  say: (line: string) => Promise<void>,
): Promise<readonly string[]> {
  const into = join(folder, "templates");
  await mkdir(into, { recursive: true });
  const files = [
    ...skeletons(),
    ...builtInStacks("x").map(({ base, template }) => ({
      file: `${base}.cf`,
      text: template.text,
    })),
  ];
  const written: string[] = [];
  for (const { file, text } of files) {
    const path = join(into, file);
    try {
      await writeFile(path, text, { flag: "wx" });
      written.push(path);
      await say(`wrote ${path}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      await say(`${path} is there already, and stays`);
    }
  }
  return written;
}
