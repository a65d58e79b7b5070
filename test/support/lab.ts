import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { GenericContainer } from "testcontainers";
import { dockerEngine } from "../../lib/docker/io/engine.ts";
import {
  DOCKER_API_VERSIONS,
  type DockerApiVersion,
  type DockerStandIn,
  dockerStandIn,
} from "../../lib/standins/docker/engine.ts";
import { engineTasks } from "../../lib/standins/docker/engine-tasks.ts";
import {
  type EcsAgentOptions,
  type EcsAgentStandIn,
  ecsAgent,
} from "../../lib/standins/ecs/introspection.ts";
import { containerInstanceArn, taskArn, tasksOf } from "../../lib/standins/ecs/tasks.ts";
import { type Route53StandIn, route53StandIn } from "../../lib/standins/route53/server.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";
import { type DockerProxy, dockerProxy } from "./docker-proxy.ts";
import { TEST_IMAGE } from "./engine.ts";
import { type ZoneView, zoneView } from "./zone-view.ts";

export const NAME_LABEL = "discovery.service.name";
const TASK_LABEL = "com.amazonaws.ecs.task-arn";
const ZONE = { id: "Z00TEST", name: "example.internal" };

/** A process that ends well at TERM, and with code 1, as a crash, at USR1. */
export const SERVE = ["sh", "-c", "trap 'exit 0' TERM; trap 'exit 1' USR1; sleep 3600 & wait"];

/** Everything outside of one agent, disposed of with all that the test started in it. */
interface Surroundings extends AsyncDisposable {
  readonly route53: Route53StandIn;
  readonly ecs: EcsAgentStandIn;
  readonly zone: ZoneView;
  /** Starts an agent with these flags besides the ones that lead it here. */
  agent(...flags: readonly string[]): AgentProcess;
  /** The same in its mode `deregister`. */
  deregister(...flags: readonly string[]): AgentProcess;
  /** The same in any mode that answers something. */
  command(
    mode: string,
    flags?: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): AgentProcess;
  /** The same, started by this command. */
  agentBy(
    command: readonly string[],
    flags?: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): AgentProcess;
  /** Starts an agent without any flags, led here by its environment alone. */
  agentByEnvironment(env: Readonly<Record<string, string>>): AgentProcess;
  /** Those started so far, dead ones included. */
  readonly agents: readonly AgentProcess[];
}

/** A lab with this machine's Docker engine, which the agent reaches through a proxy that shows it the lab's own part. */
export interface EngineLab extends Surroundings {
  readonly id: string;
  /** Removed in the end. */
  readonly folder: string;
  readonly docker: Docker;
  readonly proxy: DockerProxy;
  /** `eda-test-<id>-<text>`, for everything that is given a name. */
  named(text: string): string;
  /** A container with this label, to be started by testcontainers. */
  service(label: string): GenericContainer;
  /** The same by Docker's own API, for what testcontainers can't do; started. */
  run(options: RunOptions): Promise<Docker.Container>;
  /** What the zone must hold for the containers that run now; asked of the engine, not of the agent's code. */
  expected(): Promise<readonly string[]>;
  /** Waits until the zone equals the containers that run now. */
  follows(): Promise<void>;
  /** Starts one more service and waits for its record: then the agent has read every event before it. */
  caughtUp(): Promise<void>;
}

export interface RunOptions {
  /** The service's name; without one the container is none of the agent's business. */
  readonly label?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly name?: string;
  readonly image?: string;
  readonly command?: readonly string[];
  /** Default: the lab's own network. */
  readonly networkMode?: string;
  readonly restartPolicy?: { readonly Name: string };
  /** As `folder:/where`. */
  readonly binds?: readonly string[];
  readonly healthcheck?: Docker.HealthConfig;
  /** A name or a number, as an image gives it. */
  readonly stopSignal?: string;
}

/** A lab with a simulated Docker engine, for what does not depend on how Docker behaves. */
export interface SimulatedLab extends Surroundings {
  readonly engine: DockerStandIn;
}

export interface LabOptions {
  readonly latencyMs?: number;
  /** Whether the zone is a private one. Default: public. */
  readonly privateZone?: boolean;
}

export interface EngineLabOptions extends LabOptions {
  /** Of another engine than this machine's own. */
  readonly engineSocket?: string;
}

/** What the ECS agent puts on the containers of a task: here, of one that no other container belongs to. */
export const newTaskLabel = (): Readonly<Record<string, string>> => ({
  [TASK_LABEL]: taskArn(randomBytes(16).toString("hex")),
});

