import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { dockerEngine } from "../../lib/docker/io/engine.ts";
import type { Random } from "../../lib/kit/flow/clock.ts";
import { engineTasks } from "../../lib/standins/docker/engine-tasks.ts";
import { type EcsAgentStandIn, ecsAgent } from "../../lib/standins/ecs/introspection.ts";
import { containerInstanceArn } from "../../lib/standins/ecs/tasks.ts";
import type { Route53StandIn } from "../../lib/standins/route53/server.ts";
import { type AgentProcess, startAgent } from "../support/agent-process.ts";
import { type DockerProxy, dockerProxy } from "../support/docker-proxy.ts";
import { TEST_IMAGE } from "../support/engine.ts";
import { NAME_LABEL, newTaskLabel, SERVE } from "../support/lab.ts";

/** These serve throughout: whatever happens to the others, nobody may touch their records. */
const STAYING = 3;
/** What the image gives Node; it sets this variable, too. */
const NODE_FLAGS = (
  JSON.parse(
    /^ENTRYPOINT (.*)$/m.exec(
      readFileSync(new URL("../../Dockerfile", import.meta.url), "utf8"),
    )?.[1] ?? "[]",
  ) as readonly string[]
).filter((word) => word.startsWith("--"));
const MALLOC_ARENA_MAX = "1";

/** One container instance: its part of this machine's engine, its ECS agent, and the records that it owns. */
export interface Host extends AsyncDisposable {
  readonly proxy: DockerProxy;
  readonly ecs: EcsAgentStandIn;
  /** Starts an agent of this host. */
  agent(): AgentProcess;
  /** Starts the containers that stay. */
  begin(): Promise<void>;
  /** Does something to the containers that come and go; false when each is busy, and there is room for no other. */
  churn(random: Random): Promise<boolean>;
  /** No container is paused any more. */
  unpause(): Promise<void>;
  /** What the zone must hold of this host by what its engine says, and what it holds: `name address`, sorted. */
  expected(): Promise<readonly string[]>;
  held(): readonly string[];
  /** How many changes of the records of those that stay were made. */
  staysWritten(): number;
  readonly staying: number;
}

interface Coming {
  readonly container: Docker.Container;
  state: "running" | "paused" | "ended";
}

