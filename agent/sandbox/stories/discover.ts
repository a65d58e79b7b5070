import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { SERVICE_NAME_LABEL } from "../../../lib/discovery/labels.ts";
import { dockerEngine } from "../../../lib/docker/io/engine.ts";
import {
  type DnsServer,
  type DnsServerOptions,
  dnsServer,
} from "../../../lib/standins/dns/server.ts";
import { type DockerStandIn, dockerStandIn } from "../../../lib/standins/docker/engine.ts";
import { engineTasks } from "../../../lib/standins/docker/engine-tasks.ts";
import { type EcsAgentStandIn, ecsAgent } from "../../../lib/standins/ecs/introspection.ts";
import { containerInstanceArn, tasksOf } from "../../../lib/standins/ecs/tasks.ts";
import {
  type LandedChange,
  type Route53StandIn,
  route53StandIn,
} from "../../../lib/standins/route53/server.ts";
import { logLevels } from "../../process/log.ts";
import { together } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { SandboxConfig } from "../config.ts";
import { playStory } from "../story.ts";

const ZONE = { id: "Z00SANDBOX", name: "sandbox.internal", privateZone: true };
/** Half of it passes before a change takes effect, as over a real network. */
const ROUTE53_LATENCY_MS = 50;

/** The log line of an agent that says where its status page is. */
const STATUS_PAGE = /^\S+ info +the status page is served url=(http:\S+)$/;

/** One container instance: an engine and its ECS agent, for which one real agent process works. */
interface Host {
  readonly name: string;
  readonly instance: string;
  readonly ecs: EcsAgentStandIn;
  readonly environment: Readonly<Record<string, string>>;
  readonly simulated?: DockerStandIn;
}

/**
 * Starts Route 53, its name server and one or two ECS hosts as stand-ins, and the real agent against them as processes
 * of their own: for the containers of this machine's Docker engine, where there is one, and for simulated ones.
 */
