import type { InstanceId } from "../../ecs/arn.ts";
import type { RecordKey, RecordSet } from "../../route53/record-set.ts";
import { sameRecord } from "../../route53/record-set.ts";
import type { Following } from "./following.ts";
import type { Known, Owners, Records, ZoneFleetOptions } from "./owners.ts";

const NONE: Records = new Map();

/**
 * What the zone holds otherwise than this process has left it: a record that it has, or none where there should be one.
 * What was changed since the look at the zone began does not count.
 */
function differing(
  { keeper, touched }: Known,
  found: Records,
  sinceMs: number,
): ReadonlyMap<RecordKey, RecordSet | undefined> {
  const published = keeper.published();
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
  { leave }: Pick<Following, "leave">,
  found: ReadonlyMap<InstanceId, Records>,
  sinceMs: number,
): Promise<void> {
  const { known, bases } = owners;
  for (const owner of new Set([...bases.keys(), ...found.keys()])) {
    if (known.has(owner)) continue;
    const base = bases.get(owner);
    const records = found.get(owner);
    if (records === undefined) bases.delete(owner);
    else bases.set(owner, { atMs: readAtMs, left: false, ...base, records });
  }
  for (const [owner, one] of [...known]) {
    for (const [key, atMs] of one.touched) if (atMs < sinceMs) one.touched.delete(key);
    const differs = differing(one, found.get(owner) ?? NONE, sinceMs);
    if (differs.size === 0 || known.get(owner) !== one) continue;
    const names = [...new Set([...differs.keys()].map((key) => key.split(" ")[0] ?? ""))];
    report({ kind: "drift", owner, records: differs.size, names });
    const published = one.keeper.published();
    const isStrange = [...differs].some(
      ([key, record]) => record !== undefined && !published.has(key),
    );
    if (!isStrange || owners.unsure.has(owner)) {
      await one.keeper.correct(differs);
      one.size = one.keeper.size();
      continue;
    }
    // Somebody writes in the owner's name: the host itself, most likely. Its next word settles it.
    await leave(owner, one, "silent");
    bases.set(owner, { records: found.get(owner) ?? NONE, atMs: 0, left: false });
  }
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
    unsure.delete(owner);
    const one = known.get(owner);
    if (one === undefined) continue;
    const differs = [...differing(one, found.get(owner) ?? NONE, sinceMs)].filter(
      ([key]) => names === "all" || names.has(key.split(" ")[0] ?? ""),
    );
    if (differs.length === 0) continue;
    await one.keeper.correct(new Map(differs));
    one.size = one.keeper.size();
  }
}
