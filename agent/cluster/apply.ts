import { join } from "node:path";
import {
  createInput,
  type LiveService,
  type ServiceFile,
  type ServiceStep,
  updateInput,
} from "../../lib/cloud/service.ts";
import { SHARED_PARAMS } from "../../lib/cloud/stack.ts";
import { CONTENT_TAG, isOwn, ownTags, type Tags } from "../../lib/cloud/tags.ts";
import {
  familyOf,
  type TaskDefinitionFile,
  type TaskDefinitionStep,
} from "../../lib/cloud/task-definition.ts";
import type { Problem } from "../../lib/cloud/variables.ts";
import { causes, Fatal } from "../../lib/kit/failure.ts";
import { createWhole } from "../../lib/kit/io/whole-file.ts";
import { lookAtLoad, type Plan } from "./look.ts";
import type { Session } from "./session.ts";
import { applyStacks } from "./stacks.ts";
import { type Awaited, drained, gone, steady } from "./steady.ts";
import { wantedStacks } from "./wanted.ts";

/** What apply did and what it could not, for machines as it is. */
export interface Applied {
  readonly registered: string[];
  readonly deregistered: string[];
  readonly created: string[];
  readonly updated: string[];
  readonly deleted: string[];
  readonly rolledBack: string[];
  /** Each as one sentence; the rest was done nevertheless. */
  readonly problems: string[];
}

const nothing = (): Applied => ({
  ...{ registered: [], deregistered: [], created: [], updated: [], deleted: [], rolledBack: [] },
  problems: [],
});

/**
 * Does what the plan says: the stacks, then the task definitions, then the services. It looks again before it writes, so
 * that what a killed run has done already is not done twice. What fails on one service leaves the others be.
 */
export async function apply(session: Session, plan: Plan): Promise<Applied> {
  const applied = nothing();
  await applyTemplates(session, plan);
  const { taskDefinitions, services } = plan.stacks.every(({ action }) => action === "keep")
    ? plan
    : await lookAtLoad(session);
  const arns = await applyTaskDefinitions(session, taskDefinitions, services, applied);
  const awaited: Awaited[] = [];
  for (const step of services) {
    const did = await trying(applied, () => applyService(session, step, arns, applied));
    const { file, live } = step;
    if (file === undefined || (!did && live === undefined)) continue;
    const taskDefinition =
      arns.get(familyOf(file.taskDefinition)) ?? live?.taskDefinition ?? file.taskDefinition;
    awaited.push({ file, taskDefinition, ...(did && { changedFrom: live ?? "nothing" }) });
  }
  if (session.config.prune) await deregister(session, taskDefinitions, applied);
  if (session.config.wait.value > 0) {
    const problems = await steady(session, awaited, applied);
    applied.problems.push(...problems);
  }
  return applied;
}

async function applyTemplates(session: Session, plan: Plan): Promise<void> {
  const { folder } = session;
  if (plan.stacks.every(({ action }) => action === "keep") && plan.newParams === undefined) return;
  if (plan.newParams !== undefined) {
    const file = join(folder.path, `${SHARED_PARAMS}.params`);
    // One that somebody wrote meanwhile is theirs.
    await createWhole(file, plan.newParams);
    await session.say(`wrote ${SHARED_PARAMS}.params`);
  }
  const wanted = await wantedStacks(session);
  if ("problems" in wanted) throw new Fatal(sentences(wanted.problems).join("; "));
  await applyStacks(session, wanted);
}

export const sentences = (problems: readonly Problem[]): readonly string[] =>
  problems.map(({ file, line, text }) => `${file}${line === undefined ? "" : `:${line}`}: ${text}`);

/** True when it was done; what failed is kept as a sentence. A stop ends all. */
async function trying(applied: Applied, act: () => Promise<boolean>): Promise<boolean> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Fatal)) throw error;
    applied.problems.push(causes(error));
    return false;
  }
}

/** Comes back with the ARN of each of the folder's families that is known by now. */
async function applyTaskDefinitions(
  session: Session,
  steps: readonly TaskDefinitionStep[],
  services: readonly ServiceStep[],
  applied: Applied,
): Promise<Map<string, string>> {
  // What a service is about to run must be active still, which tags do not tell.
  const written = new Set(
    services.flatMap(({ action, file }) =>
      file !== undefined && ["create", "recreate", "update"].includes(action)
        ? [familyOf(file.taskDefinition)]
        : [],
    ),
  );
  const arns = new Map<string, string>();
  for (const step of steps) {
    const { family, file, latest } = step;
    const isRun = written.has(family);
    if (step.action === "keep" && latest !== undefined && !isRun) arns.set(family, latest.arn);
    if (step.action === "refuse") applied.problems.push(step.why);
    const isDue = step.action === "register" || (step.action === "keep" && isRun);
    if (!isDue || file === undefined) continue;
    await trying(applied, async () => {
      const unseen = step.action === "register" && step.why === "new";
      const { arn, isNew } = await ensureRegistered(session, file, unseen);
      arns.set(family, arn);
      if (isNew) {
        applied.registered.push(arn);
        await session.say(`registered ${shortOf(arn)}`);
      }
      return true;
    });
  }
  return arns;
}

