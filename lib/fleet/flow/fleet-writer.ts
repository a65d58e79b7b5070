import type { Clock, Random } from "../../kit/flow/clock.ts";
import { ROUTE53_BATCH } from "../../route53/batches.ts";
import { FENCE_COST, type Fence } from "../fence.ts";
import type { ZoneNames } from "../wire.ts";
import type { Judge } from "./bindings.ts";
import {
  holderOf,
  type Intake,
  type IntakePorts,
  type IntakeReport,
  type IntakeZone,
  intake,
} from "./intake.ts";
import {
  type FencedZone,
  type JointReport,
  type JointWriter,
  jointWriter,
} from "./joint-writer.ts";
import type { FleetReport } from "./owners.ts";
import { type ReceiptPorts, type Receipts, receipts } from "./receipts.ts";
import { takeFence } from "./take-fence.ts";
import { type ZoneFleet, zoneFleet } from "./zone-fleet.ts";
import { comparePasses, lookForUnsure, type ReadableZone, readZone } from "./zone-looks.ts";

/** One zone as the writer reaches it; see `FencedZone` and `ReadableZone` for what is thrown. */
export interface WriterZone<Cursor> extends FencedZone, ReadableZone<Cursor> {
  readonly names: ZoneNames;
}

export type FleetWriterReport =
  | ({ readonly zone: string } & (FleetReport | JointReport))
  | {
      readonly zone: string;
      readonly kind: "took the fence";
      readonly before: Fence | undefined;
    }
  | {
      readonly zone: string;
      readonly kind: "read";
      readonly records: number;
      readonly owners: number;
    }
  | IntakeReport;

/** One zone at work. */
export interface ZoneAtWork {
  readonly names: ZoneNames;
  readonly joint: JointWriter;
  readonly fleet: ZoneFleet;
}

export interface FleetWriter {
  /** Until the stop; then what is under way lands, and what is left goes back to the queue. */
  run(stop: AbortSignal): Promise<void>;
  /** The zones that have been read. */
  zones(): readonly ZoneAtWork[];
  /** All of them have, and messages are taken. */
  isReady(): boolean;
  /** Messages that were given out and are not deleted yet. */
  inHand(): number;
  /** When the queue answered last, in the clock's ms. */
  answeredAtMs(): number | undefined;
}

export interface FleetWriterOptions<Cursor> {
  /** This writer's own name in the fence: 16 hex digits that no other has. */
  readonly writer: string;
  readonly zones: readonly WriterZone<Cursor>[];
  readonly queue: IntakePorts & ReceiptPorts;
  readonly visibilitySeconds: number;
  readonly judge: Judge;
  readonly loops: number;
  /** The whole zone is compared within this time; 0 for never. */
  readonly resyncMs: number;
  readonly force: boolean;
  /** Tries again, while a start waits for an answer. */
  readonly insist: <T>(act: () => Promise<T>) => Promise<T>;
  readonly clock: Clock;
  readonly random: Random;
  readonly unixMs: () => number;
  readonly report: (report: FleetWriterReport) => void;
  /** The zones are read, and messages are taken from now on. */
  readonly ready?: () => void;
}

/** What one request holds besides the fence. */
const FLEET_BATCH = {
  records: ROUTE53_BATCH.records - FENCE_COST.records,
  characters: ROUTE53_BATCH.characters - FENCE_COST.characters,
};
/** At a start the zone is read nearly as fast as the account's limit allows. */
const START_PAUSE_MS = 60;
const TEND_MS = 5_000;

