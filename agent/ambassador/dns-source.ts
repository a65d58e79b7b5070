import type { PortRule, Served } from "../../lib/ecs/service-task.ts";
import type { Backend } from "../../lib/net/backend.ts";
import { serviceResolver } from "../../lib/net/io/service-records.ts";
import {
  backendsIn,
  type DnsMemory,
  NOTHING_SEEN,
  remember,
  type ServiceAnswer,
} from "../../lib/net/service-records.ts";
import type { AmbassadorConfig } from "./config.ts";
import type { Source } from "./source.ts";

/** The places that a name's records lead to, by a resolver. */
export function dnsSource(
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
