import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { type DnsServer, dnsServer } from "../../lib/standins/dns/server.ts";
import { type DockerStandIn, dockerStandIn } from "../../lib/standins/docker/engine.ts";
import { type EcsControlStandIn, ecsControlStandIn } from "../../lib/standins/ecs/control.ts";
import { type EcsAgentStandIn, ecsAgent } from "../../lib/standins/ecs/introspection.ts";
import { containerInstanceArn, taskArn, tasksOf } from "../../lib/standins/ecs/tasks.ts";
import { type Route53StandIn, route53StandIn } from "../../lib/standins/route53/server.ts";
import { type SqsStandIn, sqsStandIn } from "../../lib/standins/sqs/server.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";

export const FLEET_ZONE = { id: "Z00FLEET", name: "fleet.internal" };
export const QUEUE = "discovery";
export const DEAD_LETTERS = "discovery-dead";
const CLUSTER = "prod";
const WRITER_KEY = "AKIAWRITER";

/** One container instance with a simulated engine. */
export interface FleetHost {
  readonly instance: string;
  readonly engine: DockerStandIn;
  /** A task of the service, with an address of its own; its container's id. */
  serve(service: string): string;
  /** Sends a body to the queue as this host may: with its own credentials. */
  send(body: string): Promise<void>;
  /** Its agent: `via` the queue, or writing the zone by itself. */
  agent(how: "via" | "direct", ...flags: readonly string[]): AgentProcess;
}

export interface FleetLab extends AsyncDisposable {
  readonly route53: Route53StandIn;
  /** Undefined where the queue is an emulator's. */
  readonly sqs: SqsStandIn | undefined;
  readonly ecs: EcsControlStandIn;
  readonly dns: DnsServer;
  readonly queueUrl: string;
  readonly hosts: readonly FleetHost[];
  writer(...flags: readonly string[]): AgentProcess;
  /** `name address` of each record in the zone that agents wrote, sorted. */
  records(): readonly string[];
  /** The same for what the hosts' containers ask for now. */
  expected(): readonly string[];
  /** Waits until both are the same. */
  follows(): Promise<void>;
  /** Addresses of a service's running tasks, those that drain included. */
  serving(service: string): ReadonlySet<string>;
  /** Sends the container its stop signal, and lets it run on until its record is gone. */
  drain(host: FleetHost | undefined, id: string): Promise<void>;
}

const hex = (n: number, length: number): string => n.toString(16).padStart(length, "0");
const keyOf = (host: number): string => `AKIAHOST${host}`;
/** As the ECS stand-in names the EC2 instance of a container instance. */
const ec2Of = (instance: string): string => `i-${instance.slice(-17)}`;

