import type { Clock } from "../../kit/flow/clock.ts";
import { type Group, type GroupKey, groupKey } from "../group.ts";
import { type Change, type Published, sameChange } from "../plan.ts";
import { keyOf, type RecordKey } from "../record-set.ts";
import { readRefusal } from "../refusal.ts";
import { groupsWithRoom, lookups } from "./refusal-lookups.ts";
import type { Submission } from "./writer-ports.ts";

/** A change that Route 53 won't have as it is, until a moment in the clock's ms. */
interface Refused {
  readonly change: Change;
  readonly message: string;
  readonly untilMs: number;
  /** Only for want of room in its group. */
  readonly isFull: boolean;
}

/** What must be asked before it is known which change of a refused batch is to blame, and why. One request. */
export type Question =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "part"; readonly part: readonly Change[] };

export interface Refusals {
  /** A batch was refused in these words. */
  take(batch: readonly Change[], message: string): void;
  /** How the change was refused, where it was and still waits for that. */
  of(change: Change): Refused | undefined;
  /** It is not to be sent now: it was refused, or it is not known yet what is wrong with it. */
  holds(change: Change): boolean;
  /** The next question that is open; undefined when everything is known. */
  next(): Question | undefined;
  /** How the part that was asked about was received. */
  tried(part: readonly Change[], submission: Submission): void;
  /** What a name holds, read for whatever reason; what is published is up to date with it. */
  saw(group: Group): void;
  /** These have landed: where one of our own has gone, a full group has room. */
  landed(changes: readonly Change[]): void;
  /** Forgets what is not planned any more. */
  keepOnly(planned: readonly Change[]): void;
  /** When the first of the refused is to be tried again. */
  nextRetryMs(): number;
}

export interface RefusalOptions {
  readonly clock: Clock;
  /** How long a refused change waits before it is tried again as it was. */
  readonly retryMs: number;
  readonly published: () => ReadonlyMap<RecordKey, Published>;
  readonly adoptedTtl: (of: GroupKey) => number | undefined;
  /** What a change was to delete is gone already. */
  readonly alreadyGone: (change: Change) => void;
  readonly report: (refused: {
    readonly change: Change;
    readonly message: string;
    readonly retryMs: number;
  }) => void;
}

/** Tells whether exactly this change is planned. */
type IsPlanned = (change: Change) => boolean;

/**
 * Sorts out refused batches, one question at a time, so that a throttled host keeps its turn meanwhile. A change that is
 * to blame waits, with Route 53's words; all others of its batch go on.
 */
export function refusals(options: RefusalOptions): Refusals {
  const refused = refusedChanges(options);
  const reads = lookups({ ...options, refuse: refused.add });
  const halving = search(refused.add);

  const take = (batch: readonly Change[], message: string): void => {
    const verdicts = readRefusal(message, batch);
    if (verdicts.length === 0) halving.begin(batch, message);
    const changes = new Map(batch.map((change) => [keyOf(change.record), change]));
    for (const verdict of verdicts) {
      const change = changes.get(verdict.key);
      if (change === undefined) continue;
      if (verdict.kind === "already-gone") options.alreadyGone(change);
      // What is in doubt may be refused only because the zone holds something else: look first.
      else if (
        verdict.kind !== "refused" ||
        options.published().get(verdict.key)?.certain === false
      )
        reads.add(change, verdict);
      else refused.add(change, verdict.message);
    }
  };

  return {
    take,
    of: refused.of,
    holds: (change) =>
      refused.of(change) !== undefined || reads.holds(change) || halving.holds(change),
    next: () => halving.next() ?? reads.next(),
    tried(part, submission) {
      if (submission.kind === "accepted") {
        halving.cleared(part);
      } else if (readRefusal(submission.message, part).length === 0) {
        halving.narrowed(part, submission.message);
      } else {
        halving.end();
        take(part, submission.message);
      }
    },
    saw(group) {
      refused.lift(groupsWithRoom(group));
      reads.saw(group);
    },
    landed(changes) {
      const gone = changes.filter(({ action }) => action === "DELETE");
      refused.lift(new Set(gone.map(({ record }) => groupKey(record))));
    },
    keepOnly(planned) {
      const now = new Map(planned.map((change) => [keyOf(change.record), change]));
      const isPlanned: IsPlanned = (change) => {
        const one = now.get(keyOf(change.record));
        return one !== undefined && sameChange(one, change);
      };
      refused.keepOnly(now);
      reads.keepOnly(isPlanned);
      halving.keepOnly(isPlanned);
    },
    nextRetryMs: refused.nextRetryMs,
  };
}

/** The changes that wait because Route 53 has refused them as they are. */
function refusedChanges({
  clock,
  retryMs,
  report,
}: Pick<RefusalOptions, "clock" | "retryMs" | "report">) {
  const refused = new Map<RecordKey, Refused>();
  return {
    add(change: Change, message: string, isFull = false): void {
      const untilMs = clock.now() + retryMs;
      refused.set(keyOf(change.record), { change, message, untilMs, isFull });
      report({ change, message, retryMs });
    },
    of(change: Change): Refused | undefined {
      const held = refused.get(keyOf(change.record));
      const waits = held !== undefined && clock.now() < held.untilMs;
      return waits && sameChange(held.change, change) ? held : undefined;
    },
    /** There is room in these groups: what waited for that is sent again at once. */
    lift(groups: ReadonlySet<GroupKey>): void {
      for (const [key, { change, isFull }] of refused) {
        if (isFull && groups.has(groupKey(change.record))) refused.delete(key);
      }
    },
    keepOnly(planned: ReadonlyMap<RecordKey, Change>): void {
      for (const key of refused.keys()) if (!planned.has(key)) refused.delete(key);
    },
    nextRetryMs: () => Math.min(...[...refused.values()].map(({ untilMs }) => untilMs)),
  };
}

/**
 * Halves a refused batch in which nobody knows the one to blame, until one is left: about log2 n requests. Meanwhile the
 * whole batch waits.
 */
function search(refuse: (change: Change, message: string) => void) {
  const open: {
    readonly batch: ReadonlyMap<RecordKey, Change>;
    suspects: readonly Change[];
    words: string;
  }[] = [];
  return {
    begin(batch: readonly Change[], words: string): void {
      const byKey = new Map(batch.map((change) => [keyOf(change.record), change]));
      open.push({ batch: byKey, suspects: batch, words });
    },
    holds: (change: Change): boolean =>
      open.some(({ batch }) => {
        const one = batch.get(keyOf(change.record));
        return one !== undefined && sameChange(one, change);
      }),
    next(): Question | undefined {
      for (let [first] = open; first !== undefined; [first] = open) {
        const { suspects, words } = first;
        if (suspects.length > 1) {
          return { kind: "part", part: suspects.slice(0, Math.ceil(suspects.length / 2)) };
        }
        open.shift();
        for (const change of suspects) refuse(change, words);
      }
      return undefined;
    },
    /** The part was accepted, so it is one of the others. */
    cleared(part: readonly Change[]): void {
      const [first] = open;
      if (first !== undefined) first.suspects = first.suspects.slice(part.length);
    },
    narrowed(part: readonly Change[], words: string): void {
      const [first] = open;
      if (first === undefined) return;
      first.suspects = part;
      first.words = words;
    },
    end: (): void => void open.shift(),
    /** Without one of its suspects there may be nobody left to find: the next batch begins anew. */
    keepOnly(isPlanned: IsPlanned): void {
      const left = open.filter(({ suspects }) => suspects.every(isPlanned));
      open.splice(0, open.length, ...left);
    },
  };
}
