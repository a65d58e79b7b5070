import { type PortRange, takenProblem } from "../../lib/elb/listen-ports.ts";
import type { ForwardOutlet, Service } from "../../lib/elb/service.ts";
import { type Answering, hostPortOf, idOf, ownAddress } from "../../lib/elb/task-choice.ts";
import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
import { type Backend, backendKey } from "../../lib/net/backend.ts";
import { type Forwards, forwards, type PortState } from "../../lib/net/flow/forwards.ts";
import type { KernelPlane } from "../../lib/net/flow/kernel-plane.ts";
import { type Ask, accepts, type Probe, probe } from "../../lib/net/flow/probe.ts";
import type { Tell } from "./standing.ts";

/** A local task that takes longer than this is passed over. */
const CONNECT_MS = 250;
/** A task that fails its check for as long as this does not answer: one lost check of a busy host is no reason. */
const SILENT_MS = 700;

export interface ForwardWish {
  readonly service: Service & { readonly outlet: ForwardOutlet };
  readonly tasks: readonly Answering[];
}

export interface Planes {
  /** For the services that ask for it; the text says why there is none. */
  readonly kernel: KernelPlane | undefined;
  readonly problem: string | undefined;
  readonly translated: Parameters<typeof forwards>[0]["translated"];
}

export interface ForwardingOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly force: boolean;
  readonly localPorts: PortRange | undefined;
  /** Where ports that are bound on this host are reached. */
  readonly hostAddress: string;
  /** The address of a container on its bridge, where Docker can be asked: what the kernel hands on to. */
  readonly containerAddress: (runtimeId: string) => string | undefined;
  readonly planes: Planes;
  readonly ask?: Ask;
  readonly tell: Tell;
  /** Something is listening or not any more: what is asked of load balancers may be another. */
  readonly onChange: () => void;
}

export interface Forwarding {
  /** Who is behind which port from now on. */
  set(wishes: readonly ForwardWish[]): void;
  run(stop: AbortSignal): readonly Promise<void>[];
  /** Every port of the service listens, and a task has answered behind each. */
  isServing(service: Service): boolean;
  /** Why a port of the service is not listened on; undefined when all are, or need not be. */
  problemOf(service: Service): string | undefined;
  ports(): Promise<readonly PortState[]>;
  /** Refuses what is new, and waits for what is open. Resolves with how many connections were cut. */
  close(drainMs: number): Promise<number>;
}

/**
 * Ports of this host that never change, each with the tasks that answer behind it. A port listens only while one of its
 * tasks answers, so that the load balancer's health check, which asks the same port, tells the truth.
 */
