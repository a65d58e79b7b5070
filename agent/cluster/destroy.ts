import type { LiveService } from "../../lib/cloud/service.ts";
import { deletionOf, type LiveStack, refusalOf, stateOf } from "../../lib/cloud/stack.ts";
import { isOwn } from "../../lib/cloud/tags.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import { removeFamily } from "./apply.ts";
import { builtInStacks } from "./built-in.ts";
import { readLive } from "./look.ts";
import type { Session } from "./session.ts";
import { removeStack } from "./stacks.ts";
import { drained, gone } from "./steady.ts";

/** What goes, in the order in which it does, and what stays. */
export interface Ruin {
  readonly services: readonly LiveService[];
  /** Families of which every active revision is deregistered. */
  readonly families: readonly string[];
  readonly stacks: readonly LiveStack[];
  readonly fileSystems: readonly string[];
  readonly stays: readonly string[];
  /** Why nothing may be destroyed, each as one sentence. */
  readonly refused: readonly string[];
}

/** Reads what the folder made. Everything in it carries the folder's tags; nothing else is ever in it. */
export async function lookAtRuin(session: Session): Promise<Ruin> {
  const { folder, edges, retry, owner, config } = session;
  const { latest, services } = await readLive(session);
  const own = [...services.values()].filter(
    ({ status, tags }) => status !== "INACTIVE" && isOwn(tags, owner),
  );
  const stays: string[] = [];
  const refused: string[] = [];
  const stacks: LiveStack[] = [];
  const files = folder.stacks.length > 0 ? folder.stacks : builtInStacks(folder.names.prefix);
  let holdsCluster = false;
  for (const file of files.toReversed()) {
    const live = await retry(() => edges.stacks.stack(file.name));
    if (live === undefined) continue;
    // One that is stuck can be deleted; one of somebody else can't.
    const foreign = isOwn(live.tags, owner)
      ? undefined
      : refusalOf(live, { owner, adopt: config.adopt });
    if (foreign !== undefined && stateOf(live).kind !== "absent") {
      refused.push(foreign);
      continue;
    }
    const deletion = deletionOf(file, config);
    if (deletion.kind === "keep") stays.push(`stack ${file.name}: ${deletion.why}`);
    else if (deletion.kind === "refuse") refused.push(deletion.why);
    else {
      stacks.push(live);
      if (deletion.note !== undefined) stays.push(`of stack ${file.name}, ${deletion.note}`);
      holdsCluster ||= [...file.template.resources.values()].includes("AWS::ECS::Cluster");
    }
  }
  if (holdsCluster) {
    const mine = new Set(own.map(({ name }) => name));
    for (const { name } of stacks) {
      const made = await retry(() => edges.stacks.resources(name));
      for (const { type, id } of made) {
        if (type === "AWS::ECS::Service") mine.add(id.replace(/^.*\//, ""));
      }
    }
    refused.push(...(await foreignServices(session, mine)));
  }
  const families: string[] = [];
  for (const { family, tags } of latest.values()) {
    if (!isOwn(tags, owner)) continue;
    const active = await retry(() => edges.ecs.revisions(family));
    if (active.length > 0) families.push(family);
  }
  return {
    ...{ services: own, families, stacks, stays, refused },
    fileSystems: config.deleteData ? await retry(() => edges.account.fileSystems(owner)) : [],
  };
}

/** A cluster can't be deleted while somebody else's services are in it. */
async function foreignServices(
  { folder, edges, retry }: Session,
  mine: ReadonlySet<string>,
): Promise<readonly string[]> {
  const { cluster } = folder.names;
  const others = (await retry(() => edges.ecs.serviceNames(cluster))).filter(
    (name) => !mine.has(name),
  );
  return others.length === 0
    ? []
    : [
        `cluster ${cluster} has services that are not of this folder and prefix (${others.slice(0, 10).join(", ")}): delete them first`,
      ];
}

export const isEmpty = ({ services, families, stacks, fileSystems }: Ruin): boolean =>
  services.length + families.length + stacks.length + fileSystems.length === 0;

/** Services first, because the cluster can't go while they are there; the data last of all. */
export async function destroy(session: Session, ruin: Ruin): Promise<void> {
  const { edges, retry, folder, say, owner, config } = session;
  const { cluster } = folder.names;
  if (ruin.refused.length > 0) throw new Fatal(ruin.refused.join("; "));
  // All are asked first, so that they stop side by side.
  for (const { name, desired, daemon, status } of ruin.services) {
    if (daemon || desired === 0 || status !== "ACTIVE") continue;
    await retry(() => edges.ecs.updateService({ cluster, service: name, desiredCount: 0 }));
  }
  for (const service of ruin.services) {
    await drained(session, { ...service, desired: 0 });
    await retry(() => edges.ecs.deleteService(cluster, service.name));
    await gone(session, service.name);
    await say(`service ${service.name}: deleted`);
  }
  for (const family of ruin.families) await removeFamily(session, family);
  for (const { name } of ruin.stacks) await removeStack(session, name);
  if (!config.deleteData) return;
  for (const id of await retry(() => edges.account.fileSystems(owner))) {
    await retry(() => edges.account.deleteFileSystem(id));
    await say(`file system ${id}: deleted`);
  }
}