/** So many hosts, a queue, a zone and its name server; agents and writers are processes. */
export async function fleetLab({
  hosts: count,
  queue,
  latencyMs = 20,
}: {
  readonly hosts: number;
  /** An emulator's queue instead of the stand-in's. */
  readonly queue?: { readonly url: string };
  readonly latencyMs?: number;
}): Promise<FleetLab> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "ecs-discovery-fleet-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const route53 = await route53StandIn({ zones: [FLEET_ZONE], latencyMs, rate: "unlimited" });
  stack.defer(() => route53.close());
  const instances = Array.from({ length: count }, (_, host) => hex(0xa000 + host, 32));
  const ecs = await ecsControlStandIn(() => ({
    clusters: [{ name: CLUSTER, instances: instances.map((id) => ({ id })), tasks: [] }],
  }));
  stack.defer(() => ecs.close());
  const dns = await dnsServer({
    zones: () => [{ name: FLEET_ZONE.name, records: route53.records(FLEET_ZONE.id) }],
    random: Math.random,
    port: 0,
  });
  stack.defer(() => dns.close());
  const sqs =
    queue === undefined
      ? await sqsStandIn({
          queues: [
            { name: QUEUE, visibilitySeconds: 60, deadLetter: DEAD_LETTERS },
            { name: DEAD_LETTERS },
          ],
          senders: Object.fromEntries([
            [WRITER_KEY, "AROAWRITER:0"],
            ...instances.map((id, host) => [keyOf(host), `AROAHOSTS:${ec2Of(id)}`]),
          ]),
        })
      : undefined;
  stack.defer(() => sqs?.close());
  const queueUrl = queue?.url ?? sqs?.url(QUEUE) ?? "";
  const agents: AgentProcess[] = [];
  stack.defer(async () => {
    for (const one of agents) one.kill("SIGKILL");
    await Promise.all(agents.map(({ ends }) => ends));
  });
  const started = (one: AgentProcess): AgentProcess => {
    agents.push(one);
    return one;
  };
  const aws = (key: string) => ({
    AWS_ENDPOINT_URL_ROUTE_53: route53.url,
    AWS_ENDPOINT_URL_ECS: ecs.url,
    AWS_ACCESS_KEY_ID: key,
    AWS_SECRET_ACCESS_KEY: "secret",
  });

  let tasks = 0;
  const newHost = async (host: number): Promise<FleetHost> => {
    const instance = instances[host] ?? "";
    const engine = await dockerStandIn({ socketPath: join(folder, `docker-${host}.sock`) });
    stack.defer(() => engine.close());
    const introspection: EcsAgentStandIn = await ecsAgent({
      cluster: CLUSTER,
      containerInstanceArn: containerInstanceArn({ id: instance, cluster: CLUSTER }),
      tasks: () => tasksOf(engine.containers()),
    });
    stack.defer(() => introspection.close());
    return {
      instance,
      engine,
      serve(service) {
        tasks += 1;
        return engine.run({
          name: `${service}-${tasks}`,
          image: `${service}:1`,
          address: `10.${host}.${tasks >> 8}.${tasks & 255}`,
          labels: {
            "discovery.service.name": service,
            "com.amazonaws.ecs.task-arn": taskArn(hex(tasks, 32)),
          },
        });
      },
      async send(body) {
        const client = new SQSClient({
          endpoint: new URL(queueUrl).origin,
          region: "eu-west-1",
          credentials: { accessKeyId: keyOf(host), secretAccessKey: "secret" },
        });
        await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
        client.destroy();
      },
      agent: (how, ...flags) =>
        started(
          startAgent(
            [
              "discover",
              `--hostedZoneId=${FLEET_ZONE.id}`,
              `--introspectionUrl=${introspection.url}`,
              `--stateDir=${join(folder, `state-${host}`)}`,
              "--statusAddress=off",
              "--logFormat=json",
              ...(how === "via" ? [`--via=sqs:${queueUrl}`] : []),
              ...flags,
            ],
            {
              ...aws(keyOf(host)),
              DOCKER_HOST: engine.dockerHost,
              // A host that sends to the queue has no right on the zone, and asks for none.
              ...(how === "via" && { AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9" }),
            },
          ),
        ),
    };
  };
  const hosts = await Promise.all(instances.map((_, host) => newHost(host)));

  const records = (): readonly string[] =>
    route53
      .records(FLEET_ZONE.id)
      .filter(({ setIdentifier }) => setIdentifier?.startsWith("ecs-discovery-1/"))
      .map(({ name, values }) => `${name} ${values.join(" ")}`)
      .toSorted();
  const expected = (): readonly string[] =>
    hosts
      .flatMap(({ engine }) => engine.containers())
      .filter(({ running, id }) => running && !draining.has(id))
      .map(
        ({ labels, address }) =>
          `${labels["discovery.service.name"]}.${FLEET_ZONE.name}. ${address}`,
      )
      .toSorted();

  const draining = new Set<string>();
  const follows = async (): Promise<void> => {
    const isRight = () => JSON.stringify(records()) === JSON.stringify(expected());
    await route53.until(FLEET_ZONE.id, isRight);
  };
  const moved = stack.move();
  return {
    route53,
    sqs,
    ecs,
    dns,
    queueUrl,
    hosts,
    records,
    expected,
    writer: (...flags) =>
      started(
        startAgent(
          [
            "writer",
            `--queueUrl=${queueUrl}`,
            `--hostedZoneId=${FLEET_ZONE.id}`,
            "--statusAddress=off",
            "--logFormat=json",
            ...flags,
          ],
          aws(WRITER_KEY),
        ),
      ),
    serving: (service) =>
      new Set(
        hosts
          .flatMap(({ engine }) => engine.containers())
          .filter(({ running, labels }) => running && labels["discovery.service.name"] === service)
          .map(({ address }) => address ?? ""),
      ),
    async drain(host, id) {
      draining.add(id);
      host?.engine.kill(id, 15, { survives: true });
      await follows();
      host?.engine.crash(id, 0);
      draining.delete(id);
    },
    follows,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
