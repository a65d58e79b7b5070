import type { Clock, Random } from "../../kit/flow/clock.ts";
import { type Backend, backendKey } from "../backend.ts";
import { choose, type Policy, type Pool, poolOf } from "../balance.ts";
import { deadlines } from "./deadlines.ts";

/** What becomes of a backend: it gets new connections, it does not for the moment, or never again. */
export type BackendState =
  | "serving"
  /** It refused or was silent a moment ago. */
  | "aside"
  /** It failed the last check. */
  | "down"
  /** It is no longer in the list; connections to it are still open. */
  | "leaving";

export interface BackendFigures extends Backend {
  readonly state: BackendState;
  /** Connections open or being opened. */
  readonly open: number;
  /** Connections that it took, ever. */
  readonly connections: number;
  /** Connections that it did not take, ever. */
  readonly failures: number;
  readonly lastFailure?: string;
  /** To it and from it, of connections that have ended and of those that are open. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** A backend while it is known, with what happens to it. */
export interface Known extends Backend {
  readonly key: string;
  listed: boolean;
  aside: boolean;
  down: boolean;
  open: number;
  connections: number;
  failures: number;
  lastFailure: string | undefined;
  bytesSent: number;
  bytesReceived: number;
  /** Sockets to it that are open: their bytes are counted when somebody asks. */
  readonly sockets: Set<{ readonly bytesRead: number; readonly bytesWritten: number }>;
}

export interface BackendTable {
  set(backends: readonly Backend[]): void;
  setDown(keys: ReadonlySet<string>): void;
  /** Who gets a connection that has already been with those; undefined when nobody else is left. */
  pick(tried: readonly Known[]): Known | undefined;
  /** It did not take a connection. */
  failed(backend: Known, problem: string): void;
  /** A connection to it has ended. */
  left(backend: Known): void;
  figures(): readonly BackendFigures[];
  /** Ends every timer: who is aside is so no longer. */
  rest(): void;
}

/** How long a backend that failed gets nothing new: long enough to spare clients, short enough to miss nothing. */
const ASIDE_MS = 2_000;

/** The backends of one port: who may get a connection, and what happened to each. */
export function backendTable({
  clock,
  random,
  policy,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: Policy;
}): BackendTable {
  const known = new Map<string, Known>();
  let downKeys: ReadonlySet<string> = new Set();
  let pool: Pool<Known> | undefined;

  const changed = (): void => {
    pool = undefined;
  };
  const returns = deadlines<Known>({
    clock,
    limitMs: ASIDE_MS,
    onDue(backend) {
      backend.aside = false;
      changed();
    },
  });

  /** Those that nothing speaks against; where something speaks against all of them, those that are only aside; then all. */
  const poolNow = (): Pool<Known> => {
    if (pool !== undefined) return pool;
    const listed = [...known.values()].filter((one) => one.listed);
    const good = listed.filter(({ aside, down }) => !aside && !down);
    pool = poolOf(good.length > 0 ? good : listed);
    return pool;
  };
  const forgetUnused = (backend: Known): void => {
    if (!backend.listed && backend.open === 0) {
      known.delete(backend.key);
      returns.remove(backend);
    }
  };

  return {
    set(backends) {
      relist(known, backends, downKeys);
      for (const backend of [...known.values()]) forgetUnused(backend);
      changed();
    },
    setDown(keys) {
      downKeys = keys;
      for (const backend of known.values()) backend.down = keys.has(backend.key);
      changed();
    },
    pick(tried) {
      const now = poolNow();
      if (tried.length === 0) return choose(now, policy, random(), random());
      const others = now.all.filter((one) => !tried.includes(one));
      if (others.length > 0) return choose(poolOf(others), policy, random(), random());
      // All that are good were tried: one that is aside or down may be the last hope.
      const rest = [...known.values()].filter((one) => one.listed && !tried.includes(one));
      return choose(poolOf(rest), policy, random(), random());
    },
    failed(backend, problem) {
      backend.failures += 1;
      backend.lastFailure = problem;
      backend.aside = true;
      returns.add(backend);
      changed();
    },
    left: forgetUnused,
    figures: () =>
      [...known.values()]
        .toSorted((a, b) => Number(b.listed) - Number(a.listed))
        .map((backend) => figuresOf(backend)),
    rest() {
      returns.clear();
      for (const backend of known.values()) backend.aside = false;
      changed();
    },
  };
}

/** Marks who is in the list and who is no longer, and adds who is new. */
function relist(
  known: Map<string, Known>,
  backends: readonly Backend[],
  down: ReadonlySet<string>,
): void {
  for (const backend of known.values()) backend.listed = false;
  for (const backend of backends) {
    const key = backendKey(backend);
    const old = known.get(key);
    known.set(key, old === undefined ? fresh(key, backend, down) : relisted(old, backend));
  }
}

const fresh = (key: string, backend: Backend, down: ReadonlySet<string>): Known => ({
  ...backend,
  key,
  listed: true,
  aside: false,
  down: down.has(key),
  open: 0,
  connections: 0,
  failures: 0,
  lastFailure: undefined,
  bytesSent: 0,
  bytesReceived: 0,
  sockets: new Set(),
});

/** The same object, because connections count in it. */
function relisted(old: Known, { weight }: Backend): Known {
  old.listed = true;
  (old as { weight: number }).weight = weight;
  return old;
}

function figuresOf(backend: Known): BackendFigures {
  const { id, address, port, weight, open, connections, failures, lastFailure } = backend;
  let { bytesSent, bytesReceived } = backend;
  for (const { bytesRead, bytesWritten } of backend.sockets) {
    bytesSent += bytesWritten;
    bytesReceived += bytesRead;
  }
  return {
    ...{ id, address, port, weight, open, connections, failures, bytesSent, bytesReceived },
    state: stateOf(backend),
    ...(lastFailure !== undefined && { lastFailure }),
  };
}

const stateOf = ({ listed, down, aside }: Known): BackendState => {
  if (!listed) return "leaving";
  if (down) return "down";
  return aside ? "aside" : "serving";
};
