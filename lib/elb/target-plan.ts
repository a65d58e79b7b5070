import type { OwnTarget } from "./journal.ts";

/** A target of a group: an id together with a port, so that one instance can be several (API reference, TargetDescription). */
export interface Target {
  readonly id: string;
  readonly port: number;
}

/** One that the group knows. */
export interface TargetState extends Target {
  /** initial, healthy, unhealthy, unhealthy.draining, unused, draining or unavailable. */
  readonly state: string;
  readonly reason: string;
}

export interface TargetPlan {
  readonly register: readonly Target[];
  readonly deregister: readonly Target[];
  /** Ours by the journal, and not in the group any more. */
  readonly forget: readonly Target[];
  /** Wanted, and there already by somebody else's hand: never deregistered by us. */
  readonly others: readonly Target[];
}

const keyOf = ({ id, port }: Target): string => `${id} ${port}`;

/**
 * What must change in one group. `own` is what this process has registered there, as its journal proves.
 *
 * | wanted | in the group | ours | then                                     |
 * |--------|--------------|------|------------------------------------------|
 * | yes    | no, draining | any  | register                                 |
 * | yes    | yes          | any  | nothing                                  |
 * | no     | yes          | yes  | deregister                               |
 * | no     | yes          | no   | nothing: whoever registered it may leave |
 * | no     | no, draining | yes  | forget                                   |
 */
export function planTargets(
  wanted: readonly Target[],
  there: readonly TargetState[],
  own: readonly OwnTarget[],
): TargetPlan {
  const present = new Set(there.filter(({ state }) => state !== "draining").map(keyOf));
  const ours = new Set(own.map(keyOf));
  const wants = new Set(wanted.map(keyOf));
  const unwanted = own.filter((target) => !wants.has(keyOf(target)));
  const plain = ({ id, port }: Target): Target => ({ id, port });
  return {
    register: wanted.filter((target) => !present.has(keyOf(target))),
    deregister: unwanted.filter((target) => present.has(keyOf(target))).map(plain),
    forget: unwanted.filter((target) => !present.has(keyOf(target))).map(plain),
    others: wanted.filter((target) => present.has(keyOf(target)) && !ours.has(keyOf(target))),
  };
}
