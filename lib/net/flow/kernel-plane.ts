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
  /** Takes what is new away from the kernel; what is open is still translated. */
  empty(): Promise<void>;
  /** Takes the table away; what is open breaks. */
  remove(): Promise<void>;
}

const CHECK_MS = 60_000;
const RETRY_MS = 2_000;
/** A container that changes its tasks one by one makes one table, not ten. */
const GATHER_MS = 20;

/**
 * Keeps one nftables table equal to what is wanted: replaced whole in one transaction, read back each minute and put right
 * when somebody changed it. A table that an earlier process left behind is replaced by the first transaction.
 */
export function kernelPlane({
  packets,
  table,
  clock,
  onProblem,
  onRepaired,
}: {
  readonly packets: Packets;
  readonly table: Omit<KernelTable, "forwards">;
  readonly clock: Clock;
  /** Told each time an attempt fails. */
  readonly onProblem: (problem: string) => void;
  /** Somebody else had changed the table, or taken it away. */
  readonly onRepaired: () => void;
}): KernelPlane {
  const bell = doorbell();
  const counted = new Map<string, number>();
  let wanted: readonly KernelForward[] | undefined;
  let applied: { readonly script: string; readonly forwards: readonly KernelForward[] } | undefined;
  /** How nft shows it: anything else is somebody else's doing. */
  let shown: string | undefined;
  let problem: string | undefined;

  const write = async (forwards: readonly KernelForward[]): Promise<void> => {
    const script = rulesOf({ ...table, forwards });
    await count(true);
    await packets.apply(script);
    applied = { script, forwards };
    shown = await packets.list(table.name);
  };

  const latest = new Map<string, number>();
  /** The kernel counts from nought with each table: what it has counted is kept before it goes. */
  const count = async (isLast: boolean): Promise<void> => {
    if (applied === undefined) return;
    const counters = await packets.counters(table.name);
    latest.clear();
    for (const { mark, port, backend } of numbered(applied.forwards)) {
      const key = `${port} ${backendKey(backend)}`;
      const value = counters.get(`task${mark}`) ?? 0;
      if (isLast) counted.set(key, (counted.get(key) ?? 0) + value);
      else latest.set(key, value);
    }
    if (isLast) forgetAllBut(counted, wanted ?? []);
  };

  const look = async (isCheck: boolean): Promise<void> => {
    if (wanted === undefined) return;
    if (applied?.script !== rulesOf({ ...table, forwards: wanted })) {
      await write(wanted);
    } else if (isCheck) {
      if ((await packets.list(table.name)) === shown) await count(false);
      else {
        await write(wanted);
        onRepaired();
      }
    }
  };

  return {
    set(forwards) {
      wanted = forwards;
      bell.ring();
    },
    async run(stop) {
      let isCheck = false;
      while (!stop.aborted) {
        try {
          await look(isCheck);
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
    ports: () => new Set(applied?.forwards.map(({ port }) => port) ?? []),
    problem: () => problem,
    connections() {
      const all = new Map(counted);
      for (const [key, value] of latest) all.set(key, (all.get(key) ?? 0) + value);
      return all;
    },
    async empty() {
      wanted = [];
      await write([]);
    },
    async remove() {
      applied = undefined;
      await packets.remove(table.name);
    },
  };
}

/** Memory is bounded by the tasks there are. */
function forgetAllBut(counted: Map<string, number>, forwards: readonly KernelForward[]): void {
  const known = new Set(
    numbered(forwards).map(({ port, backend }) => `${port} ${backendKey(backend)}`),
  );
  for (const key of counted.keys()) if (!known.has(key)) counted.delete(key);
}
