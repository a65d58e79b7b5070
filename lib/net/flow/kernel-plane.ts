import { causes } from "../../kit/failure.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import { doorbell } from "../../kit/flow/doorbell.ts";
import { backendKey } from "../backend.ts";
import { type KernelForward, type KernelTable, numbered, rulesOf } from "../kernel-rules.ts";
import { rungWithin } from "./rung-within.ts";

/** What the plane asks of nft. */
export interface Packets {
  apply(script: string): Promise<void>;
  list(table: string): Promise<string | undefined>;
  counters(table: string): Promise<ReadonlyMap<string, number>>;
  remove(table: string): Promise<void>;
}

export interface KernelPlane {
  /** What the kernel is to hand on from now on. Until the first call the table stays as an earlier process left it. */
  set(forwards: readonly KernelForward[]): void;
  /** Keeps the table true until the stop; it stays as it is then. Never rejects: what fails is told, and tried again. */
  run(stop: AbortSignal): Promise<void>;
  /** The ports that the kernel hands on now. */
  ports(): ReadonlySet<number>;
  /** Why it is not as it should be. */
  problem(): string | undefined;
  /** Connections given to each backend, by `${port} ${backendKey}`, ever; as of the last look. */
  connections(): ReadonlyMap<string, number>;
  /** Looks at the counters now. Never rejects: what they were stands for them then. */
  count(): Promise<void>;
  /** Takes what is new away from the kernel; what is open is still translated. */
  empty(): Promise<void>;
  /** Takes the table away; what is open breaks. */
  remove(): Promise<void>;
}

const CHECK_MS = 60_000;
const RETRY_MS = 2_000;
/** A container that changes its tasks one by one makes one table, not ten. */
const GATHER_MS = 20;

interface Options {
  readonly packets: Packets;
  readonly table: Omit<KernelTable, "forwards">;
  readonly clock: Clock;
  /** Told each time an attempt fails. */
  readonly onProblem: (problem: string) => void;
  /** Somebody else had changed the table, or taken it away. */
  readonly onRepaired: () => void;
}

/**
 * Keeps one nftables table equal to what is wanted: replaced whole in one transaction, read back each minute and put right
 * when somebody changed it. A table that an earlier process left behind is replaced by the first transaction.
 */
export function kernelPlane(options: Options): KernelPlane {
  const { packets, table, clock, onProblem } = options;
  const bell = doorbell();
  const kept = keptTable(options);
  let wanted: readonly KernelForward[] | undefined;
  let problem: string | undefined;

  return {
    set(forwards) {
      wanted = forwards;
      bell.ring();
    },
    async run(stop) {
      let isCheck = false;
      while (!stop.aborted) {
        try {
          if (wanted !== undefined) await kept.keep(wanted, isCheck);
          problem = undefined;
        } catch (error) {
          problem = causes(error);
          onProblem(problem);
        }
        const waitMs = problem === undefined ? CHECK_MS : RETRY_MS;
        isCheck = !(await rungWithin(bell, waitMs, clock, stop));
        if (!isCheck && !stop.aborted) await clock.sleep(GATHER_MS, stop).catch(() => {});
      }
    },
    ports: () => new Set(kept.forwards().map(({ port }) => port)),
    problem: () => problem,
    connections: kept.connections,
    count: kept.count,
    async empty() {
      wanted = [];
      await kept.write([]);
    },
    remove: () => packets.remove(table.name),
  };
}

/** The table as we wrote it last, and what it counted. */
function keptTable({ packets, table, onRepaired }: Options) {
  const tally = tallyOf();
  let applied: { readonly script: string; readonly forwards: readonly KernelForward[] } | undefined;
  /** How nft shows it: anything else is somebody else's doing. */
  let shown: string | undefined;

  const write = async (forwards: readonly KernelForward[]): Promise<void> => {
    const script = rulesOf({ ...table, forwards });
    if (applied !== undefined) {
      // The kernel counts from nought with each table. One that can't be counted must not keep the next one away.
      const counters = await packets.counters(table.name).catch(() => new Map<string, number>());
      tally.keep(applied.forwards, counters, forwards);
    }
    await packets.apply(script);
    applied = { script, forwards };
    shown = await packets.list(table.name);
  };

  return {
    write,
    async keep(forwards: readonly KernelForward[], isCheck: boolean): Promise<void> {
      if (applied?.script !== rulesOf({ ...table, forwards })) {
        await write(forwards);
      } else if (isCheck && (await packets.list(table.name)) !== shown) {
        await write(forwards);
        onRepaired();
      }
    },
    forwards: () => applied?.forwards ?? [],
    connections: tally.all,
    async count(): Promise<void> {
      const before = applied;
      if (before === undefined) return;
      const counters = await packets.counters(table.name).catch(() => undefined);
      // A table that came meanwhile has counters of its own.
      if (before === applied && counters !== undefined) tally.look(before.forwards, counters);
    },
  };
}

/** Connections given to each backend, over all tables that were. */
function tallyOf() {
  const kept = new Map<string, number>();
  let latest: ReadonlyMap<string, number> = new Map();
  const read = (forwards: readonly KernelForward[], counters: ReadonlyMap<string, number>) =>
    numbered(forwards).map(
      ({ mark, port, backend }) =>
        [`${port} ${backendKey(backend)}`, counters.get(`task${mark}`) ?? 0] as const,
    );
  return {
    look(forwards: readonly KernelForward[], counters: ReadonlyMap<string, number>) {
      latest = new Map(read(forwards, counters));
    },
    /** The table goes; memory is bounded by the backends of the next one. */
    keep(
      forwards: readonly KernelForward[],
      counters: ReadonlyMap<string, number>,
      next: readonly KernelForward[],
    ) {
      for (const [key, count] of read(forwards, counters)) {
        kept.set(key, (kept.get(key) ?? 0) + count);
      }
      latest = new Map();
      const known = new Set<string>(read(next, new Map()).map(([key]) => key));
      for (const key of kept.keys()) if (!known.has(key)) kept.delete(key);
    },
    all(): ReadonlyMap<string, number> {
      const all = new Map(kept);
      for (const [key, count] of latest) all.set(key, (all.get(key) ?? 0) + count);
      return all;
    },
  };
}
