import { type LiveService, planServices, type ServiceStep } from "../../lib/cloud/service.ts";
import type { StackStep } from "../../lib/cloud/stack.ts";
import { CONTENT_TAG, isOwn, type Tags } from "../../lib/cloud/tags.ts";
import {
  familyOf,
  planTaskDefinitions,
  type Revision,
  revisionOf,
  type TaskDefinitionStep,
} from "../../lib/cloud/task-definition.ts";
import type { Session } from "./session.ts";
import { lookAtStacks } from "./stacks.ts";
import { type OrProblems, wantedStacks } from "./wanted.ts";

/** What a folder would change, in the order in which it would. */
export interface Plan {
  readonly stacks: readonly StackStep[];
  readonly taskDefinitions: readonly TaskDefinitionStep[];
  readonly services: readonly ServiceStep[];
  /** A parameters file that apply would write, because the account leaves no choice. */
  readonly newParams?: string;
  readonly notes: readonly string[];
}

/** So many changed task definitions are read in full to show what changes; of more, only that they do. */
const SHOWN_IN_FULL = 12;

/** Reads what there is, and compares. Changes nothing but for the change sets that CloudFormation shows and forgets. */
export async function look(session: Session): Promise<OrProblems<Plan>> {
  const wanted = await wantedStacks(session);
  if ("problems" in wanted) return wanted;
  const stacks = await lookAtStacks(session, wanted);
  if ("problems" in stacks) return stacks;
  const loaded = await lookAtLoad(session);
  return {
    stacks: stacks.steps,
    ...loaded,
    ...(wanted.newParams !== undefined && { newParams: wanted.newParams }),
    notes: [...session.folder.notes, ...wanted.notes],
  };
}

/** The same of what is loaded into the cluster. */
export async function lookAtLoad(
  session: Session,
): Promise<Pick<Plan, "taskDefinitions" | "services">> {
  const { folder, config, owner, createOnly } = session;
  const { latest, services } = await readLive(session);
  const rules = { owner, adopt: config.adopt, prune: config.prune };
  const taskDefinitions = planTaskDefinitions(folder.taskDefinitions, latest, rules);
  const pins = new Map(
    taskDefinitions.flatMap(({ family, file, action, latest: revision }) =>
      file === undefined
        ? []
        : [[family, { arn: action === "keep" ? revision?.arn : undefined }] as const],
    ),
  );
  return {
    taskDefinitions,
    services: planServices(folder.services, services, {
      ...rules,
      ...{ recreate: config.recreate, createOnly },
      pinned: (family) => pins.get(family),
    }),
  };
}

/** What is there of the folder's families and services, and of those that were its own once. */
export async function readLive(session: Session): Promise<{
  readonly latest: ReadonlyMap<string, Revision>;
  readonly services: ReadonlyMap<string, LiveService>;
  /** Own active revisions, as far as their tags tell of them; undefined where reading tags is not allowed. */
  readonly revisions: readonly string[] | undefined;
}> {
  const { folder, edges, retry, owner, surroundings } = session;
  const { cluster, taskPrefix } = folder.names;
  const tagged = await retry(() => edges.account.tagged(owner));
  if (tagged === undefined) {
    surroundings.log.warn(
      "tag:GetResources is not allowed: every task definition is asked for by itself, which takes a request each",
    );
  }
  const families = new Set(await retry(() => edges.ecs.families(taskPrefix)));
  const wanted = new Set(folder.taskDefinitions.map(({ family }) => family));
  for (const family of wanted) {
    // With an empty prefix the list is all of the account's, which a family of ours is in as well.
    if (!family.startsWith(taskPrefix)) families.add(family);
  }
  const latest = new Map<string, Revision>();
  for (const { arn, tags } of tagged ?? []) {
    if (!isTaskDefinition(arn)) continue;
    const family = familyOf(arn);
    const known = latest.get(family);
    const isNewer = known === undefined || revisionOf(arn) > revisionOf(known.arn);
    if (families.has(family) && isNewer) latest.set(family, { family, arn, tags });
  }
  await fillIn(session, families, latest, tagged === undefined);
  return {
    latest,
    services: await readServices(session, cluster, tagged),
    revisions: tagged
      ?.map(({ arn }) => arn)
      .filter((arn) => isTaskDefinition(arn) && families.has(familyOf(arn))),
  };
}

/** Asks ECS itself about each family that tags do not tell enough of. */
async function fillIn(
  { folder, edges, retry, owner }: Session,
  families: ReadonlySet<string>,
  latest: Map<string, Revision>,
  all: boolean,
): Promise<void> {
  const running = new Set(folder.services.map(({ taskDefinition }) => familyOf(taskDefinition)));
  const hashes = new Map(folder.taskDefinitions.map(({ family, hash }) => [family, hash]));
  const changed = [...hashes]
    .filter(([family, hash]) => {
      const known = latest.get(family);
      return known !== undefined && known.tags.get(CONTENT_TAG) !== hash;
    })
    .map(([family]) => family)
    .toSorted((a, b) => Number(running.has(b)) - Number(running.has(a)))
    .slice(0, SHOWN_IN_FULL);
  const unknown = [...families].filter(
    (family) => !latest.has(family) && (hashes.has(family) || all),
  );
  for (const family of [...unknown, ...changed]) {
    const found = await retry(() => edges.ecs.taskDefinition(family));
    if (found === undefined) latest.delete(family);
    else if (hashes.has(family) || isOwn(found.tags, owner)) latest.set(family, found);
  }
}

async function readServices(
  { folder, edges, retry }: Session,
  cluster: string,
  tagged: readonly { readonly arn: string; readonly tags: Tags }[] | undefined,
): Promise<ReadonlyMap<string, LiveService>> {
  const listed =
    tagged === undefined
      ? await retry(() => edges.ecs.serviceNames(cluster))
      : tagged.flatMap(({ arn }) => {
          const [, of, name] = /:service\/(?:([^/]+)\/)?([^/]+)$/.exec(arn) ?? [];
          return name === undefined || (of !== undefined && of !== cluster) ? [] : [name];
        });
  const names = [...new Set([...folder.services.map(({ name }) => name), ...listed])];
  const services = new Map<string, LiveService>();
  for (let at = 0; at < names.length; at += 10) {
    const some = names.slice(at, at + 10);
    for (const one of await retry(() => edges.ecs.services(cluster, some))) {
      services.set(one.name, one);
    }
  }
  return services;
}

const isTaskDefinition = (arn: string): boolean => arn.includes(":task-definition/");
