import type { RecordKey, RecordSet } from "../../route53/record-set.ts";
import { keyOf, sameRecord } from "../../route53/record-set.ts";
import type { OwnerSet } from "../wire.ts";
import type { DeleteGuard } from "./delete-guard.ts";
import type { Following } from "./following.ts";
import { keeper } from "./keeper.ts";
import type { Base, Known, Owners, Word, ZoneFleetOptions } from "./owners.ts";

/** What an agent's start says of the time before it is off by no more than this. */
const MARGIN_MS = 60_000;
/** An agent that starts so soon after the one before it has left: nobody has written in between. */
const RESTART_MS = 120_000;
const REFUSED_RETRY_MS = 300_000;

/**
 * Takes the word of an owner that is not known, or was silent.
 *
 * | its word                                                         | then                                  |
 * |------------------------------------------------------------------|---------------------------------------|
 * | may be older than what the zone holds, and differs from it        | nothing: a newer one is waited for    |
 * | of an agent that was there before the zone was read               | its records are known: they follow    |
 * | of one that took over from an agent that has left just before     | the same                              |
 * | of any other, and of one whose host has written by itself before  | they follow, and are looked for       |
 */
export function meeting(
  owners: Owners,
  options: ZoneFleetOptions,
  guard: Pick<DeleteGuard, "admit" | "added" | "isStopped">,
  { apply }: Pick<Following, "apply">,
): (word: Word) => void {
  const { clock, report } = options;

  const open = (word: Word, published: readonly RecordSet[]): void => {
    const { owner } = word;
    owners.bases.delete(owner);
    const touched = new Map<RecordKey, number>();
    const one: Known = {
      keeper: keeper({
        ...options,
        published,
        set: word.set,
        sentMs: word.stamp.sentMs,
        group: (name) => options.group(owner, name),
        admit: guard.admit,
        isKept: guard.isStopped,
        refusedRetryMs: REFUSED_RETRY_MS,
        report(told) {
          if (told.kind === "landed") {
            for (const { record } of told.changes) touch(touched, keyOf(record), clock.now());
            const comes = told.changes.filter(({ action }) => action !== "DELETE");
            guard.added(
              comes.map(({ record }) => keyOf(record)).filter((key) => !one.there.has(key)),
            );
            one.there = new Set(one.keeper.published().keys());
          }
          report({ kind: "wrote", owner, report: told, sentMs: one.word.stamp.sentMs });
        },
      }),
      word,
      heardAtMs: clock.now(),
      landed: undefined,
      isFollowed: false,
      there: new Set(published.map(keyOf)),
      touched,
    };
    owners.known.set(owner, one);
    report({ kind: "joined", owner });
    apply(owner, one, word);
  };

  return (word) => {
    const { owner, stamp, direct } = word;
    const { startedMs } = stamp;
    const base = owners.bases.get(owner);
    const isFirst = !owners.landed.has(owner);
    if (isFirst && stamp.sentMs <= options.horizonMs && !holds(base, word.set)) {
      owners.doubts.set(owner, { word, sinceMs: clock.now() });
      report({ kind: "doubtful", owner });
      return;
    }
    owners.doubts.delete(owner);
    const atMs = base?.atMs ?? options.readAtMs;
    const wasThere = startedMs < atMs - MARGIN_MS;
    const cameBack = base?.left === true && startedMs < atMs + RESTART_MS;
    if (direct || !(wasThere || cameBack)) owners.unsure.set(owner, clock.now());
    open(word, [...(base?.records.values() ?? [])]);
  };
}

/** Of more than these nobody looks at the zone often enough to tell. */
const MOST_TOUCHED = 10_000;

function touch(touched: Map<RecordKey, number>, key: RecordKey, atMs: number): void {
  touched.delete(key);
  touched.set(key, atMs);
  const [oldest] = touched.keys();
  if (touched.size > MOST_TOUCHED && oldest !== undefined) touched.delete(oldest);
}

/** True when the zone already is as the set asks. */
function holds(base: Base | undefined, { records, keeps }: OwnerSet): boolean {
  const published = base?.records ?? new Map<RecordKey, RecordSet>();
  for (const [key, record] of records) {
    const there = published.get(key);
    if (there === undefined || !sameRecord(there, record)) return false;
  }
  return [...published.keys()].every((key) => records.has(key) || keeps.has(key));
}
