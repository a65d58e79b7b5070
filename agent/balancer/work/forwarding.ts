import { type PortRange, takenProblem } from "../../../lib/elb/listen-ports.ts";
import type { ForwardOutlet, Service } from "../../../lib/elb/service.ts";
import { type Answering, hostPortOf, idOf, ownAddress } from "../../../lib/elb/task-choice.ts";
import type { Clock, Random } from "../../../lib/kit/flow/clock.ts";
import { type Backend, backendKey } from "../../../lib/net/backend.ts";
import { type Forwards, forwards, type PortState } from "../../../lib/net/flow/forwards.ts";
import type { KernelPlane } from "../../../lib/net/flow/kernel-plane.ts";
import { type Ask, accepts, type Probe, probe } from "../../../lib/net/flow/probe.ts";
import type { Tell } from "./standing.ts";

/** A local task that takes longer than this is passed over. */
const CONNECT_MS = 250;
/** A task that fails its check for as long as this does not answer: one lost check of a busy host is no reason. */
const SILENT_MS = 700;

interface ForwardWish {
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
  const { clock, random, planes, ask = accepts } = options;
  const ports: Ports = { listening: new Set(), refused: new Map() };
  const health = answerings(clock);
  let wishes: readonly ForwardWish[] = [];
  let wanted: ReadonlyMap<number, readonly Backend[]> = new Map();
  let isAsked = false;
  const proxied = forwardsOf(options, ports, undefined);
  const inKernel = planes.kernel && forwardsOf(options, ports, planes.kernel);
  const problemOf = (service: Service) => portProblem(service, wishes, ports, options);

  const apply = (): void => {
    const byPlane = {
      proxy: new Map<number, readonly Backend[]>(),
      kernel: new Map<number, readonly Backend[]>(),
    };
    for (const { service } of wishes) {
      const { outlet } = service;
      // A port that could not be listened on is tried again, so it stays wanted.
      if (portProblem(service, wishes, undefined, options) !== undefined) continue;
      for (const { listenPort } of outlet.ports) {
        const backends = (wanted.get(listenPort) ?? []).filter(health.answers);
        byPlane[outlet.dataPlane].set(listenPort, backends);
      }
    }
    proxied.set(byPlane.proxy);
    // Until each task was asked once, the rules that an earlier process has left serve on.
    isAsked ||= [...byPlane.kernel.keys()].every((port) =>
      (wanted.get(port) ?? []).every(health.wasAsked),
    );
    if (isAsked) inKernel?.set(byPlane.kernel);
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
    problemOf,
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
    isServing: ({ outlet }) =>
      outlet.mode === "forward" &&
      outlet.ports.every(({ listenPort }) => ports.listening.has(listenPort)),
    ports: async () => [...(await proxied.ports()), ...((await inKernel?.ports()) ?? [])],
    async close(drainMs) {
      const cut = await Promise.all([proxied.close(drainMs), inKernel?.close(drainMs) ?? 0]);
      return cut[0] + cut[1];
    },
  };
}

/** What became of the ports that were to be listened on. */
interface Ports {
  readonly listening: Set<number>;
  readonly refused: Map<number, string>;
}

/** One plane's ports, with what happens to them told. */
function forwardsOf(
  { clock, random, planes, tell, onChange }: ForwardingOptions,
  { listening, refused }: Ports,
  kernel: KernelPlane | undefined,
): Forwards {
  const say = (level: "info" | "warn", port: number, text: string): void =>
    tell({ level, about: `port ${port}`, text });
  return forwards({
    // During an update the next process listens before this one is told to end.
    shared: process.platform === "linux",
    policy: "p2c",
    connectTimeoutMs: CONNECT_MS,
    clock,
    random,
    ...(kernel !== undefined && { kernel }),
    ...(kernel !== undefined &&
      planes.translated !== undefined && { translated: planes.translated }),
    tell: {
      listening(port) {
        refused.delete(port);
        listening.add(port);
        say("info", port, `listens on port ${port}`);
        onChange();
      },
      closed(port) {
        listening.delete(port);
        say(
          "warn",
          port,
          `no task answers behind port ${port}: closed, so that the health check sees it`,
        );
        onChange();
      },
      refused(port, problem) {
        refused.set(port, problem);
        say("warn", port, `can't listen on port ${port}: ${problem}; tries again`);
        onChange();
      },
      failure() {},
      givenUp: (port, problem) =>
        say("warn", port, `a client of port ${port} was sent away: ${problem}`),
    },
  });
}

/** Why a port of the service is not served; with `ports`, also what happened when it was to be listened on. */
function portProblem(
  service: Service,
  wishes: readonly ForwardWish[],
  ports: Ports | undefined,
  { planes, force, localPorts }: ForwardingOptions,
): string | undefined {
  const { outlet } = service;
  if (outlet.mode !== "forward") return undefined;
  if (
    outlet.dataPlane === "kernel" &&
    planes.kernel === undefined &&
    planes.problem !== undefined
  ) {
    return `the kernel can't hand on here: ${planes.problem}`;
  }
  for (const { listenPort } of outlet.ports) {
    const owner = wishes.find((other) =>
      other.service.outlet.ports.some((one) => one.listenPort === listenPort),
    );
    if (owner !== undefined && owner.service.key !== service.key) {
      return `port ${listenPort} is already that of service ${owner.service.key}`;
    }
    const taken = force ? undefined : takenProblem(listenPort, localPorts);
    if (taken !== undefined) return taken;
    const refused = ports?.refused.get(listenPort);
    if (refused !== undefined) return `can't listen on port ${listenPort}: ${refused}`;
  }
  return undefined;
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
    wasAsked: (backend: Backend): boolean => seen.has(backendKey(backend)),
    keep(keys: ReadonlySet<string>): void {
      for (const key of seen.keys()) if (!keys.has(key)) seen.delete(key);
    },
    /** The check's result, once it is noted; `changed` is called when the backend answers or not any more, or was new. */
    async watch(
      backend: Backend,
      asked: Promise<string | undefined>,
      changed: () => void,
    ): Promise<string | undefined> {
      const problem = await asked;
      const key = backendKey(backend);
      const known = seen.get(key);
      const one = known ?? { serving: false, failingSinceMs: undefined };
      const before = known?.serving;
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
