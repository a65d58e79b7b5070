import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerStandIn } from "../../lib/sandbox/docker-engine.ts";
import { ecsAgent } from "../../lib/sandbox/ecs-agent.ts";
import { containerInstanceArn, taskArn, tasksOf } from "../../lib/sandbox/ecs-tasks.ts";
import { type Rate, type RequestSeen, route53StandIn } from "../../lib/sandbox/route53.ts";

export const ZONE = { id: "Z00BENCH", name: "bench.internal" };
export const LABEL = "discovery.service.name";
export const ROUTE53_LATENCY_MS = 50;
/** An account's limit, as the stand-in has it by default. */
export const ROUTE53_RATE = { perSecond: 10, burst: 50 } as const satisfies Rate;

/** A group of weighted records holds at most 100, so the containers of a burst are spread over services. */
const SERVICES = 10;
/** Far beyond what anything here takes: whoever waits that long waits in vain. */
const WAIT_LIMIT_MS = 60_000;

/** What one act on containers came to. */
export interface Measured {
  /** For each container, from its event to the moment Route 53 accepted its change. */
  readonly delaysMs: readonly number[];
  /** From the first event to the last accepted change. */
  readonly allMs: number;
  readonly requests: readonly RequestSeen[];
}

/** The stand-ins that every writer runs against, and the containers on them. */
export interface World extends AsyncDisposable {
  /** Where a writer finds the stand-ins. */
  readonly environment: Readonly<Record<string, string>>;
  readonly introspectionUrl: string;
  /** Resolves when a writer listens for events; rejects with `failure`. */
  watched(failure: Promise<never>): Promise<void>;
  /** Starts so many containers at once; measured until each has its record. */
  start(count: number, failure: Promise<never>): Promise<Measured>;
  /** Stops all containers at once; measured until no record is left. Then the containers are removed. */
  stop(failure: Promise<never>): Promise<Measured>;
}

export async function world(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "ecs-discovery-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const route53 = await route53StandIn({
    zones: [ZONE],
    latencyMs: ROUTE53_LATENCY_MS,
    rate: ROUTE53_RATE,
  });
  stack.defer(() => route53.close());
  const engine = await dockerStandIn({ socketPath: join(folder, "docker.sock") });
  stack.defer(() => engine.close());
  const ecs = await ecsAgent({
    containerInstanceArn: containerInstanceArn(),
    tasks: () => tasksOf(engine.containers()),
  });
  stack.defer(() => ecs.close());

  let made = 0;
  const addresses = new Map<string, string>();
  const run = (): void => {
    made += 1;
    const address = `10.${made >> 16}.${(made >> 8) & 255}.${made & 255}`;
    const id = made.toString(16).padStart(64, "0");
    addresses.set(id, address);
    engine.run({
      id,
      address,
      labels: {
        [LABEL]: `service-${made % SERVICES}`,
        "com.amazonaws.ecs.task-arn": taskArn(made.toString(16).padStart(32, "0")),
      },
    });
  };

  /** Resolves at the next moment at which `holds`, which is looked at whenever `hear` says so. */
  const until = async (
    what: string,
    holds: () => boolean,
    hear: (look: () => void) => () => void,
    failure: Promise<never>,
  ): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => holds() && resolve();
    const deaf = hear(look);
    const timer = setTimeout(
      () => reject(new Error(`waited ${WAIT_LIMIT_MS / 1000} s in vain for ${what}`)),
      WAIT_LIMIT_MS,
    );
    try {
      look();
      await Promise.race([promise, failure]);
    } finally {
      clearTimeout(timer);
      deaf();
    }
  };

  const measure = async (
    {
      event,
      action,
      count,
    }: { event: "start" | "die"; action: "UPSERT" | "DELETE"; count: number },
    act: () => void,
    failure: Promise<never>,
  ): Promise<Measured> => {
    // What earlier requests took from the account's limit is no part of this measurement.
    route53.set({ rate: ROUTE53_RATE });
    const requestsBefore = route53.requests.length;
    const happenedMs = new Map<string, number>();
    const landedMs = new Map<string, number>();
    const deaf = engine.onEvent(({ Action, Actor }) => {
      const address = addresses.get(Actor.ID);
      if (Action === event && address !== undefined) happenedMs.set(address, performance.now());
    });
    await until(
      `${count} changes to land`,
      () => happenedMs.size === count && landedMs.size === count,
      (look) => {
        const silent = route53.onLanded((changes) => {
          for (const { action: done, record } of changes) {
            const [address = ""] = record.values;
            if (done === action && !landedMs.has(address)) landedMs.set(address, performance.now());
          }
          look();
        });
        act();
        return silent;
      },
      failure,
    );
    deaf();
    await until(
      "every request to be answered",
      () => route53.requests.every(({ result }) => result !== "pending"),
      (look) => route53.onRequest(look),
      failure,
    );
    const delaysMs = [...landedMs].map(([address, ms]) => ms - (happenedMs.get(address) ?? 0));
    return {
      delaysMs,
      allMs: Math.max(...landedMs.values()) - Math.min(...happenedMs.values()),
      requests: route53.requests.slice(requestsBefore),
    };
  };

  const held = stack.move();
  return {
    environment: { DOCKER_HOST: engine.dockerHost, AWS_ENDPOINT_URL_ROUTE_53: route53.url },
    introspectionUrl: ecs.url,
    watched: (failure) =>
      until(
        "a writer to listen",
        () => engine.openStreams === 1,
        (look) => engine.onStreams(look),
        failure,
      ),
    start: (count, failure) =>
      measure(
        { event: "start", action: "UPSERT", count },
        () => {
          for (let n = 0; n < count; n += 1) run();
        },
        failure,
      ),
    async stop(failure) {
      const ids = engine.containers().map(({ id }) => id);
      const measured = await measure(
        { event: "die", action: "DELETE", count: ids.length },
        () => {
          for (const id of ids) engine.stop(id);
        },
        failure,
      );
      for (const id of ids) engine.remove(id);
      return measured;
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