export function forwarding(options: ForwardingOptions): Forwarding {
  const { clock, random, planes, tell, ask = accepts } = options;
  const refused = new Map<number, string>();
  const listening = new Set<number>();
  const health = answerings(clock);
  let wishes: readonly ForwardWish[] = [];
  let wanted: ReadonlyMap<number, readonly Backend[]> = new Map();
  const silent = (wish: ForwardWish) =>
    wish.service.outlet.dataPlane === "kernel" && !planes.kernel;

  const made = (kernel: KernelPlane | undefined): Forwards =>
    forwards({
      policy: "p2c",
      connectTimeoutMs: CONNECT_MS,
      clock,
      random,
      ...(kernel !== undefined && { kernel }),
      ...(planes.translated !== undefined && { translated: planes.translated }),
      tell: {
        listening(port) {
          refused.delete(port);
          listening.add(port);
          tell({ level: "info", about: `port ${port}`, text: `listens on port ${port}` });
          options.onChange();
        },
        closed(port) {
          listening.delete(port);
          tell({
            level: "warn",
            about: `port ${port}`,
            text: `no task answers behind port ${port}: closed, so that the health check sees it`,
          });
          options.onChange();
        },
        refused(port, problem) {
          refused.set(port, problem);
          tell({
            level: "warn",
            about: `port ${port}`,
            text: `can't listen on port ${port}: ${problem}; tries again`,
          });
          options.onChange();
        },
        failure() {},
        givenUp(port, problem) {
          tell({
            level: "warn",
            about: `port ${port}`,
            text: `a client of port ${port} was sent away: ${problem}`,
          });
        },
      },
    });
  const proxied = made(undefined);
  const inKernel = planes.kernel === undefined ? undefined : made(planes.kernel);

  const apply = (): void => {
    const byProxy = new Map<number, readonly Backend[]>();
    const byKernel = new Map<number, readonly Backend[]>();
    for (const wish of wishes) {
      const { outlet } = wish.service;
      if (silent(wish) || problemOf(wish.service) !== undefined) continue;
      const ports = outlet.dataPlane === "kernel" ? byKernel : byProxy;
      for (const { listenPort } of outlet.ports) {
        if (byProxy.has(listenPort) || byKernel.has(listenPort)) continue;
        ports.set(listenPort, (wanted.get(listenPort) ?? []).filter(health.answers));
      }
    }
    proxied.set(byProxy);
    inKernel?.set(byKernel);
  };

  const problemOf = (service: Service): string | undefined => {
    if (service.outlet.mode !== "forward") return undefined;
    const { outlet } = service;
    if (outlet.dataPlane === "kernel" && planes.kernel === undefined) {
      return `the kernel can't hand on here: ${planes.problem}`;
    }
    for (const { listenPort } of outlet.ports) {
      const owner = wishes.find((other) =>
        other.service.outlet.ports.some((one) => one.listenPort === listenPort),
      );
      if (owner !== undefined && owner.service.key !== service.key) {
        return `port ${listenPort} is already that of service ${owner.service.key}`;
      }
      const taken = options.force ? undefined : takenProblem(listenPort, options.localPorts);
      const problem = taken ?? refused.get(listenPort);
      if (problem !== undefined) return taken ?? `can't listen on port ${listenPort}: ${problem}`;
    }
    return undefined;
  };

  const checks: Probe = probe({
    targets: () => [...wanted.values()].flat(),
    ask: (backend, limitMs) => health.watch(backend, ask(backend, limitMs), apply),
    clock,
    random,
    onChange() {
      proxied.checked(checks.down);
      inKernel?.checked(checks.down);
    },
  });
  return {
    set(now) {
      wishes = now;
      wanted = new Map(now.flatMap((wish) => [...backendsOf(wish, options)]));
      health.keep(new Set([...wanted.values()].flat().map(backendKey)));
      apply();
    },
    run: (stop) => [
      proxied.run(stop),
      ...(inKernel === undefined ? [] : [inKernel.run(stop)]),
      ...(planes.kernel === undefined ? [] : [planes.kernel.run(stop)]),
      checks.run(stop),
    ],
    isServing({ outlet }) {
      if (outlet.mode !== "forward") return false;
      return outlet.ports.every(({ listenPort }) => listening.has(listenPort));
    },
    problemOf,
    ports: async () => [...(await proxied.ports()), ...((await inKernel?.ports()) ?? [])],
    async close(drainMs) {
      const cut = await Promise.all([proxied.close(drainMs), inKernel?.close(drainMs) ?? 0]);
      return cut[0] + cut[1];
    },
  };
}

/** By port of this host. */
function backendsOf(
  { service, tasks }: ForwardWish,
  { hostAddress, containerAddress }: ForwardingOptions,
): ReadonlyMap<number, readonly Backend[]> {
  const { outlet, container } = service;
  return new Map(
    outlet.ports.map(({ listenPort, containerPort }) => [
      listenPort,
      tasks.flatMap(({ task, ports }): readonly Backend[] => {
        const host = hostPortOf(ports, containerPort);
        if (host === undefined) return [];
        const id = idOf(task);
        const own = ownAddress(task);
        if (own !== undefined) return [{ id, address: own, port: host, weight: 1 }];
        const runtimeId = task.containers.find(({ name }) => name === container)?.runtimeId;
        const bridged =
          outlet.dataPlane === "kernel" && runtimeId !== undefined
            ? containerAddress(runtimeId)
            : undefined;
        const inside = ports.find((one) => one.host === host)?.container ?? host;
        return bridged === undefined
          ? [{ id, address: hostAddress, port: host, weight: 1 }]
          : [{ id, address: bridged, port: inside, weight: 1 }];
      }),
    ]),
  );
}

interface Answers {
  /** It gets connections. */
  serving: boolean;
  failingSinceMs: number | undefined;
}

/** Which backends have answered a check, and have not been silent for too long since. */
function answerings(clock: Clock) {
  const seen = new Map<string, Answers>();
  return {
    answers: (backend: Backend): boolean => seen.get(backendKey(backend))?.serving === true,
    keep(keys: ReadonlySet<string>): void {
      for (const key of seen.keys()) if (!keys.has(key)) seen.delete(key);
    },
    /** The check's result, once it is noted; `changed` is called when it makes the backend one that answers, or not. */
    async watch(
      backend: Backend,
      asked: Promise<string | undefined>,
      changed: () => void,
    ): Promise<string | undefined> {
      const problem = await asked;
      const key = backendKey(backend);
      const one = seen.get(key) ?? { serving: false, failingSinceMs: undefined };
      const before = one.serving;
      seen.set(key, one);
      if (problem === undefined) {
        one.serving = true;
        one.failingSinceMs = undefined;
      } else {
        one.failingSinceMs ??= clock.now();
        if (clock.now() - one.failingSinceMs >= SILENT_MS) one.serving = false;
      }
      if (one.serving !== before) changed();
      return problem;
    },
  };
}
