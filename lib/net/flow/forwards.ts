import { isIPv4 } from "node:net";
import { causes } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { doorbell } from "../../kit/flow/doorbell.ts";
import { type Backend, backendKey, endpointOf } from "../backend.ts";
import type { Policy } from "../balance.ts";
import type { Translated } from "../conntrack.ts";
import type { BackendFigures } from "./backend-table.ts";
import type { KernelPlane } from "./kernel-plane.ts";
import type { Probe } from "./probe.ts";
import { rungWithin } from "./rung-within.ts";
import { type TcpProxy, type TcpProxyFigures, tcpProxy } from "./tcp-proxy.ts";

export interface ForwardsOptions {
  /** The one address to listen on; all when not given. */
  readonly host?: string;
  /** Another process may listen on the same ports beside this one, to take them over. Linux only. */
  readonly shared?: boolean;
  readonly policy: Policy;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs?: number;
  readonly proxyProtocol?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Lies on top of the proxy where the kernel can do it. */
  readonly kernel?: KernelPlane;
  /** What the kernel translates; undefined where that can't be seen. */
  readonly translated?: () => Promise<readonly Translated[] | undefined>;
  readonly tell: ForwardsEvents;
}

export interface ForwardsEvents {
  listening(port: number): void;
  /** It listens no longer, because nobody is left to hand on to. */
  closed(port: number): void;
  /** It can't listen, and tries again. Told once for each problem in a row. */
  refused(port: number, problem: string): void;
  /** A backend did not take a connection, which went on to another one if there was one. */
  failure(port: number, backend: Backend, problem: string): void;
  /** A client was sent away. */
  givenUp(port: number, problem: string): void;
}

/** One port, as it is now. */
export interface PortState {
  readonly port: number;
  readonly listening: boolean;
  /** Who hands on what is new of IPv4 clients. */
  readonly plane: "kernel" | "proxy";
  /** Why it does not listen, or why the kernel does not hand it on though it could for others. */
  readonly problem?: string;
  readonly backends: readonly BackendFigures[];
  readonly figures: TcpProxyFigures;
}

/** The ports of one process: each listens while there is somebody to hand on to. */
export interface Forwards {
  /** Which ports there are to be, and who is behind each; nobody, and the port is refused. What is open stays. */
  set(ports: ReadonlyMap<number, readonly Backend[]>): void;
  /** All backends that are wanted now, for the probe. */
  targets(): readonly Backend[];
  /** Who failed the last check has changed. */
  checked(down: Probe["down"]): void;
  /** Opens what is to listen, and tries again what could not, until the stop. */
  run(stop: AbortSignal): Promise<void>;
  /** As it is now, with what the kernel shows of its part. */
  ports(): Promise<readonly PortState[]>;
  /** Refuses what is new from now on; for the moment at which the process is told to end. */
  refuse(): void;
  /**
   * Refuses what is new and waits for what is open, for `drainMs` at most, then cuts it; resolves with how many
   * connections were cut. The kernel's table is gone then.
   */
  close(drainMs: number): Promise<number>;
}

const RETRY_MS = 2_000;
const LOOK_MS = 200;

interface Port {
  readonly proxy: TcpProxy;
  backends: readonly Backend[];
  problem: string | undefined;
}

export function forwards(options: ForwardsOptions): Forwards {
  const { clock, tell, kernel } = options;
  const ports = new Map<number, Port>();
  const bell = doorbell();
  let down: ReadonlyMap<string, string> = new Map();
  let isClosing = false;
  let isSet = false;
  /** Each port was tried once. Until then the kernel keeps the rules that an earlier process has left. */
  let isTried = false;

  const sync = (): void => {
    if (!isTried || isClosing) return;
    kernel?.set(
      [...ports]
        .filter(([, one]) => one.proxy.listening && kernelLack(one, down) === undefined)
        .map(([port, { backends }]) => ({
          port,
          backends: backends.filter((backend) => !down.has(backendKey(backend))),
        })),
    );
  };

  const isMissing = ({ backends, proxy }: Port): boolean =>
    backends.length > 0 && !proxy.listening && !isClosing;
  const refuse = (): void => {
    isClosing = true;
    for (const { proxy } of ports.values()) proxy.stopListening();
  };

  return {
    set(wanted) {
      if (isClosing) return;
      for (const port of wanted.keys()) {
        if (!ports.has(port)) ports.set(port, fresh(options, port));
      }
      for (const [port, one] of ports) {
        give(port, one, wanted.get(port) ?? [], tell);
        one.proxy.setDown(new Set(down.keys()));
        if (!wanted.has(port) && one.proxy.figures().open === 0) ports.delete(port);
      }
      isSet = true;
      sync();
      bell.ring();
    },
    targets: () => [...ports.values()].flatMap(({ backends }) => backends),
    checked(now) {
      down = now();
      for (const { proxy } of ports.values()) proxy.setDown(new Set(down.keys()));
      sync();
    },
    async run(stop) {
      while (!stop.aborted) {
        const missing = [...ports].filter(([, one]) => isMissing(one));
        const isFirst = isSet;
        for (const [port, one] of missing) await open(port, one, tell, () => isClosing);
        isTried ||= isFirst;
        sync();
        const isLeft = missing.some(([, one]) => isMissing(one));
        if (isLeft) await rungWithin(bell, RETRY_MS, clock, stop);
        else await bell.rung(stop);
      }
    },
    async ports() {
      await kernel?.count();
      const flows = kernel === undefined ? [] : ((await options.translated?.()) ?? []);
      return [...ports]
        .map(([port, one]) => stateOf(port, one, { kernel, down, flows }))
        .toSorted((a, b) => a.port - b.port);
    },
    refuse,
    close(drainMs) {
      refuse();
      return close(options, ports, drainMs);
    },
  };
}

