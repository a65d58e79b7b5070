import { type ChildProcess, spawn } from "node:child_process";
import { Resolver } from "node:dns/promises";
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
  const say = teller(clock);

  const folder = await mkdtemp(join(tmpdir(), "ecs-discovery-sandbox-"));
  const route53 = await route53StandIn({ zones: [ZONE], latencyMs: ROUTE53_LATENCY_MS });
  const dns = await listen({
    zones: () => [{ name: ZONE.name, records: route53.records(ZONE.id) }],
    random,
    port: config.dnsPort,
  });
  const hosts = await hostsOf(config, env, folder);

  introduce(hosts, dns, route53);
  const names = new Map(hosts.map(({ instance, name }) => [instance, name]));
  let landed = 0;
  const ask = asker(dns, say);
  route53.onLanded((changes) => {
    landed += changes.length;
    for (const change of changes) say(describe(change, names));
    for (const name of new Set(changes.map(({ record }) => record.name))) ask(name);
  });

  const agents = hosts.map((host) => startAgent(host, route53, folder, config));
  /** The agents whose end the story wants. */
  const killed = new Set<ChildProcess>();
  const follow = async (agent: ChildProcess, host: Host): Promise<void> => {
    const lines = agent.stdout && createInterface(agent.stdout);
    lines?.on("line", (line) => {
      const page = STATUS_PAGE.exec(line)?.[1];
      if (page !== undefined) say(`  ${host.name}: its page: ${page}/`);
      else if (isShown(line, config)) say(`  ${host.name} agent: ${line}`);
    });
    const [code] = (await once(agent, "exit")) as [number | null];
    if (!end.aborted && !killed.has(agent))
      throw new Error(`the agent of ${host.name} ended with exit code ${code}`);
  };
  const restarts: Promise<void>[] = [];
  const story = async (host: Host, index: number): Promise<void> => {
    const { simulated: engine } = host;
    if (engine === undefined) return;
    const agent = {
      kill() {
        const running = agents[index] as ChildProcess;
        killed.add(running);
        running.kill("SIGKILL");
      },
      start() {
        agents[index] = startAgent(host, route53, folder, config);
        restarts.push(follow(agents[index], host).catch(stop.fail));
      },
    };
    // An agent that is stopped while it starts never opens its stream.
    await Promise.race([engine.untilStreams(1), ended]);
    const scene = (line: string) => say(`* ${line}`);
    await playStory({ engine, agent, tell: scene, clock, random, stop: end }).catch(
      ignoreStop(end),
    );
  };
  const timer = async (): Promise<void> => {
    if (config.for === 0) await ended;
    else await clock.sleep(config.for * 1000, end).catch(ignoreStop(end));
    done.abort();
    for (const agent of agents) agent.kill("SIGTERM");
  };
  await together(stop, [
    ...hosts.map((host, index) => follow(agents[index] as ChildProcess, host)),
    ...hosts.map(story),
    timer(),
  ]);
  await Promise.all(restarts);

  sumUp(route53, landed);
  const servers = [...hosts.flatMap(({ ecs, simulated }) => [ecs, simulated]), dns, route53];
  await Promise.all(servers.map(async (server) => server?.close()));
  await rm(folder, { recursive: true, force: true });
}