/** The whole of a fleet's writer, from the queue to the zones. */
export function fleetWriter<Cursor>(options: FleetWriterOptions<Cursor>): FleetWriter {
  const { clock, report, queue } = options;
  const parts: ZoneAtWork[] = [];
  const waits = (problem: string): void => report({ kind: "waits", problem });
  const hand = receipts({ ...options, ports: queue, waits });
  let taking: Intake | undefined;

  const tend = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      await clock.sleep(TEND_MS, stop).catch(() => {});
      for (const { fleet } of parts) fleet.tend();
    }
  };

  return {
    zones: () => parts,
    isReady: () => taking !== undefined,
    inHand: hand.held,
    answeredAtMs: () => taking?.answeredAtMs(),
    async run(stop) {
      const failed = new AbortController();
      let failure: { readonly cause: unknown } | undefined;
      const fail = (cause: unknown): void => {
        failure ??= { cause };
        failed.abort();
      };
      const end = AbortSignal.any([stop, failed.signal]);
      for (const zone of options.zones) {
        const part = await beginZone(zone, options, hand, fail, end);
        if (part === undefined) return;
        parts.push(part);
      }
      const written = new AbortController();
      const emptied = new AbortController();
      const joints = parts.map(({ joint }) => joint.run(written.signal).catch(fail));
      const emptying = hand.run(emptied.signal).catch(fail);
      taking = intake({ ...options, ports: queue, receipts: hand, zones: intakeZones(parts) });
      options.ready?.();
      const looking = { ...options, waits };
      await Promise.all([
        taking.run(end).catch(fail),
        tend(end),
        ...options.zones.flatMap((zone, at) => {
          const fleet = parts[at]?.fleet;
          if (fleet === undefined) return [];
          return [
            comparePasses(zone, fleet, options.resyncMs, looking, end).catch(fail),
            lookForUnsure(zone, fleet, looking, end).catch(fail),
          ];
        }),
      ]);
      // In this order: what was taken lands, then what has landed is deleted, then the rest goes back.
      await Promise.all(parts.map(({ fleet }) => fleet.close()));
      written.abort();
      await Promise.all(joints);
      emptied.abort();
      await emptying;
      if (failure !== undefined) throw failure.cause;
    },
  };
}

const intakeZones = (parts: readonly ZoneAtWork[]): ReadonlyMap<string, IntakeZone> =>
  new Map(
    parts.map(({ names, fleet }) => [names.id, { names, take: fleet.take, done: fleet.done }]),
  );

/** Takes the zone over from whoever wrote it before, and reads it. Undefined at the stop. */
async function beginZone<Cursor>(
  zone: WriterZone<Cursor>,
  options: FleetWriterOptions<Cursor>,
  hand: Pick<Receipts, "release">,
  fail: (error: unknown) => void,
  stop: AbortSignal,
): Promise<ZoneAtWork | undefined> {
  const { clock, unixMs } = options;
  const { id, name } = zone.names;
  const tell = (one: FleetReport | JointReport): void => options.report({ zone: id, ...one });
  const { fence, before } = await takeFence({ ...options, zone, zoneName: name });
  options.report({ zone: id, kind: "took the fence", before });
  const readAtMs = unixMs();
  const waits = (problem: string): void => tell({ kind: "waits", problem });
  const found = await readZone(zone, () => START_PAUSE_MS, { ...options, waits }, stop);
  if (found === undefined) return undefined;
  const records = [...found.values()].reduce((sum, { size }) => sum + size, 0);
  options.report({ zone: id, kind: "read", records, owners: found.size });
  const joint: JointWriter = jointWriter({
    ...options,
    zone,
    zoneName: name,
    fence,
    limits: FLEET_BATCH,
    report: tell,
    moved: () => fleet.moved(),
  });
  const fleet: ZoneFleet = zoneFleet({
    ...options,
    found,
    readAtMs,
    horizonMs: before?.horizonMs ?? 0,
    joint,
    group: spaced(zone.group, clock),
    limits: FLEET_BATCH,
    report: tell,
    release(owner) {
      const landed = fleet.done(owner);
      if (landed !== undefined) hand.release(holderOf({ zone: id, owner }), landed);
    },
    fail,
  });
  return { names: zone.names, joint, fleet };
}

const LOOK_GAP_MS = 250;

/** One after the other, with a pause between. */
function spaced<A extends readonly unknown[], T>(
  act: (...args: A) => Promise<T>,
  clock: Clock,
): (...args: A) => Promise<T> {
  let turn: Promise<unknown> = Promise.resolve();
  return (...args) => {
    const answer = turn.then(() => act(...args));
    turn = answer.catch(() => {}).then(() => clock.sleep(LOOK_GAP_MS));
    return answer;
  };
}