/** The revision with the file's content: the latest, if it has it, or a new one. Never two for one content. */
async function ensureRegistered(
  { edges, retry, owner }: Session,
  file: TaskDefinitionFile,
  isNew: boolean,
): Promise<{ readonly arn: string; readonly isNew: boolean }> {
  let look = !isNew;
  return retry(async () => {
    const latest = look ? await edges.ecs.taskDefinition(file.family) : undefined;
    // A request without an answer may have landed: from the second try on ECS is asked first.
    look = true;
    if (latest && isOwn(latest.tags, owner) && latest.tags.get(CONTENT_TAG) === file.hash) {
      return { arn: latest.arn, isNew: false };
    }
    const arn = await edges.ecs.register(file.family, file.content, tagsFor(owner, file.hash));
    return { arn, isNew: true };
  });
}

const tagsFor = (owner: Session["owner"], hash: string): Tags =>
  new Map([...ownTags(owner), [CONTENT_TAG, hash]]);

/** True when something was asked of ECS that takes time to take effect. */
async function applyService(
  session: Session,
  step: ServiceStep,
  arns: ReadonlyMap<string, string>,
  applied: Applied,
): Promise<boolean> {
  const { name, file, live } = step;
  if (step.action === "refuse") throw new Fatal(step.why);
  if (step.action === "delete" && live !== undefined) {
    await removeService(session, live);
    applied.deleted.push(name);
    return false;
  }
  if (file === undefined || step.action === "keep") return false;
  const taskDefinition = taskDefinitionOf(session, file, arns);
  switch (step.action) {
    case "create":
      await create(session, file, taskDefinition, live);
      applied.created.push(name);
      return true;
    case "recreate":
      if (live !== undefined) await removeService(session, live);
      await create(session, file, taskDefinition, live);
      applied.created.push(name);
      return true;
    case "update":
      await update(session, step, taskDefinition);
      if (!step.onlyTags) applied.updated.push(name);
      return !step.onlyTags;
    default:
      return false;
  }
}

/** Throws `Fatal` for a task definition of the folder that could not be registered. */
function taskDefinitionOf(
  { folder }: Session,
  { name, taskDefinition }: ServiceFile,
  arns: ReadonlyMap<string, string>,
): string {
  const family = familyOf(taskDefinition);
  if (!folder.taskDefinitions.some((one) => one.family === family)) return taskDefinition;
  const arn = arns.get(family);
  if (arn === undefined) {
    throw new Fatal(`service ${name} was left as it is, because ${family} was not registered`);
  }
  return arn;
}

async function create(
  session: Session,
  file: ServiceFile,
  taskDefinition: string,
  live: LiveService | undefined,
): Promise<void> {
  const { edges, retry, folder, owner, say } = session;
  const { cluster } = folder.names;
  if (live?.status === "DRAINING") {
    await say(`service ${file.name}: waits for the one before it to be gone`);
    await gone(session, file.name);
  }
  const input = createInput(file, { cluster, taskDefinition });
  let again = false;
  await retry(async () => {
    if (again) {
      const [there] = await edges.ecs.services(cluster, [file.name]);
      if (there?.status === "ACTIVE" && isOwn(there.tags, owner)) return;
    }
    again = true;
    await edges.ecs.createService(input, tagsFor(owner, file.hash));
  });
  await say(`service ${file.name}: created, runs ${shortOf(taskDefinition)}`);
}

async function update(
  session: Session,
  step: Extract<ServiceStep, { action: "update" }>,
  taskDefinition: string,
): Promise<void> {
  const { edges, retry, folder, owner, createOnly, say } = session;
  const { file, live } = step;
  if (file === undefined || live === undefined) return;
  if (!step.onlyTags) {
    const { cluster } = folder.names;
    const input = updateInput(file, live, { cluster, taskDefinition, createOnly });
    await retry(() => edges.ecs.updateService(input));
  }
  // After the update, so that one that was killed in between is done again rather than forgotten.
  const tags = tagsFor(owner, file.hash);
  const isTagged = [...tags].every(([key, value]) => live.tags.get(key) === value);
  if (!isTagged) await retry(() => edges.ecs.tag(live.arn, tags));
  await say(
    step.onlyTags
      ? `service ${file.name}: is as the file says`
      : `service ${file.name}: updated, runs ${shortOf(taskDefinition)}`,
  );
}

/** Drains a service, waits until none of its tasks runs, deletes it and waits until it is gone. */
async function removeService(session: Session, live: LiveService): Promise<void> {
  const { edges, retry, folder, say } = session;
  const { cluster } = folder.names;
  await drained(session, live);
  await retry(() => edges.ecs.deleteService(cluster, live.name));
  await gone(session, live.name);
  await say(`service ${live.name}: deleted`);
}

async function deregister(
  session: Session,
  steps: readonly TaskDefinitionStep[],
  applied: Applied,
): Promise<void> {
  for (const { action, family } of steps) {
    if (action === "deregister")
      applied.deregistered.push(...(await removeFamily(session, family)));
  }
}

/** Deregisters and deletes every revision of a family. Comes back with their ARNs. */
export async function removeFamily(
  { edges, retry, say }: Session,
  family: string,
): Promise<readonly string[]> {
  const arns = await retry(() => edges.ecs.revisions(family));
  for (const arn of arns) await retry(() => edges.ecs.deregister(arn));
  for (let at = 0; at < arns.length; at += 10) {
    await retry(() => edges.ecs.forget(arns.slice(at, at + 10)));
  }
  await say(`task definition ${family}: ${arns.length} revisions deregistered and deleted`);
  return arns;
}

/** `family:revision` of an ARN. */
export const shortOf = (arn: string): string => arn.replace(/^arn:[^/]*\//, "");
