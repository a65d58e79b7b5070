import { type ChangeInput, contested, malformed, requestLimits, wantedOf } from "./change-input.ts";
import {
  type AppliedChange,
  apexProblems,
  inZone,
  placement,
  removal,
  ttlProblems,
} from "./placement.ts";
import { invalidBatch, invalidInput, type Refused } from "./refusals.ts";
import { orderOf, positionOf, type ZoneState } from "./zone.ts";

export type { ChangeInput, RecordInput } from "./change-input.ts";
export { listPage, type Page } from "./list.ts";
export { canonicalName } from "./names.ts";
export type { AppliedChange } from "./placement.ts";
export type { Refused, RuleError } from "./refusals.ts";
export { newZone, recordsOf, type ZoneRecord, type ZoneState } from "./zone.ts";

/**
 * The zone after the whole batch, or the zone's reasons against it: all or nothing [SDK d.ts]. Changes take effect in
 * the order given, so a DELETE makes room only for what follows it.
 */
export const applyBatch = (
  zone: ZoneState,
  changes: readonly ChangeInput[],
):
  | { readonly ok: true; readonly zone: ZoneState; readonly applied: readonly AppliedChange[] }
  | Refused => {
  if (changes.length === 0) {
    return invalidInput("Invalid request: expected Changes of at least 1 member, got 0"); // [MODEL]; wording ours
  }
  const malformations = changes.map(malformed).filter((text) => text !== undefined);
  if (malformations.length > 0) {
    return invalidInput(`Invalid request: ${malformations.join(", ")}`);
  }
  const limits = requestLimits(changes);
  if (limits.length > 0) return invalidBatch(limits);

  const wanted = changes.map(wantedOf);
  const problems: string[] = wanted.flatMap((change) => change.problems);
  const contests = contested(wanted);
  for (const { type, name } of contests.values()) {
    // [GH cli53#81], [GH external-dns#4241]
    problems.push(
      `The request contains an invalid set of changes for a resource record set '${type} ${name}'`,
    );
  }

  const entries = [...zone.entries];
  const applied: AppliedChange[] = [];
  for (const change of wanted) {
    const { action, record } = change;
    const order = orderOf(record);
    if (change.problems.length > 0 || contests.has(order)) continue;
    // [GH amazon-archives/service-discovery-ecs-dns#3]
    if (!inZone(zone, record.name)) {
      problems.push(`RRSet with DNS name ${record.name} is not permitted in zone ${zone.name}`);
      continue;
    }
    const at = positionOf(entries, order);
    const found = entries[at];
    const current = found?.order === order ? found.record : undefined;
    const problem =
      action === "DELETE" ? removal(current, record) : placement(zone, entries, current, change);
    if (problem !== undefined) {
      problems.push(problem);
      continue;
    }
    const next = action === "DELETE" ? [] : [{ order, record }];
    entries.splice(at, current === undefined ? 0 : 1, ...next);
    applied.push({ action, record, ...(current === undefined ? {} : { previous: current }) });
  }
  problems.push(...ttlProblems(entries, applied), ...apexProblems(zone, entries));
  return problems.length > 0
    ? invalidBatch(problems)
    : { ok: true, zone: { ...zone, entries }, applied };
};
