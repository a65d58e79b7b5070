import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DockerStandIn, dockerStandIn } from "../../lib/standins/docker/engine.ts";
import { ecsAgent } from "../../lib/standins/ecs/introspection.ts";
import { containerInstanceArn, taskArn, tasksOf } from "../../lib/standins/ecs/tasks.ts";
import {
  type Rate,
  type Route53StandIn,
  route53StandIn,
} from "../../lib/standins/route53/server.ts";

export const ZONE = { id: "Z00BENCH", name: "bench.internal" };
export const LABEL = "discovery.service.name";
/** An account's limit, as the stand-in has it by default. */
export const ACCOUNT_RATE = { perSecond: 10, burst: 50 } as const satisfies Rate;

/** A group of weighted records holds at most 100, so containers are spread over services. */
const SERVICES = 10;
/** Far beyond what anything here takes: whoever waits that long waits in vain. */
const WAIT_LIMIT_MS = 120_000;

/** The stand-ins that a writer runs against, and the containers on them. */
export interface World extends AsyncDisposable {
  /** Where a writer finds the stand-ins. */
  readonly environment: Readonly<Record<string, string>>;
  readonly introspectionUrl: string;
  /** A folder of its own, for a writer's journal. */
  readonly stateDir: string;
  readonly engine: DockerStandIn;
  readonly route53: Route53StandIn;
  /** Puts a container with a task and an address of its own on the engine, without an event; its id. */
  place(options?: { readonly running?: boolean; readonly services?: number }): string;
  addressOf(id: string): string;
  /** Weighted records in the zone. */
  records(): readonly { readonly values: readonly string[] }[];
}

export async function world({
  latencyMs,
  rate = ACCOUNT_RATE,
}: {
  readonly latencyMs: number;
  readonly rate?: Rate;
}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "ecs-discovery-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const route53 = await route53StandIn({ zones: [ZONE], latencyMs, rate });
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
  const held = stack.move();
  return {
    environment: { DOCKER_HOST: engine.dockerHost, AWS_ENDPOINT_URL_ROUTE_53: route53.url },
    introspectionUrl: ecs.url,
    stateDir: join(folder, "state"),
    engine,
    route53,
    place({ running = false, services = SERVICES } = {}) {
      made += 1;
      const address = `10.${made >> 16}.${(made >> 8) & 255}.${made & 255}`;
      const id = made.toString(16).padStart(64, "0");
      addresses.set(id, address);
      engine.adopt(
        {
          id,
          address,
          labels: {
            [LABEL]: `service-${made % services}`,
            "com.amazonaws.ecs.task-arn": taskArn(made.toString(16).padStart(32, "0")),
          },
        },
        running,
      );
      return id;
    },
    addressOf: (id) => addresses.get(id) ?? "",
    records: () =>
      route53.records(ZONE.id).filter(({ setIdentifier }) => setIdentifier !== undefined),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Resolves at the next moment at which `holds`, which is looked at whenever `hear` says so. */
export async function until(
  what: string,
  holds: () => boolean,
  hear: (look: () => void) => () => void,
  failure: Promise<never>,
): Promise<void> {
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
}

/** Calls `act` for each n below `count`, evenly over `overMs`, catching up when the timer is late. */
export async function paced(
  count: number,
  overMs: number,
  act: (n: number) => void,
): Promise<void> {
  const startedMs = performance.now();
  let done = 0;
  while (done < count) {
    const due = Math.min(count, ((performance.now() - startedMs) / overMs) * count);
    for (; done < due; done += 1) act(done);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
