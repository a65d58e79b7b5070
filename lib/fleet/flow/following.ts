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
    const records = one.keeper.published();
    owners.bases.set(owner, { records, atMs: unixMs(), left: why === "left" });
    report({ kind: why, owner });
    await one.keeper.close();
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
      if (hold !== undefined || one.keeper.pending() > 0) {
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
