import type { Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import type { Doorbell } from "../../kit/flow/doorbell.ts";
import type { BatchLimits } from "../batches.ts";
import type { Group } from "../group.ts";
import type { Change, Published } from "../plan.ts";
import type { RecordKey, RecordSet } from "../record-set.ts";
import type { GroupReport } from "./group-memory.ts";

/** How a batch was received. A refused batch changed nothing, unless an earlier try of it may have. */
export type Submission =
  | { readonly kind: "accepted"; readonly changeId?: string }
  | { readonly kind: "refused"; readonly message: string; readonly mayHaveLanded?: boolean };

/** A piece of the whole zone: the owner's records in it, and where the next one begins. */
export interface ZonePage<Cursor> {
  readonly own: readonly RecordSet[];
  readonly instances: Group["instances"];
  readonly next?: Cursor;
}

/** Each function throws `Unavailable` when trying again may help, anything else when it can't. */
export interface WriterPorts<Cursor> {
  /** Sends one batch. */
  readonly submit: (batch: readonly Change[]) => Promise<Submission>;
  /** What the zone holds under one name now. */
  readonly group: (name: string) => Promise<Group>;
  /** What the zone holds from the cursor on; undefined is its beginning. */
  readonly page: (cursor: Cursor | undefined) => Promise<ZonePage<Cursor>>;
  /** Remembers what is published, before each request and after it, once the zone is known whole. Never throws. */
  readonly remember: (published: ReadonlyMap<RecordKey, Published>, hosts: number) => Promise<void>;
  /** Another agent of the owner has taken over what is remembered: then nothing more is sent. */
  readonly isReplaced?: () => boolean;
}

/** What the writer tells of its work, for the log. */
export type WriterReport =
  | { readonly kind: "landed"; readonly changes: readonly Change[] }
  | {
      readonly kind: "refused";
      readonly change: Change;
      readonly message: string;
      readonly retryMs: number;
    }
  | {
      readonly kind: "waits";
      readonly problem: string;
      readonly delayMs: number;
      /** It did answer, and turned the request away; see `Unavailable`. */
      readonly demand?: Unavailable["demand"];
    }
  /** Somebody else changed or removed a record of ours, or a leftover was found. */
  | { readonly kind: "drift"; readonly name: string; readonly records: number }
  /** A record came and went too often; its addition waits. */
  | { readonly kind: "flaps"; readonly change: Change; readonly delayMs: number }
  | GroupReport;

export interface ZoneWriterOptions<Cursor> {
  readonly published: ReadonlyMap<RecordKey, Published>;
  readonly desired: () => ReadonlyMap<RecordKey, RecordSet>;
  readonly kept: () => ReadonlySet<RecordKey>;
  /** Rung when something desired may have changed. */
  readonly bell: Doorbell;
  /** When it was rung last, in the clock's ms. */
  readonly changedAtMs?: () => number;
  readonly zone: WriterPorts<Cursor>;
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** How long Route 53 may stay unavailable before the writer gives up. */
  readonly patienceMs: number;
  /** How long a refused change waits before it is tried again as it was; an outside cause may be gone by then. */
  readonly refusedRetryMs: number;
  /** Each name of ours is compared with the zone once in this time; 0 for never. */
  readonly auditMs: number;
  /** How many requests it takes to read the whole zone, when that is still to be done, for leftovers. */
  readonly leftoverPages?: number;
  /** Names in which a request may have been under way when its agent ended, or was replaced by this one. */
  readonly doubtful?: Iterable<string>;
  /** How many hosts share the account, as far as it is known at the start; what is read adds to it. */
  readonly hosts: number;
  readonly report: (report: WriterReport) => void;
}

/** A change that is not accepted yet. */
export interface Waiting {
  readonly change: Change;
  /** It was refused as it is: in these words, and until then, in the clock's ms, it is not sent again. */
  readonly refused?: { readonly message: string; readonly untilMs: number };
}

/** How the writer stands; moments in the clock's ms. */
export interface Standing {
  readonly published: ReadonlyMap<RecordKey, Published>;
  readonly waiting: readonly Waiting[];
  /** The changes of the request that is under way: what is published is about to differ by them. */
  readonly underWay: readonly Change[];
  /** When nothing was left to send last; what is refused does not count. */
  readonly settledAtMs: number | undefined;
  /** Since when something could have been sent, it being this host's turn, and nothing was accepted. */
  readonly overdueSinceMs: number | undefined;
  /** Since when Route 53 answers, but has turned every request away. */
  readonly turnedAwaySinceMs: number | undefined;
}

export interface ZoneWriter {
  /** The difference between desired and published now. */
  difference(): readonly Change[];
  standing(): Standing;
  /** Resolves when there was nothing left to send, or at the stop; what Route 53 refuses does not count. */
  settled(stop: AbortSignal): Promise<void>;
  /**
   * Sends until the stop signal; the request in flight at that moment still lands. Rejects when Route 53 stays
   * unavailable beyond the patience, and with whatever a port throws that is not `Unavailable`.
   */
  run(stop: AbortSignal): Promise<void>;
  /** Outside of a run: sends until nothing is left that may be sent now, or the stop. Rejects as `run` does. */
  flush(stop?: AbortSignal): Promise<void>;
}