/** The simulated engine's API where a test does not say: another one for a run of them all, by SIMULATED_DOCKER_API. */
function apiVersionOfRun(): DockerApiVersion {
  const wanted = process.env["SIMULATED_DOCKER_API"] ?? "1.52";
  const known = DOCKER_API_VERSIONS.find((version) => version === wanted);
  if (known !== undefined) return known;
  const all = DOCKER_API_VERSIONS.join(", ");
  throw new Error(`SIMULATED_DOCKER_API: expected one of ${all}, got ${wanted}`);
}

export async function simulatedLab(
  options: LabOptions & {
    readonly apiVersion?: DockerApiVersion;
    /** What the ECS agent tells; by default one awsvpc task for each container. */
    readonly tasks?: EcsAgentOptions["tasks"];
  } = {},
): Promise<SimulatedLab> {
  await using stack = new AsyncDisposableStack();
  const folder = await temporaryFolder(stack);
  const engine = await dockerStandIn({
    socketPath: join(folder, "docker.sock"),
    apiVersion: options.apiVersion ?? apiVersionOfRun(),
  });
  stack.defer(() => engine.close());
  const tasks = options.tasks ?? (() => tasksOf(engine.containers()));
  const outside = await surroundings(stack, {
    ...options,
    tasks,
    folder,
    dockerHost: engine.dockerHost,
  });
  return { ...outside, engine, ...disposal(stack, engine.requests) };
}

export async function engineLab({
  engineSocket,
  ...options
}: EngineLabOptions = {}): Promise<EngineLab> {
  await using stack = new AsyncDisposableStack();
  const id = randomBytes(5).toString("hex");
  const named = (text: string) => `eda-test-${id}-${text}`;
  const labLabel = `eda-test=${id}`;
  const folder = await temporaryFolder(stack);
  const at = engineSocket === undefined ? {} : { socketPath: engineSocket };
  const docker = new Docker(at);

  const proxy = await dockerProxy({
    socketPath: join(folder, "docker.sock"),
    label: labLabel,
    ...(engineSocket !== undefined && { engine: { socketPath: engineSocket } }),
  });
  stack.defer(() => proxy.close());
  const network = await docker.createNetwork({ Name: named("network") });
  stack.defer(() => network.remove());
  stack.defer(() => removeVolumes(docker, named("")));
  stack.defer(() => removeContainers(docker, labLabel));

  const engine = dockerEngine(at);
  const tasks = engineTasks({ running: () => engine.running(labLabel), inspect: engine.inspect });
  const outside = await surroundings(stack, {
    tasks,
    folder,
    dockerHost: proxy.dockerHost,
    ...options,
  });
  const { zone } = outside;

  const run = async (asked: RunOptions): Promise<Docker.Container> => {
    const container = await docker.createContainer({
      Image: asked.image ?? TEST_IMAGE,
      Cmd: [...(asked.command ?? SERVE)],
      name: named(asked.name ?? randomBytes(4).toString("hex")),
      Labels: {
        "eda-test": id,
        ...asked.labels,
        ...(asked.label !== undefined && { [NAME_LABEL]: asked.label }),
      },
      ...(asked.healthcheck && { Healthcheck: asked.healthcheck }),
      ...(asked.stopSignal !== undefined && { StopSignal: asked.stopSignal }),
      HostConfig: {
        NetworkMode: asked.networkMode ?? named("network"),
        ...(asked.restartPolicy && { RestartPolicy: asked.restartPolicy }),
        ...(asked.binds && { Binds: [...asked.binds] }),
      },
    });
    await container.start();
    return container;
  };
  const expected = () => expectedRecords(docker, labLabel, zone.name);
  let markers = 0;

  return {
    ...outside,
    id,
    folder,
    docker,
    proxy,
    named,
    service: (label) =>
      new GenericContainer(TEST_IMAGE)
        .withName(named(randomBytes(4).toString("hex")))
        .withNetworkMode(named("network"))
        .withLabels({ "eda-test": id, [NAME_LABEL]: label, ...newTaskLabel() })
        .withCommand(SERVE),
    run,
    expected,
    follows: async () => zone.until(await expected()),
    async caughtUp() {
      markers += 1;
      const label = `marker-${markers}`;
      await run({ label, name: label });
      await outside.route53.until(zone.id, (records) =>
        records.some(({ name }) => name === `${label}.${zone.name}.`),
      );
    },
    ...disposal(stack, proxy.requests),
  };
}

