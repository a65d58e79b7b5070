import type { InstanceId } from "../../ecs/arn.ts";
import type { Stamp } from "../../sqs/order.ts";
import type { DeleteGuard } from "./delete-guard.ts";
import type { Base, Known, Leaving, Owners, Records, Word, ZoneFleetOptions } from "./owners.ts";

/** What becomes of an owner that is heard. */
export interface Following {
  /** Its newest set. */
  apply(owner: InstanceId, one: Known, word: Word): void;
  /** Waits until what it asks for now is in the zone. */
  follow(owner: InstanceId, one: Known): Promise<void>;
  /**
   * From here on its records are left as they are; `base` says more of them, once its last request has been answered.
   * What it says until then is heard after that.
   */
  leave(
    owner: InstanceId,
    one: Known,
    why: "left" | "silent",
    base?: (published: Records) => Partial<Base>,
  ): Promise<void>;
  /** Lets an owner leave that has said so, once nothing of its last word waits, of what was refused either. */
  letGo(owner: InstanceId, one: Known): void;
  /** This word of it is done with, landed or given up. */
  done(owner: InstanceId, stamp: Stamp): void;
}

export function following(
  owners: Owners,
  { clock, unixMs, joint, report, release }: ZoneFleetOptions,
  guard: Pick<DeleteGuard, "isStopped">,
  ends: AbortSignal,
  hear: (word: Word) => void,
): Following {
  const leave = ownerLeaves(owners, { unixMs, report }, ends, hear);
  const done: Following["done"] = (owner, stamp) => {
    owners.landed.set(owner, stamp);
    if (stamp.sentMs <= joint.horizonMs()) release(owner);
    else owners.unfenced.add(owner);
  };
  const landed = (owner: InstanceId, one: Known, stamp: Stamp): void => {
    one.landed = stamp;
    done(owner, stamp);
    letGo(owner, one);
  };
  const letGo: Following["letGo"] = (owner, one) => {
    const { word, keeper } = one;
    const isDone = one.landed === word.stamp && isIdle(keeper);
    if (word.set.leaves && isDone) void leave(owner, one, "left");
  };
  const isHeldBack = ({ keeper }: Known) => waitsForSomebody(keeper, guard.isStopped());

  const follow: Following["follow"] = async (owner, one) => {
    if (one.isFollowed) return;
    one.isFollowed = true;
    while (one.landed !== one.word.stamp && owners.known.get(owner) === one) {
      const { stamp } = one.word;
      const isSettled = await one.keeper.settled();
      if (ends.aborted) return;
      if (!isSettled || one.word.stamp !== stamp) continue;
      if (isHeldBack(one)) break;
      // Where the request under way was one for the same, the fence does not know of this word yet.
      joint.stood(stamp.sentMs, true);
      landed(owner, one, stamp);
    }
    one.isFollowed = false;
  };

  return {
    leave,
    letGo,
    follow,
    done,
    apply(owner, one, word) {
      const before = one.word;
      const heldBefore = before === word ? undefined : one.keeper.hold();
      one.word = word;
      one.heardAtMs = clock.now();
      one.keeper.put(word.set, word.stamp.sentMs);
      const hold = one.keeper.hold();
      if (hold !== undefined && heldBefore === undefined) {
        report({ kind: "held", owner, records: hold.keys.size, of: one.keeper.size() });
      }
      // A last word is done with only when the writer has looked once more.
      if (isHeldBack(one) || !isIdle(one.keeper) || word.set.leaves) {
        void follow(owner, one);
        return;
      }
      const { epoch, seq } = word.stamp;
      const isNext = before.stamp.epoch === epoch && before.stamp.seq + 1 === seq;
      joint.stood(word.stamp.sentMs, !(isNext && one.landed === before.stamp));
      landed(owner, one, word.stamp);
    },
  };
}

/** Leaves the owner's records as they are; a word that comes while its last request is answered is heard after that. */
const ownerLeaves =
  (
    owners: Owners,
    { unixMs, report }: Pick<ZoneFleetOptions, "unixMs" | "report">,
    ends: AbortSignal,
    hear: (word: Word) => void,
  ): Following["leave"] =>
  (owner, one, why, base) => {
    owners.known.delete(owner);
    owners.unsure.delete(owner);
    const records = one.keeper.published();
    const left = { records, atMs: unixMs(), left: why === "left" };
    owners.bases.set(owner, left);
    report({ kind: why, owner });
    const leaving: Leaving = { word: undefined, done: one.keeper.close().then(closed) };
    owners.leaving.set(owner, leaving);
    return leaving.done;

    function closed(): void {
      // A request that was under way has landed since.
      const published = one.keeper.published();
      owners.bases.set(owner, { ...left, records: published, ...base?.(published) });
      owners.leaving.delete(owner);
      if (leaving.word !== undefined && !ends.aborted) hear(leaving.word);
    }
  };

const isIdle = (keeper: Known["keeper"]): boolean => keeper.pending() === 0 && !keeper.isSending();

/** Something of the owner's newest set is held back: by its own guard, or because deletes are stopped. */
const waitsForSomebody = (keeper: Known["keeper"], areDeletesStopped: boolean): boolean =>
  keeper.hold() !== undefined || (areDeletesStopped && keeper.unwanted() > 0);