/** Opens one port. What stands in its way is told once, and tried again. */
async function open(
  port: number,
  one: Port,
  tell: ForwardsEvents,
  isClosing: () => boolean,
): Promise<void> {
  try {
    await one.proxy.listen();
  } catch (error) {
    const problem = listenProblem(error);
    if (problem !== one.problem) tell.refused(port, problem);
    one.problem = problem;
    return;
  }
  one.problem = undefined;
  // While it opened, its last task may have gone, or the process been told to end.
  if (one.backends.length === 0 || isClosing()) one.proxy.stopListening();
  else tell.listening(port);
}

async function close(
  { clock, kernel, translated }: ForwardsOptions,
  ports: ReadonlyMap<number, Port>,
  drainMs: number,
): Promise<number> {
  const proxies = [...ports.values()].map(({ proxy }) => proxy);
  const untilMs = clock.now() + drainMs;
  await kernel?.empty().catch(() => {});
  const numbers = new Set(ports.keys());
  const open = async () =>
    proxies.reduce((sum, proxy) => sum + proxy.figures().open, 0) +
    (kernel === undefined ? 0 : await countTranslated(translated, numbers));
  let left = await open();
  while (left > 0 && clock.now() < untilMs) {
    await clock.sleep(Math.min(LOOK_MS, untilMs - clock.now()));
    left = await open();
  }
  for (const proxy of proxies) proxy.cut();
  await kernel?.remove().catch(() => {});
  return Number.isFinite(left) ? left : 0;
}

/** Infinity where nobody can say whether there are any. */
async function countTranslated(
  translated: ForwardsOptions["translated"],
  ports: ReadonlySet<number>,
): Promise<number> {
  const now = await translated?.();
  return now === undefined
    ? Number.POSITIVE_INFINITY
    : now.filter(({ port }) => ports.has(port)).length;
}

function fresh(options: ForwardsOptions, port: number): Port {
  const { tell, kernel: _kernel, translated: _translated, ...proxy } = options;
  return {
    proxy: tcpProxy({
      ...proxy,
      port,
      onFailure: (backend, problem) => tell.failure(port, backend, problem),
      onGivenUp: (problem) => tell.givenUp(port, problem),
    }),
    backends: [],
    problem: undefined,
  };
}

function give(
  port: number,
  one: Port,
  backends: readonly Backend[],
  tell: ForwardsOptions["tell"],
): void {
  one.backends = backends;
  one.proxy.setBackends(backends);
  if (backends.length > 0) return;
  one.problem = undefined;
  if (!one.proxy.listening) return;
  one.proxy.stopListening();
  tell.closed(port);
}

/** Why the kernel can't hand this port on; undefined when it can. */
function kernelLack({ backends }: Port, down: ReadonlyMap<string, string>): string | undefined {
  const strange = backends.find(({ address }) => !isIPv4(address));
  if (strange !== undefined) {
    return `the kernel's rules are for IPv4, and a task is at ${strange.address}`;
  }
  return backends.every((backend) => down.has(backendKey(backend)))
    ? "no task answers its check: the proxy tries each of them"
    : undefined;
}

function stateOf(
  port: number,
  one: Port,
  {
    kernel,
    down,
    flows,
  }: {
    readonly kernel: KernelPlane | undefined;
    readonly down: ReadonlyMap<string, string>;
    readonly flows: readonly Translated[];
  },
): PortState {
  const { proxy } = one;
  const isKernel = kernel?.ports().has(port) === true;
  const counts = kernel?.connections();
  const mine = Map.groupBy(
    flows.filter((flow) => flow.port === port),
    ({ endpoint }) => endpoint,
  );
  const problem =
    one.problem ??
    (kernel !== undefined && proxy.listening && !isKernel ? kernelLack(one, down) : undefined);
  const figures = proxy.figures();
  const inKernel = [...mine.values()].reduce((sum, some) => sum + some.length, 0);
  return {
    port,
    listening: proxy.listening,
    plane: isKernel ? "kernel" : "proxy",
    ...(problem !== undefined && { problem }),
    backends: proxy.backends().map((backend) => ({
      ...backend,
      open: backend.open + (mine.get(endpointOf(backend))?.length ?? 0),
      connections: backend.connections + (counts?.get(`${port} ${backendKey(backend)}`) ?? 0),
    })),
    figures: { ...figures, open: figures.open + inKernel },
  };
}

function listenProblem(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return "somebody else listens on this port";
  if (code === "EACCES")
    return "this user may not listen on this port (below 1024 it takes root, or the sysctl net.ipv4.ip_unprivileged_port_start)";
  if (code === "EADDRNOTAVAIL") return "this machine does not have the address of --bind";
  return causes(error);
}
