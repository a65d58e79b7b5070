import type { InstanceId } from "../../ecs/arn.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import type { BatchLimits } from "../../route53/batches.ts";
import type { WriterReport } from "../../route53/flow/zone-writer.ts";
import type { Group } from "../../route53/group.ts";
import type { Whose } from "../../route53/own-record.ts";
import type { RecordKey, RecordSet } from "../../route53/record-set.ts";
import type { Stamp } from "../../sqs/order.ts";
import type { OwnerSet } from "../wire.ts";
import type { JointWriter } from "./joint-writer.ts";
import type { Keeper } from "./keeper.ts";

/** An owner's newest set, as a message brought it. */
export interface Word {
  readonly owner: InstanceId;
  readonly set: OwnerSet;
  readonly stamp: Stamp;
  /** Its host has written into the zone by itself before. */
  readonly direct: boolean;
}

export type FleetReport =
  | {
      readonly kind: "wrote";
      readonly owner: InstanceId;
      readonly report: WriterReport;
      /** When the newest set behind it was sent, in SQS's Unix ms. */
      readonly sentMs: number;
    }
  | { readonly kind: "joined" | "left" | "silent"; readonly owner: InstanceId }
  /** A set that would remove most of its owner's records waits to be said again. */
  | {
      readonly kind: "held";
      readonly owner: InstanceId;
      readonly records: number;
      readonly of: number;
    }
  /** A set of unknown age differs from the zone: a newer one is waited for. */
  | { readonly kind: "doubtful"; readonly owner: InstanceId }
  /** All deletes are stopped, or go on. */
  | { readonly kind: "stopped"; readonly deletes: number; readonly of: number }
  | { readonly kind: "resumed" }
  | {
      readonly kind: "drift";
      readonly owner: InstanceId;
      readonly records: number;
      readonly names: readonly string[];
    }
  | { readonly kind: "waits"; readonly problem: string };

export type Records = ReadonlyMap<RecordKey, RecordSet>;

/** What is known of an owner's records without its word: what the zone held then, in Unix ms. */
export interface Base {
  readonly records: Records;
  readonly atMs: number;
  /** Its agent said that it leaves; nobody else has written for it until then. */
  readonly left: boolean;
}

/** An owner that is heard. */
export interface Known {
  readonly keeper: Keeper;
  word: Word;
  heardAtMs: number;
  landed: Stamp | undefined;
  isFollowed: boolean;
  /** The records that the zone holds of it. */
  there: ReadonlySet<RecordKey>;
  /** What this process has changed lately, and when, in the clock's ms. */
  readonly touched: Map<RecordKey, number>;
}

/** An owner whose records are left as they are once its last request has been answered. */
export interface Leaving {
  /** What it has said since: it waits for that answer, so that no two of its requests overtake each other. */
  word: Word | undefined;
  readonly done: Promise<void>;
}

/** What is known of a zone's owners. An owner is in at most one of the first three. */
export interface Owners {
  readonly known: Map<InstanceId, Known>;
  readonly bases: Map<InstanceId, Base>;
  readonly doubts: Map<InstanceId, { readonly word: Word; readonly sinceMs: number }>;
  readonly leaving: Map<InstanceId, Leaving>;
  /** What has landed last, or was given up. */
  readonly landed: Map<InstanceId, Stamp>;
  /** Of those the ones for which the fence does not say so yet. */
  readonly unfenced: Set<InstanceId>;
  /** Those of whose records the zone may hold more than is known, and since when, in the clock's ms. */
  readonly unsure: Map<InstanceId, number>;
}

export interface ZoneFleetOptions {
  /** All records of ours in the zone, by owner, and when they were read, in Unix ms. */
  readonly found: ReadonlyMap<InstanceId, Records>;
  readonly readAtMs: number;
  /** As the fence said it when this writer took it; see `Fence`. */
  readonly horizonMs: number;
  readonly joint: Pick<JointWriter, "submit" | "stood" | "horizonMs">;
  readonly group: (whose: Whose, name: string) => Promise<Group>;
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly unixMs: () => number;
  readonly force: boolean;
  readonly report: (report: FleetReport) => void;
  /** What the owner has said until now may be deleted from the queue. */
  readonly release: (owner: InstanceId) => void;
  readonly fail: (error: unknown) => void;
}

export const ownersOf = ({
  found,
  readAtMs,
}: Pick<ZoneFleetOptions, "found" | "readAtMs">): Owners => ({
  known: new Map(),
  bases: new Map(
    [...found].map(([owner, records]) => [owner, { records, atMs: readAtMs, left: false }]),
  ),
  doubts: new Map(),
  leaving: new Map(),
  landed: new Map(),
  unfenced: new Set(),
  unsure: new Map(),
});

/** How many records of ours the zone holds. */
export function sizeOf({ bases, known }: Owners): number {
  let sum = 0;
  for (const { records } of bases.values()) sum += records.size;
  for (const one of known.values()) sum += one.there.size;
  return sum;
}