/** Writes a line with the time since now before it. */
function teller(clock: Surroundings["clock"]): (line: string) => void {
  const startedMs = clock.now();
  return (line) => {
    const seconds = ((clock.now() - startedMs) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${seconds} s  ${line}\n`);
  };
}

/** The port asked for, or any that is free when it is taken. */
async function listen(options: DnsServerOptions): Promise<DnsServer> {
  try {
    return await dnsServer(options);
  } catch {
    return await dnsServer({ ...options, port: 0 });
  }
}

/** This machine's engine, where it is wanted and in reach, and a simulated one, unless only the other is wanted. */
async function hostsOf(
  config: SandboxConfig,
  env: Surroundings["env"],
  folder: string,
): Promise<readonly Host[]> {
  const docker = config.engine === "simulated" ? undefined : await dockerHost(env, config.engine);
  const real = docker === undefined ? [] : [docker];
  return config.engine === "docker" ? real : [...real, await simulatedHost(folder, real.length)];
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
    // A host's own: whatever journal else lies there is its former self's.
    `--stateDir=${join(folder, host.instance)}`,
    // Two agents on one machine.
    "--statusAddress=127.0.0.1:0",
    // Where the status page is, it says as information.
    `--logLevel=${logLevel === "debug" ? "debug" : "info"}`,
  ];
  return spawn(node, [main, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...host.environment,
      ...sandboxAws(route53),
    },
  });
}

/** What leads the AWS SDK to the stand-ins, and to nothing else. */
const sandboxAws = (route53: Route53StandIn): Readonly<Record<string, string>> => ({
  AWS_ENDPOINT_URL_ROUTE_53: route53.url,
  AWS_REGION: "eu-west-1",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_ACCESS_KEY_ID: "sandbox",
  AWS_SECRET_ACCESS_KEY: "sandbox",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
});

/** Of an agent's log: what it would log at the sandbox's own level, but for what the sandbox itself tells of. */
function isShown(line: string, { logLevel }: SandboxConfig): boolean {
  const [, level] = line.split(/ +/, 2);
  const least = logLevels.indexOf(logLevel === "info" ? "warn" : logLevel);
  return logLevels.slice(0, least + 1).some((one) => one === level);
}

function introduce(hosts: readonly Host[], dns: DnsServer, route53: Route53StandIn): void {
  const dig = (name: string) =>
    `    dig @${dns.address} -p ${dns.port} ${name}.${ZONE.name} +short`;
  const lines = [
    `The zone ${ZONE.name} is empty; ${hosts.length === 1 ? "one agent keeps" : "two agents keep"} it. After each change the demo asks it.`,
    "",
  ];
  for (const { name, simulated, ecs, environment } of hosts) {
    if (simulated === undefined) {
      lines.push(
        `${name}: this machine's engine. Label a container, and ask for it, in another terminal:`,
        `    docker run --rm -d --label ${SERVICE_NAME_LABEL}=hello busybox sleep 60`,
        dig("hello"),
      );
      continue;
    }
    const surroundings = Object.entries({ ...sandboxAws(route53), ...environment })
      .map(([variable, value]) => `${variable}=${value}`)
      .join(" ");
    lines.push(
      `${name}: an engine that plays a little story. Ask for a name of it, in another terminal:`,
      dig("web"),
      "  Or ask what its agent would change, and whether all is well (in the project's folder):",
      `    export ${surroundings}`,
      `    npm start --silent -- plan --hostedZoneId=${ZONE.id} --introspectionUrl=${ecs.url} --stateDir=/tmp`,
      `    npm start --silent -- doctor --hostedZoneId=${ZONE.id} --introspectionUrl=${ecs.url} --stateDir=/tmp`,
    );
  }
  if (hosts.every(({ simulated }) => simulated !== undefined)) {
    lines.push("No Docker engine is in reach, so all containers are simulated.");
  }
  process.stdout.write(`${lines.join("\n")}\n\n`);
}

/** Asks the zone's name server for a name, and says what it answers; a name that is asked for already is not asked twice. */
function asker(dns: DnsServer, say: (line: string) => void): (name: string) => void {
  const resolver = new Resolver();
  resolver.setServers([`${dns.address}:${dns.port}`]);
  const asked = new Set<string>();
  return (name) => {
    if (asked.has(name)) return;
    asked.add(name);
    resolver
      .resolve4(name.replace(/\.$/, ""))
      .then(
        (addresses) => say(`  ${name.replace(/\.$/, "")} is ${addresses.join(", ")}`),
        () => say(`  ${name.replace(/\.$/, "")} has no address`),
      )
      .finally(() => asked.delete(name));
  };
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