export async function tell(config: SandboxConfig, surroundings: Surroundings): Promise<void> {
  const { stop, clock, random, env } = surroundings;
  const done = new AbortController();
  const end = AbortSignal.any([stop.signal, done.signal]);
  const ended = end.aborted ? Promise.resolve() : once(end, "abort");
  const startedMs = clock.now();
  const say = (line: string) => {
    const seconds = ((clock.now() - startedMs) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${seconds} s  ${line}\n`);
  };

  const folder = await mkdtemp(join(tmpdir(), "ecs-discovery-sandbox-"));
  const route53 = await route53StandIn({ zones: [ZONE], latencyMs: ROUTE53_LATENCY_MS });
  const dns = await listen({
    zones: () => [{ name: ZONE.name, records: route53.records(ZONE.id) }],
    random,
    port: config.dnsPort,
  });
  const hosts: Host[] = [];
  const docker = config.engine === "simulated" ? undefined : await dockerHost(env, config.engine);
  if (docker !== undefined) hosts.push(docker);
  if (config.engine !== "docker") hosts.push(await simulatedHost(folder, hosts.length));

  introduce(hosts, dns);
  const names = new Map(hosts.map(({ instance, name }) => [instance, name]));
  let landed = 0;
  route53.onLanded((changes) => {
    landed += changes.length;
    for (const change of changes) say(describe(change, names));
  });

  const agents = hosts.map((host) => startAgent(host, route53, folder, config));
  const follow = async (agent: ChildProcess, host: Host): Promise<void> => {
    const lines = agent.stdout && createInterface(agent.stdout);
    lines?.on("line", (line) => {
      const page = STATUS_PAGE.exec(line)?.[1];
      if (page !== undefined) say(`  ${host.name}: what its agent thinks: ${page}/`);
      else if (isShown(line, config)) say(`  ${host.name} agent: ${line}`);
    });
    const [code] = (await once(agent, "exit")) as [number | null];
    if (!end.aborted) throw new Error(`the agent of ${host.name} ended with exit code ${code}`);
  };
  const story = async (engine: DockerStandIn | undefined): Promise<void> => {
    if (engine === undefined) return;
    // An agent that is stopped while it starts never opens its stream.
    await Promise.race([engine.untilStreams(1), ended]);
    const scene = (line: string) => say(`* ${line}`);
    await playStory({ engine, tell: scene, clock, random, stop: end }).catch(ignoreStop(end));
  };
  const timer = async (): Promise<void> => {
    if (config.for === 0) await ended;
    else await clock.sleep(config.for * 1000, end).catch(ignoreStop(end));
    done.abort();
    for (const agent of agents) agent.kill("SIGTERM");
  };
  await together(stop, [
    ...hosts.map((host, index) => follow(agents[index] as ChildProcess, host)),
    ...hosts.map(({ simulated }) => story(simulated)),
    timer(),
  ]);

  sumUp(route53, landed);
  await Promise.all([
    ...hosts.map(({ ecs }) => ecs.close()),
    ...hosts.map(({ simulated }) => simulated?.close()),
    dns.close(),
    route53.close(),
  ]);
  await rm(folder, { recursive: true, force: true });
}

/** The port asked for, or any that is free when it is taken. */
async function listen(options: DnsServerOptions): Promise<DnsServer> {
  try {
    return await dnsServer(options);
  } catch {
    return await dnsServer({ ...options, port: 0 });
  }
}

async function dockerHost(
  env: Surroundings["env"],
  engine: "auto" | "docker",
): Promise<Host | undefined> {
  const docker = dockerEngine();
  const { engine: version } = await docker.version().catch((error: unknown) => {
    if (engine === "docker") throw error;
    return { engine: undefined };
  });
  if (version === undefined) return undefined;
  const instance = "d0".repeat(16);
  const tasks = engineTasks({
    running: () => docker.running(SERVICE_NAME_LABEL),
    inspect: docker.inspect,
  });
  const ecs = await ecsAgent({
    containerInstanceArn: containerInstanceArn({ id: instance }),
    tasks,
  });
  const inherited = Object.entries(env).filter(([name]) => name.startsWith("DOCKER_"));
  return {
    name: `docker ${version}`,
    instance,
    ecs,
    environment: Object.fromEntries(inherited.map(([name, value]) => [name, value ?? ""])),
  };
}

async function simulatedHost(folder: string, number: number): Promise<Host> {
  const instance = `5${number}`.repeat(16);
  const simulated = await dockerStandIn({ socketPath: join(folder, "docker.sock") });
  const ecs = await ecsAgent({
    containerInstanceArn: containerInstanceArn({ id: instance }),
    tasks: () => tasksOf(simulated.containers()),
  });
  return {
    name: "simulated",
    instance,
    ecs,
    environment: { DOCKER_HOST: simulated.dockerHost },
    simulated,
  };
}

/** The real agent, with nothing of this environment that could lead it to a real AWS account. */
function startAgent(
  host: Host,
  route53: Route53StandIn,
  folder: string,
  { logLevel }: SandboxConfig,
): ChildProcess {
  const [node, main] = process.argv as [string, string];
  const flags = [
    "discover",
    `--hostedZoneId=${ZONE.id}`,
    `--introspectionUrl=${host.ecs.url}`,
    `--stateDir=${folder}`,
    // Two agents on one machine.
    "--statusAddress=127.0.0.1:0",
    // Where the status page is, it says as information.
    `--logLevel=${logLevel === "debug" ? "debug" : "info"}`,
  ];
  return spawn(node, [main, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...host.environment,
      AWS_ENDPOINT_URL_ROUTE_53: route53.url,
      AWS_REGION: "eu-west-1",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_ACCESS_KEY_ID: "sandbox",
      AWS_SECRET_ACCESS_KEY: "sandbox",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    },
  });
}

/** Of an agent's log: what it would log at the sandbox's own level, but for what the sandbox itself tells of. */
function isShown(line: string, { logLevel }: SandboxConfig): boolean {
  const [, level] = line.split(/ +/, 2);
  const least = logLevels.indexOf(logLevel === "info" ? "warn" : logLevel);
  return logLevels.slice(0, least + 1).some((one) => one === level);
}

function introduce(hosts: readonly Host[], dns: DnsServer): void {
  const real = hosts.find(({ simulated }) => simulated === undefined);
  const lines = [
    `The zone ${ZONE.name} is empty; ${hosts.length === 1 ? "one agent keeps" : "two agents keep"} it.`,
    ...hosts.map(({ name, simulated }) =>
      simulated === undefined
        ? `  ${name}: this machine's engine. Label any container and see it appear:\n    docker run --rm --label ${SERVICE_NAME_LABEL}=hello <image>`
        : `  ${name}: an engine that plays a little story.`,
    ),
    ...(real === undefined
      ? ["  No Docker engine is in reach, so all containers are simulated."]
      : []),
    "Ask the zone, from another terminal:",
    `    dig @${dns.address} -p ${dns.port} ${real === undefined ? "web" : "hello"}.${ZONE.name} +short`,
    "",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function describe({ action, record }: LandedChange, names: ReadonlyMap<string, string>): string {
  const instance = record.setIdentifier?.split("/")[1] ?? "";
  const sign = action === "DELETE" ? "-" : "+";
  const name = record.name.replace(/\.$/, "");
  return `${sign} ${name.padEnd(26)} ${record.type}  ${record.values.join(" ").padEnd(15)} weight ${record.weight ?? "-"}, ttl ${record.ttlSeconds}  (${names.get(instance) ?? "?"})`;
}

function sumUp(route53: Route53StandIn, landed: number): void {
  const changes = route53.requests.filter(
    ({ operation }) => operation === "ChangeResourceRecordSets",
  );
  const left = route53.records(ZONE.id).filter(({ setIdentifier }) => setIdentifier !== undefined);
  process.stdout.write(
    `\n${landed} changes landed in ${changes.length} requests to change the zone ` +
      `(${route53.requests.length} requests in all). ` +
      `${left.length} records are left in the zone: an agent that ends leaves them to its next start.\n`,
  );
}

const ignoreStop =
  (end: AbortSignal) =>
  (error: unknown): void => {
    if (!end.aborted) throw error;
  };
