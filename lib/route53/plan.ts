import { keyOf, type RecordKey, type RecordSet, sameRecord, sameRouting } from "./record-set.ts";

export type Change =
  | { readonly action: "UPSERT" | "DELETE"; readonly record: RecordSet }
  /** Deletes `before` and creates `record` in its place, in one request: its routing policy can't be changed otherwise. */
  | { readonly action: "REPLACE"; readonly record: RecordSet; readonly before: RecordSet };

/** True when both ask the same of Route 53. */
export const sameChange = (a: Change, b: Change): boolean =>
  a.action === b.action && sameRecord(a.record, b.record);

/** What Route 53 accepted last for a key. Not `certain` when an answer was lost: the zone may hold it, or what was before. */
export interface Published {
  readonly record: RecordSet;
  readonly certain: boolean;
}

/**
 * The changes that move the zone from `published` to `desired`, deletes first: a dead task's record harms clients more
 * than a live one's absence.
 *
 * | published | desired       | change   |
 * |-----------|---------------|----------|
 * | -         | R             | UPSERT R |
 * | R         | R             | none     |
 * | P         | R, other      | UPSERT R |
 * | P         | R, other routing | REPLACE P by R |
 * | P         | -             | DELETE P |
 * | P         | -, but kept   | none     |
 * | perhaps P | R, even P     | UPSERT R |
 * | perhaps P | -             | DELETE P |
 * | perhaps P | -, but kept   | none     |
 */
export function plan(
  published: ReadonlyMap<RecordKey, Published>,
  desired: ReadonlyMap<RecordKey, RecordSet>,
  kept: ReadonlySet<RecordKey>,
): readonly Change[] {
  const deletes: Change[] = [];
  for (const [key, { record }] of published) {
    if (!desired.has(key) && !kept.has(key)) deletes.push({ action: "DELETE", record });
  }
  const upserts: Change[] = [];
  for (const [key, record] of desired) {
    const before = published.get(key);
    if (before !== undefined && !sameRouting(before.record, record)) {
      upserts.push({ action: "REPLACE", record, before: before.record });
    } else if (before === undefined || !before.certain || !sameRecord(before.record, record)) {
      upserts.push({ action: "UPSERT", record });
    }
  }
  return [...deletes, ...upserts];
}

/** The published table once Route 53 has accepted the changes. */
export function accepted(
  published: ReadonlyMap<RecordKey, Published>,
  changes: readonly Change[],
): ReadonlyMap<RecordKey, Published> {
  const after = new Map(published);
  for (const { action, record } of changes) {
    if (action === "DELETE") after.delete(keyOf(record));
    else after.set(keyOf(record), { record, certain: true });
  }
  return after;
}

/** The published table once it is unknown whether Route 53 accepted the changes. */
export function uncertain(
  published: ReadonlyMap<RecordKey, Published>,
  changes: readonly Change[],
): ReadonlyMap<RecordKey, Published> {
  const after = new Map(published);
  for (const { record } of changes) after.set(keyOf(record), { record, certain: false });
  return after;
}

/** A batch in Route 53's own terms. */
export interface Step {
  readonly action: "DELETE" | "CREATE" | "UPSERT";
  readonly record: RecordSet;
}

/**
 * The changes in the order in which Route 53 takes them: all that goes before all that comes, because the last record
 * set of the one routing policy must be gone before the first of the other.
 */
export function stepsOf(changes: readonly Change[]): readonly Step[] {
  const goes: Step[] = [];
  const comes: Step[] = [];
  for (const change of changes) {
    const { record } = change;
    switch (change.action) {
      case "DELETE":
        goes.push({ action: "DELETE", record });
        break;
      case "UPSERT":
        comes.push({ action: "UPSERT", record });
        break;
      case "REPLACE":
        goes.push({ action: "DELETE", record: change.before });
        comes.push({ action: "CREATE", record });
    }
  }
  return [...goes, ...comes];
}

/** How many records the two tables do not have in common. */
export function differing(
  before: ReadonlyMap<RecordKey, Published>,
  after: ReadonlyMap<RecordKey, Published>,
): number {
  const same = (
    key: RecordKey,
    { record }: Published,
    other: ReadonlyMap<RecordKey, Published>,
  ) => {
    const there = other.get(key);
    return there !== undefined && sameRecord(there.record, record);
  };
  const changed = [...after].filter(([key, entry]) => !same(key, entry, before)).length;
  const gone = [...before.keys()].filter((key) => !after.has(key)).length;
  return changed + gone;
}
