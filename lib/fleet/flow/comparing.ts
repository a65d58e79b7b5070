import type { InstanceId } from "../../ecs/arn.ts";
import type { RecordKey, RecordSet } from "../../route53/record-set.ts";
import { sameRecord } from "../../route53/record-set.ts";
import type { Following } from "./following.ts";
import { corrected, type Found } from "./keeper.ts";
import type { Known, Owners, Records, ZoneFleetOptions } from "./owners.ts";

const NONE: Records = new Map();

/**
 * What the zone holds otherwise than this process has left it: a record that it has, or none where there should be one.
 * What was changed since the look at the zone began does not count.
 */
function differing({ touched }: Known, published: Records, found: Records, sinceMs: number): Found {
  const differs = new Map<RecordKey, RecordSet | undefined>();
  const isOld = (key: RecordKey): boolean =>
    (touched.get(key) ?? Number.NEGATIVE_INFINITY) < sinceMs;
  for (const [key, record] of found) {
    const ours = published.get(key);
    if (isOld(key) && (ours === undefined || !sameRecord(ours, record))) differs.set(key, record);
  }
  for (const key of published.keys()) {
    if (isOld(key) && !found.has(key)) differs.set(key, undefined);
  }
  return differs;
}

/** Takes in what a look at the whole zone has found of all owners. `sinceMs`: when it began, in the clock's ms. */
export async function compareAll(
  owners: Owners,
  { report, readAtMs }: ZoneFleetOptions,
  follows: Pick<Following, "leave">,
  found: ReadonlyMap<InstanceId, Records>,
  sinceMs: number,
): Promise<void> {
  const { known, bases, leaving } = owners;
  for (const owner of new Set([...bases.keys(), ...found.keys()])) {
    if (known.has(owner) || leaving.has(owner)) continue;
    const base = bases.get(owner);
    const records = found.get(owner);
    if (records === undefined) bases.delete(owner);
    else bases.set(owner, { atMs: readAtMs, left: false, ...base, records });
  }
  for (const [owner, one] of [...known]) {
    for (const [key, atMs] of one.touched) if (atMs < sinceMs) one.touched.delete(key);
    const its = found.get(owner) ?? NONE;
    const differs = (published: Records) => differing(one, published, its, sinceMs);
    if (known.get(owner) !== one || differs(one.keeper.published()).size === 0) continue;
    const { drift, isStrange } = await settle(one, differs, owners.unsure.has(owner));
    if (drift.size === 0 || known.get(owner) !== one) continue;
    const names = [...new Set([...drift.keys()].map(nameIn))];
    report({ kind: "drift", owner, records: drift.size, names });
    if (!isStrange) continue;
    // Somebody writes in the owner's name: the host itself, most likely. Its next word settles it.
    await follows.leave(owner, one, "silent", (published) => ({
      records: corrected(published, differs(published)),
      atMs: 0,
    }));
  }
}

/**
 * Takes over what differs once no request of the owner is under way, for what that changes would be taken for
 * somebody's. Not where a record is strange, unless it was expected that there may be some.
 */
async function settle(
  one: Known,
  differs: (published: Records) => Found,
  mayBeStrange: boolean,
): Promise<{ readonly drift: Found; readonly isStrange: boolean }> {
  let drift: Found = new Map();
  let isStrange = false;
  await one.keeper.correct((published) => {
    drift = differs(published);
    isStrange =
      !mayBeStrange &&
      [...drift].some(([key, record]) => record !== undefined && !published.has(key));
    return isStrange ? new Map() : drift;
  });
  one.there = new Set(one.keeper.published().keys());
  return { drift, isStrange };
}

/** Takes in what was found of owners of whose records the zone may hold more than is known. */
export async function compareSome(
  { known, unsure }: Owners,
  some: ReadonlySet<InstanceId>,
  found: ReadonlyMap<InstanceId, Records>,
  names: ReadonlySet<string> | "all",
  sinceMs: number,
): Promise<void> {
  for (const owner of some) {
    // Who came to be doubted since is looked for again.
    if ((unsure.get(owner) ?? sinceMs) <= sinceMs) unsure.delete(owner);
    const one = known.get(owner);
    if (one === undefined) continue;
    const its = found.get(owner) ?? NONE;
    const differs = (published: Records): Found => {
      const all = [...differing(one, published, its, sinceMs)];
      return new Map(names === "all" ? all : all.filter(([key]) => names.has(nameIn(key))));
    };
    if (differs(one.keeper.published()).size > 0) await settle(one, differs, true);
  }
}

const nameIn = (key: RecordKey): string => key.slice(0, key.indexOf(" "));