async function surroundings(
  stack: AsyncDisposableStack,
  {
    tasks,
    dockerHost,
    folder,
    latencyMs,
    privateZone = false,
  }: LabOptions & {
    readonly tasks: EcsAgentOptions["tasks"];
    readonly dockerHost: string;
    readonly folder: string;
  },
): Promise<Omit<Surroundings, keyof AsyncDisposable>> {
  const route53 = await route53StandIn({
    zones: [{ ...ZONE, privateZone }],
    rate: "unlimited",
    ...(latencyMs !== undefined && { latencyMs }),
  });
  stack.defer(() => route53.close());
  const ecs = await ecsAgent({
    // A container instance that no other lab has.
    containerInstanceArn: containerInstanceArn({ id: randomBytes(16).toString("hex") }),
    tasks,
  });
  stack.defer(() => ecs.close());
  // Disposed of first: an agent must not see its surroundings go.
  const ends = stack.use(new AsyncDisposableStack());
  const agents: AgentProcess[] = [];
  const start = (
    flags: readonly string[],
    env: Readonly<Record<string, string>>,
    command?: readonly string[],
  ) => {
    const led = { DOCKER_HOST: dockerHost, AWS_ENDPOINT_URL_ROUTE_53: route53.url, ...env };
    const agent = startAgent(flags, led, command);
    agents.push(agent);
    ends.defer(async () => {
      if (!agent.ended) agent.kill("SIGKILL");
      await agent.exit();
    });
    return agent;
  };
  // A test that wants the status server asks for it: a later flag beats an earlier one.
  const unserved = "--statusAddress=off";
  const here = [
    `--hostedZoneId=${ZONE.id}`,
    `--introspectionUrl=${ecs.url}`,
    `--stateDir=${folder}`,
    "--logFormat=json",
  ];
  return {
    route53,
    ecs,
    zone: zoneView(route53, ZONE),
    agents,
    agent: (...flags) => start([...here, unserved, ...flags], {}),
    agentBy: (command, flags = [], env = {}) => start([...here, unserved, ...flags], env, command),
    deregister: (...flags) => start(["deregister", ...here, ...flags], {}),
    command: (mode, flags = [], env = {}) => start([mode, ...here, ...flags], env),
    agentByEnvironment: (env) =>
      start([], {
        HOSTED_ZONE_ID: ZONE.id,
        ECS_DISCOVERY_INTROSPECTION_URL: ecs.url,
        ECS_DISCOVERY_STATE_DIR: folder,
        ECS_DISCOVERY_LOG_FORMAT: "json",
        ECS_DISCOVERY_STATUS_ADDRESS: "off",
        ...env,
      }),
  };
}

/** Gives everything back, whatever happened; then the agent must have sent nothing but reads to its engine. */
function disposal(
  stack: AsyncDisposableStack,
  requests: readonly { readonly method: string; readonly path: string }[],
): AsyncDisposable {
  const held = stack.move();
  return {
    async [Symbol.asyncDispose]() {
      await held.disposeAsync();
      const writes = requests.filter(({ method }) => method !== "GET");
      if (writes.length > 0) throw new Error(`the agent sent ${JSON.stringify(writes)} to Docker`);
    },
  };
}

async function temporaryFolder(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "eda-test-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function removeContainers(docker: Docker, label: string): Promise<void> {
  const all = await docker.listContainers({ all: true, filters: { label: [label] } });
  await Promise.all(
    all.map(({ Id }) =>
      docker
        .getContainer(Id)
        .remove({ force: true, v: true })
        .catch((error: { readonly statusCode?: number }) => {
          // Gone, or going, by the test's own doing.
          if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
        }),
    ),
  );
}

async function removeVolumes(docker: Docker, prefix: string): Promise<void> {
  const { Volumes: all } = await docker.listVolumes({ filters: { name: [prefix] } });
  await Promise.all((all ?? []).map(({ Name }) => docker.getVolume(Name).remove()));
}

async function expectedRecords(
  docker: Docker,
  labLabel: string,
  zoneName: string,
): Promise<readonly string[]> {
  const listed = await docker.listContainers({ filters: { label: [NAME_LABEL, labLabel] } });
  const records = await Promise.all(
    listed.map(async ({ Id, Labels }) => {
      const { State, HostConfig } = await docker.getContainer(Id).inspect();
      if (!State.Running || State.Restarting) return [];
      const [mode, shared] = (HostConfig.NetworkMode ?? "").split(":");
      const { NetworkSettings } = await docker
        .getContainer(mode === "container" && shared ? shared : Id)
        .inspect();
      const addresses = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
      return addresses.map(
        (address) => `${Labels[NAME_LABEL]?.toLowerCase()}.${zoneName} ${address}`,
      );
    }),
  );
  return [...new Set(records.flat())].toSorted();
}
