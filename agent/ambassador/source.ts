import { ec2 } from "../../lib/aws/io/ec2.ts";
import { serviceTasks } from "../../lib/ecs/flow/service-tasks.ts";
import { findRegion } from "../../lib/ecs/io/region.ts";
import { ecsService } from "../../lib/ecs/io/service.ts";
import { type PortRule, type Served, servedBy } from "../../lib/ecs/service-task.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import type { Backend } from "../../lib/net/backend.ts";
import { serviceResolver } from "../../lib/net/io/service-records.ts";
import {
  backendsIn,
  type DnsMemory,
  NOTHING_SEEN,
  remember,
  type ServiceAnswer,
} from "../../lib/net/service-records.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { AmbassadorConfig } from "./config.ts";

/** Where it is known from who serves. */
export interface Source {
  /** For people: `the service shop in the cluster prod (eu-west-1)`. */
  readonly name: string;
  /** Throws `Unavailable` when trying again may help, and `Fatal` when only an operator can. */
  look(): Promise<Served>;
}

/** Throws `Fatal` where the region is needed and nobody knows it. */
export async function sourceOf(
  config: AmbassadorConfig,
  { env, clock }: Pick<Surroundings, "env" | "clock">,
): Promise<Source> {
  return config.dns === undefined
    ? ecsSource(config, env)
    : dnsSource(config.dns, config, () => clock.now());
}

async function ecsSource(config: AmbassadorConfig, env: Surroundings["env"]): Promise<Source> {
  const { cluster, service, family, name = "", ports } = config;
  const region = await findRegion(env);
  if (region === undefined) {
    throw new Fatal(
      "no AWS region: set AWS_REGION (neither AWS_DEFAULT_REGION nor the metadata of the task or the instance told one)",
    );
  }
  const ecs = ecsService({ region });
  const machines = ec2({ region, credentials: ecs.credentials, env });
  const tasks = serviceTasks({
    api: {
      ...ecs,
      addresses: (kind, ids) =>
        kind === "instance" ? machines.instances(ids) : machines.interfaces(ids),
    },
    selection: {
      cluster,
      ...(service !== undefined && { service }),
      ...(family !== undefined && { family: family.family }),
    },
    wanted: {
      container: name,
      ...(family?.revision !== undefined && { revision: family.revision }),
      byHealth: config.health !== "off",
    },
    isPublic: config.public,
  });
  const which =
    family === undefined
      ? `the service ${service}`
      : `the family ${[family.family, family.revision].filter((one) => one !== undefined).join(":")}`;
  return {
    name: `${which} in the cluster ${cluster.replace(/^.*\//, "")} (${region})`,
    look: async () => servedBy(await tasks.look(), ports),
  };
}

function dnsSource(
  name: string,
  { ports: rules = [], resolver: server }: AmbassadorConfig,
  nowMs: () => number,
): Source {
  const resolver = serviceResolver(server);
  const memories = new Map<string, DnsMemory>();
  /** What is known under this key after one more answer. */
  const known = (key: string, places: Parameters<typeof remember>[1]): readonly Backend[] => {
    const memory = remember(memories.get(key) ?? NOTHING_SEEN, places, nowMs());
    memories.set(key, memory);
    return backendsIn(memory);
  };
  return {
    name: `the records of ${name}`,
    async look() {
      return servedByName(await resolver.ask(name), rules, known);
    },
  };
}

function servedByName(
  answer: ServiceAnswer,
  rules: readonly PortRule[],
  known: (key: string, places: Parameters<typeof remember>[1]) => readonly Backend[],
): Served {
  const absences: { of: string; reason: string; detail: string }[] = [];
  const ports = rules.map(({ listen, container }, at) => {
    const key = `${listen}`;
    if (answer.kind === "srv" && at > 0) {
      const detail = "SRV records tell one port for each task, which the first port of --ports has";
      absences.push({ of: `port ${listen}`, reason: "no-ports", detail });
      return [listen, []] as const;
    }
    const places =
      answer.kind === "srv"
        ? answer.places
        : answer.kind === "none"
          ? []
          : answer.addresses.map((address) => ({ address, port: container, weight: 1 }));
    const backends = known(key, places);
    if (backends.length === 0) {
      const detail = "the name has no record: its service has no task";
      absences.push({ of: `port ${listen}`, reason: "no-task", detail });
    }
    return [listen, backends] as const;
  });
  return { ports: new Map(ports), absences };
}
