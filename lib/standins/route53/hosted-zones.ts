import { listeners } from "../listeners.ts";
import { applyBatch } from "./rules.ts";
import type { ZoneFacts } from "./xml.ts";
import { type Action, newZone, recordsOf, type ZoneRecord, type ZoneState } from "./zone.ts";

export interface ZoneOptions {
  readonly id: string;
  readonly name: string;
  readonly privateZone?: boolean;
}

/** One hosted zone as it goes through time. */
export interface Hosted {
  readonly id: string;
  readonly privateZone: boolean;
  state: ZoneState;
  /** In list order; the same array until the zone changes. */
  records: readonly ZoneRecord[];
  /** Change requests between arrival and answer. */
  inFlight: number;
  /** The clock's milliseconds. */
  busyUntil: number;
}

export interface OutsideChange {
  readonly action: Action;
  readonly record: ZoneRecord;
}

/** The zones of the account, changed by requests and by somebody else's hand. */
export interface HostedZones {
  readonly all: ReadonlyMap<string, Hosted>;
  /** Throws for a zone that is not there. */
  named(zoneId: string): Hosted;
  /** Puts the zone into its next state, and tells whoever waits for it: `before` runs first. */
  move(hosted: Hosted, state: ZoneState, before?: () => void): void;
  edit(zoneId: string, changes: readonly OutsideChange[]): void;
  seed(zoneId: string, records: readonly ZoneRecord[]): void;
  until(
    zoneId: string,
    condition: (records: readonly ZoneRecord[]) => boolean,
    timeoutMs?: number,
  ): Promise<readonly ZoneRecord[]>;
}

/** `closing` is asked for the signal that ends every wait. */
export function hostedZones(
  options: readonly ZoneOptions[],
  closing: () => AbortSignal,
): HostedZones {
  const all = new Map<string, Hosted>();
  for (const { id, name, privateZone = false } of options) {
    const state = newZone(id, name);
    const records = recordsOf(state);
    all.set(id, { id, privateZone, state, records, inFlight: 0, busyUntil: 0 });
  }
  const moved = listeners<[Hosted]>();

  const named = (zoneId: string): Hosted => {
    const hosted = all.get(zoneId);
    if (hosted === undefined) {
      throw new Error(`expected one of ${[...all.keys()].join(", ")}, got ${zoneId}`);
    }
    return hosted;
  };
  const move = (hosted: Hosted, state: ZoneState, before?: () => void): void => {
    hosted.state = state;
    hosted.records = recordsOf(state);
    before?.();
    moved.tell(hosted);
  };

  return {
    all,
    named,
    move,
    edit(zoneId, changes) {
      const hosted = named(zoneId);
      move(hosted, applied(hosted.state, changes));
    },
    seed(zoneId, records) {
      const hosted = named(zoneId);
      const seeded = pieces(records).reduce(
        (state, piece) =>
          applied(
            state,
            piece.map((record) => ({ action: "CREATE", record })),
          ),
        hosted.state,
      );
      move(hosted, seeded);
    },
    async until(zoneId, condition, timeoutMs = 90_000) {
      const hosted = named(zoneId);
      const { promise, resolve, reject } = Promise.withResolvers<readonly ZoneRecord[]>();
      const look = (): void => {
        try {
          if (condition(hosted.records)) resolve(hosted.records);
        } catch (error) {
          reject(error);
        }
      };
      const giveUp = (why: string) => (): void => {
        const held = hosted.records.map((record) => JSON.stringify(record)).join("\n");
        reject(new Error(`${why} while waiting for zone ${zoneId}, which holds:\n${held}`));
      };
      const stop = moved.add((one) => {
        if (one === hosted) look();
      });
      const closed = giveUp("the stand-in closed");
      const timer = setTimeout(giveUp(`${timeoutMs} ms passed`), timeoutMs);
      closing().addEventListener("abort", closed);
      try {
        look();
        return await promise;
      } finally {
        stop();
        clearTimeout(timer);
        closing().removeEventListener("abort", closed);
      }
    },
  };
}

/** What GetHostedZone and the lists of zones tell of a zone. */
export const factsOf = ({ id, privateZone, state, records }: Hosted): ZoneFacts => ({
  id,
  name: state.name,
  privateZone,
  recordCount: records.length,
  nameServers: records.find((r) => r.type === "NS" && r.name === state.name)?.values ?? [],
});

/** The zone after a batch that somebody else sends. Throws where the rules refuse it. */
function applied(
  state: ZoneState,
  changes: readonly { readonly action: string; readonly record: ZoneRecord }[],
): ZoneState {
  const outcome = applyBatch(state, changes);
  if (!outcome.ok) throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
  return outcome.zone;
}

/** Runs of records that no request limit refuses; what the zone's own rules say is another matter. */
const pieces = (records: readonly ZoneRecord[]): readonly ZoneRecord[][] => {
  const cut: ZoneRecord[][] = [];
  let values = Number.POSITIVE_INFINITY;
  let characters = 0;
  for (const record of records) {
    values += record.values.length;
    characters += record.values.join("").length;
    if (values > 1000 || characters > 32_000) {
      cut.push([]);
      values = record.values.length;
      characters = record.values.join("").length;
    }
    cut.at(-1)?.push(record);
  }
  return cut;
};
