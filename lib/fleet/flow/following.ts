import type { InstanceId } from "../../ecs/arn.ts";
import type { Stamp } from "../../sqs/order.ts";
import type { DeleteGuard } from "./delete-guard.ts";
import type { Known, Owners, Word, ZoneFleetOptions } from "./owners.ts";

/** What becomes of an owner that is heard. */
export interface Following {
  /** Its newest set. */
  apply(owner: InstanceId, one: Known, word: Word): void;
  /** Waits until what it asks for now is in the zone. */
  follow(owner: InstanceId, one: Known): Promise<void>;
  /** From here on its records are left as they are. */
  leave(owner: InstanceId, one: Known, why: "left" | "silent"): Promise<void>;
}

export function following(
  owners: Owners,
  { clock, unixMs, joint, report, release }: ZoneFleetOptions,
  guard: Pick<DeleteGuard, "isStopped">,
  ends: AbortSignal,
): Following {
  const leave: Following["leave"] = async (owner, one, why) => {
    owners.known.delete(owner);
    owners.unsure.delete(owner);
    const base = {
      records: one.keeper.published(),
      atMs: unixMs(),
      left: why === "left",
    };
    owners.bases.set(owner, base);
    report({ kind: why, owner });
    await one.keeper.close();
    // A request that was under way has landed since.
    if (owners.bases.get(owner) === base) {
      owners.bases.set(owner, { ...base, records: one.keeper.published() });
    } else if (owners.known.has(owner)) owners.unsure.add(owner);
  };

  const landed = (owner: InstanceId, one: Known, stamp: Stamp): void => {
    one.landed = stamp;
    owners.landed.set(owner, stamp);
    if (stamp.sentMs <= joint.horizonMs()) release(owner);
    else owners.unfenced.add(owner);
    if (one.word.stamp === stamp && one.word.set.leaves) void leave(owner, one, "left");
  };

  const follow: Following["follow"] = async (owner, one) => {
    if (one.isFollowed) return;
    one.isFollowed = true;
    while (one.landed !== one.word.stamp && owners.known.get(owner) === one) {
      const { stamp } = one.word;
      const isSettled = await one.keeper.settled();
      if (ends.aborted) return;
      if (!isSettled || one.word.stamp !== stamp) continue;
      if (one.keeper.hold() !== undefined) break;
      if (guard.isStopped() && one.keeper.unwanted() > 0) break;
      // Where the request under way was one for the same, the fence does not know of this word yet.
      joint.stood(stamp.sentMs, true);
      landed(owner, one, stamp);
    }
    one.isFollowed = false;
  };

  return {
    leave,
    follow,
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
      const isIdle = one.keeper.pending() === 0 && !one.keeper.isSending();
      // A last word is done with only when the writer has looked once more.
      if (hold !== undefined || !isIdle || word.set.leaves) {
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