export async function host({
  route53,
  zone,
  networkMode,
  containers: target,
  program,
}: {
  readonly route53: Route53StandIn;
  readonly zone: { readonly id: string; readonly name: string };
  readonly networkMode: string;
  /** About how many come and go. */
  readonly containers: number;
  /** The agent's own file. */
  readonly program: string;
}): Promise<Host> {
  await using stack = new AsyncDisposableStack();
  const id = randomBytes(5).toString("hex");
  const label = `eda-test=${id}`;
  const instance = randomBytes(16).toString("hex");
  const docker = new Docker();
  const folder = await mkdtemp(join(tmpdir(), "eda-test-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const proxy = await dockerProxy({ socketPath: join(folder, "docker.sock"), label });
  stack.defer(() => proxy.close());
  const all = () => docker.listContainers({ all: true, filters: { label: [label] } });
  stack.defer(async () => {
    await Promise.all(
      (await all()).map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })),
    );
  });
  const engine = dockerEngine();
  const ecs = await ecsAgent({
    containerInstanceArn: containerInstanceArn({ id: instance }),
    tasks: engineTasks({ running: () => engine.running(label), inspect: engine.inspect }),
  });
  stack.defer(() => ecs.close());
  const agents = stack.use(new AsyncDisposableStack());

  const coming = new Set<Coming>();
  let started = 0;
  /** Docker is still about to start them. */
  let starting = 0;
  let staysWritten = 0;
  route53.onLanded((changes) => {
    for (const { record } of changes) {
      const isOurs = record.setIdentifier?.includes(instance) === true;
      if (isOurs && record.name.startsWith("stays-")) staysWritten += 1;
    }
  });

  const run = async (name: string): Promise<Docker.Container> => {
    const container = await docker.createContainer({
      Image: TEST_IMAGE,
      Cmd: [...SERVE],
      Labels: { "eda-test": id, [NAME_LABEL]: name, ...newTaskLabel() },
      HostConfig: { NetworkMode: networkMode },
    });
    await container.start();
    return container;
  };
  const start = async () => {
    started += 1;
    // A few names, so that several containers share one.
    starting += 1;
    try {
      const container = await run(`comes-${started % Math.max(1, Math.ceil(target / 2))}`);
      coming.add({ container, state: "running" });
    } finally {
      starting -= 1;
    }
  };
  /** Something is being done to them: Docker would refuse another act. */
  const busy = new Set<Coming>();
  /** What can be done to a container in each state. */
  const acts = {
    running: {
      stop: ({ container }: Coming) => container.stop({ t: 1 }),
      kill: ({ container }: Coming) => container.kill(),
      async crash({ container }: Coming) {
        await container.kill({ signal: "SIGUSR1" });
        // It ends by itself, a moment later.
        await container.wait();
      },
      pause: ({ container }: Coming) => container.pause(),
      restart: ({ container }: Coming) => container.restart({ t: 1 }),
      remove: ({ container }: Coming) => container.remove({ force: true }),
    },
    paused: {
      unpause: ({ container }: Coming) => container.unpause(),
      remove: ({ container }: Coming) => container.remove({ force: true }),
    },
    ended: {
      start: ({ container }: Coming) => container.start(),
      remove: ({ container }: Coming) => container.remove({ force: true }),
    },
  };
  const after = {
    stop: "ended",
    kill: "ended",
    crash: "ended",
    pause: "paused",
    restart: "running",
    unpause: "running",
    start: "running",
  } as const;

  const held = stack.move();
  return {
    proxy,
    ecs,
    staying: STAYING,
    staysWritten: () => staysWritten,
    agent() {
      const agent = startAgent(
        [
          `--hostedZoneId=${zone.id}`,
          `--introspectionUrl=${ecs.url}`,
          `--stateDir=${folder}`,
          "--logFormat=json",
          // Its audits, too, are to happen within minutes.
          "--resync=60",
          // Faults follow one another here: together they last longer than any of them, and none may end the agent.
          "--patience=600",
        ],
        { DOCKER_HOST: proxy.dockerHost, AWS_ENDPOINT_URL_ROUTE_53: route53.url, MALLOC_ARENA_MAX },
        [process.execPath, ...NODE_FLAGS, program],
      );
      agents.defer(async () => {
        if (!agent.ended) agent.kill("SIGKILL");
        await agent.ends;
      });
      return agent;
    },
    async begin() {
      for (let nth = 1; nth <= STAYING; nth += 1) await run(`stays-${nth}`);
    },
    async churn(random) {
      const free = [...coming].filter((each) => !busy.has(each));
      const one = free[Math.floor(random() * free.length)];
      const filled = (coming.size + starting) / target;
      if (random() > filled || (one === undefined && filled < 1)) {
        await start();
        return true;
      }
      if (one === undefined) return false;
      busy.add(one);
      const possible = Object.entries(acts[one.state]);
      const [what, act] = possible[Math.floor(random() * possible.length)] ?? [];
      if (what === undefined || act === undefined) throw new Error(`expected an act, got ${what}`);
      try {
        await act(one);
      } finally {
        busy.delete(one);
      }
      if (what === "remove") coming.delete(one);
      else one.state = after[what as keyof typeof after];
      return true;
    },
    async unpause() {
      for (const one of coming) {
        if (one.state !== "paused") continue;
        await one.container.unpause();
        one.state = "running";
      }
    },
    async expected() {
      const running = (await all()).filter(({ State }) => State === "running");
      return running
        .flatMap(({ Labels, NetworkSettings }) =>
          Object.values(NetworkSettings.Networks).map(
            ({ IPAddress }) => `${Labels[NAME_LABEL]}.${zone.name} ${IPAddress}`,
          ),
        )
        .toSorted();
    },
    held: () =>
      route53
        .records(zone.id)
        .filter(({ setIdentifier }) => setIdentifier?.includes(instance))
        .map(({ name, values }) => `${name.replace(/\.$/, "")} ${values.join(",")}`)
        .toSorted(),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
