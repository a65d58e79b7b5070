import { digestOf, type Message, type WireSet } from "./message.ts";
import { isNewer, isSame, type Stamp } from "./order.ts";

/**
 * What a message is to its owner's others.
 * - newest: with it there is a whole set that is newer than all before; here it is.
 * - part: of a set that is newer, and not whole yet.
 * - double: of the set that is the newest one already.
 * - older: nothing of it matters any more.
 * - torn: its set is whole, and is not what its manifest says.
 */
type Reading =
  | { readonly kind: "newest"; readonly set: WireSet }
  | { readonly kind: "part" | "double" | "older" }
  | { readonly kind: "torn"; readonly problem: string };

export interface OwnerTable<Owner> {
  read(owner: Owner, message: Message, stamp: Stamp): Reading;
  /** The newest whole set's stamp. */
  newest(owner: Owner): Stamp | undefined;
  forget(owner: Owner): void;
}

interface Collected {
  readonly stamp: Stamp;
  readonly parts: Map<number, Message>;
}

/** Of each owner the newest set, and the parts of one that is newer still; of that only one at a time. */
export function ownerTable<Owner>(): OwnerTable<Owner> {
  const newest = new Map<Owner, Stamp>();
  const collecting = new Map<Owner, Collected>();

  const whole = (owner: Owner, set: WireSet, stamp: Stamp): Reading => {
    newest.set(owner, stamp);
    collecting.delete(owner);
    return { kind: "newest", set };
  };

  return {
    newest: (owner) => newest.get(owner),
    forget(owner) {
      newest.delete(owner);
      collecting.delete(owner);
    },
    read(owner, message, stamp) {
      const known = newest.get(owner);
      if (known !== undefined && isSame(stamp, known)) return { kind: "double" };
      if (known !== undefined && !isNewer(stamp, known)) return { kind: "older" };
      const { manifest } = message;
      if (manifest === undefined) return whole(owner, message, stamp);
      const before = collecting.get(owner);
      if (before !== undefined && isNewer(before.stamp, stamp)) return { kind: "older" };
      const parts = before !== undefined && isSame(before.stamp, stamp) ? before.parts : new Map();
      parts.set(manifest.part, message);
      collecting.set(owner, { stamp, parts });
      if (parts.size < manifest.of) return { kind: "part" };
      const all = [...parts.values()];
      const set: WireSet = {
        ...message,
        records: all.flatMap(({ records }) => records),
        keeps: all.flatMap(({ keeps }) => keeps),
      };
      if (set.records.length === manifest.records && digestOf(set) === manifest.digest) {
        return whole(owner, set, stamp);
      }
      collecting.delete(owner);
      return { kind: "torn", problem: "its parts together are not what its manifest says" };
    },
  };
}
