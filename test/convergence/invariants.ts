import type { Ending } from "../../agent/process/supervise.ts";
import type { ContainerId } from "../../lib/docker/container.ts";
import type { InstanceId } from "../../lib/ecs/arn.ts";
import { Fatal, Unavailable } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { ZoneRecord } from "../../lib/standins/route53/rules.ts";
import { ZONE } from "../support/build.ts";
import type { Containers } from "./containers.ts";
import type { Box } from "./engine.ts";
import { contentOf, type Expected, type Made, recordsFor } from "./hosts.ts";
import type { Landed } from "./zone.ts";

/** The rules of a run that concern records. */
export interface RecordRules {
  readonly weight: number;
  readonly routing: "weighted" | "multivalue";
  readonly ttl: number;
  readonly allUnhealthy: "keep" | "remove";
  readonly health: "docker" | "off";
  readonly stopGrace: number;
}

/** An agent asks both at once, and knows what a container serves when it has both answers. */
type Question = "container" | "task";

/** Watches a world, and says what must not have happened. */
export interface Watch {
  readonly violations: readonly string[];
  violate(rule: string, what: string): void;
  /** A container is another than before, or its task is. */
  changed(id: ContainerId): void;
  /** An agent hears that a container was sent a signal that may be its stop signal. */
  signalled(id: ContainerId): void;
  /** An agent hears that it has ended or started: what was sent to its process before does not matter any more. */
  renewed(id: ContainerId): void;
  /** An agent asks for the container, or for its task. To be called when it has the answer. */
  asks(id: ContainerId, what: Question): () => void;
  /** This host's agent was asked to stop, and to take its records with it. */
  removes(host: number): void;
  landed(what: Landed): void;
  ended(host: number, ending: Ending, known: { readonly wasDenied: boolean }): void;
  /** Somebody set another TTL at the name: from now on the agents may keep to that one. */
  otherTtl(name: string): void;
  /** Somebody wrote something else into a record of an agent's. */
  edited(record: ZoneRecord): void;
  /** The zone must be right now, but for records that are excepted. */
  settled(isExcepted?: (record: { readonly setIdentifier?: string }) => boolean): void;
}

/** What is planned goes into the journal before it is asked for. */
const JOURNAL_MS = 5;

/** For how long a container has been serving, and since when the agent of its host must know it. */
interface Span {
  readonly sinceMs: number;
  readonly answered: Set<Question>;
  knownSinceMs: number;
}

export function watch({
  clock,
  rules,
  containers,
  boxOf,
  records,
  instancesOf,
  takenOver,
}: {
  readonly clock: Clock;
  readonly rules: RecordRules;
  readonly containers: Pick<Containers, "all" | "byId" | "taskOf">;
  readonly boxOf: (one: Made) => Box | undefined;
  readonly records: () => readonly ZoneRecord[];
  /** Every container instance that a host has been registered as, the latest last. */
  readonly instancesOf: (host: number) => readonly [...InstanceId[], InstanceId];
  /** Those of others that this host may take for its own former ones: their agents are gone. */
  readonly takenOver: (host: number) => readonly InstanceId[];
}): Watch {
  const violations: string[] = [];
  const spans = new Map<ContainerId, Span>();
  const signalledAtMs = new Map<ContainerId, number>();
  const otherTtls = new Set<string>();
  const edited = new Map<string, string>();
  const violate = (rule: string, what: string): void =>
    void violations.push(`${rule} at ${clock.now().toFixed(0)} ms: ${what}`);

  /** Its ECS agent has an address for its task, and does not say that it has stopped. */
  const isTaskUp = (one: Made): boolean => {
    const task = containers.taskOf(one);
    return task !== undefined && !task.stopped && clock.now() >= task.addressFromMs;
  };
  const isUp = (one: Made): boolean => {
    const box = boxOf(one);
    return box?.running === true && !box.paused && isTaskUp(one);
  };
  const isUnhealthy = (one: Made): boolean =>
    rules.health === "docker" && boxOf(one)?.health === "unhealthy";
  const isHealthy = (one: Made): boolean =>
    rules.health === "off" || ["healthy", "none"].includes(boxOf(one)?.health ?? "");
  const wasSignalled = ({ id }: Made): boolean => {
    const atMs = signalledAtMs.get(id);
    return atMs !== undefined && clock.now() < atMs + rules.stopGrace * 1000;
  };
  const serves = (one: Made): boolean => isUp(one) && isHealthy(one) && !wasSignalled(one);

  const changed = (id: ContainerId): void => {
    const one = containers.byId(id);
    if (one === undefined || !serves(one)) spans.delete(id);
    else if (!spans.has(id)) {
      spans.set(id, {
        sinceMs: clock.now(),
        answered: new Set(),
        knownSinceMs: Number.POSITIVE_INFINITY,
      });
    }
  };

  const nowOf = (host: number): InstanceId => instancesOf(host).at(-1) as InstanceId;
  const keyOf = ({ name, type, setIdentifier = "" }: ZoneRecord): string =>
    `${name} ${type} ${setIdentifier}`;
  /** The records of an agent's own form and host. */
  const hostOf = ({ setIdentifier = "" }: ZoneRecord): string | undefined =>
    /^ecs-discovery-1\/([0-9a-f]{32})\/[0-9a-f]{32}$/.exec(setIdentifier)?.[1];

  const isOwn = (record: ZoneRecord, host: number): boolean =>
    [...instancesOf(host), ...takenOver(host)].some((one) => one === hostOf(record)) &&
    record.name.endsWith(`.${ZONE}.`) &&
    ["A", "AAAA", "SRV"].includes(record.type);

  return {
    violations,
    violate,
    changed,
    signalled(id) {
      signalledAtMs.set(id, clock.now());
      spans.delete(id);
    },
    renewed(id) {
      signalledAtMs.delete(id);
      changed(id);
    },
    asks(id, what) {
      changed(id);
      const span = spans.get(id);
      return () => {
        // The answer may be about what it was before.
        if (span === undefined || spans.get(id) !== span) return;
        span.answered.add(what);
        if (span.answered.size === 2) span.knownSinceMs = Math.min(span.knownSinceMs, clock.now());
      };
    },
    removes(host) {
      for (const one of containers.all()) if (one.host === host) spans.delete(one.id);
    },
    landed({ host, askedAtMs, applied }) {
      const now = new Map(records().map((record) => [keyOf(record), record]));
      for (const { action, record, previous } of applied) {
        if (!isOwn(record, host) || (previous !== undefined && !isOwn(previous, host))) {
          violate("(a) not its own", `host ${host} sends ${action} ${keyOf(record)}`);
        }
        const mine = containers.all().filter((one) => one.host === host);
        const wanted = mine.flatMap((one) =>
          instancesOf(host)
            .flatMap((instance) => recordsFor(one, rules, instance))
            .filter(({ key }) => key === keyOf(record))
            .map((expected) => ({ one, expected })),
        );
        if (action !== "DELETE") {
          // Two containers of one task may ask for different weights: any of them will do.
          const content = contentOf(record.weight, record.values);
          if (!wanted.some(({ expected }) => expected.content === content)) {
            violate("(e) nobody's address", `host ${host} writes ${keyOf(record)} ${content}`);
          }
        }
        // What it had as another container instance it has again as this one.
        if (hostOf(record) !== nowOf(host)) continue;
        for (const { one } of wanted) {
          const span = spans.get(one.id);
          if (now.has(keyOf(record)) || span === undefined || !serves(one)) continue;
          if (span.knownSinceMs + JOURNAL_MS >= askedAtMs) continue;
          violate(
            "(b) removed while it serves",
            `host ${host} removes ${keyOf(record)}, asked at ${askedAtMs.toFixed(0)}; ` +
              `container ${one.id.slice(-2)} serves since ${span.sinceMs.toFixed(0)}, ` +
              `known since ${span.knownSinceMs.toFixed(0)}`,
          );
        }
      }
    },
    ended(host, { code, why, cause }, { wasDenied }) {
      const isKnown =
        code === 0
          ? why === "asked to stop"
          : why.includes("drain") || isKnownCause(cause, wasDenied);
      if (!isKnown) {
        const text = cause instanceof Error ? `${cause.stack}` : String(cause);
        violate("(d) unknown ending", `host ${host}, code ${code}, ${why}: ${text}`);
      }
    },
    otherTtl: (name) => void otherTtls.add(name),
    edited: (record) => void edited.set(keyOf(record), contentOf(record.weight, record.values)),
    settled(isExcepted = () => false) {
      const must = new Map<string, Set<string>>();
      const may = new Map<string, Set<string>>();
      const add = (to: typeof must, { key, content }: Expected) =>
        void to.set(key, (to.get(key) ?? new Set()).add(content));
      const all = containers.all();
      for (const one of all.filter(serves)) {
        for (const expected of recordsFor(one, rules, nowOf(one.host))) add(must, expected);
      }
      if (rules.allUnhealthy === "keep") {
        // What serves when all are unhealthy depends on who was healthy before, as the agent saw it.
        for (const one of all.filter((each) => isUp(each) && isUnhealthy(each))) {
          const isServed = (name: string) =>
            all.some(
              (other) => other.host === one.host && serves(other) && other.names.includes(name),
            );
          for (const name of one.names.filter((each) => !isServed(each))) {
            for (const expected of recordsFor({ ...one, names: [name] }, rules, nowOf(one.host))) {
              add(may, expected);
            }
          }
        }
      }
      const owned = records().filter((record) => all.some(({ host }) => isOwn(record, host)));
      const found = new Map(owned.map((record) => [keyOf(record), record]));
      for (const [key, contents] of must) {
        if (isExcepted({ setIdentifier: key.slice(key.lastIndexOf(" ") + 1) })) continue;
        const record = found.get(key);
        const content = record === undefined ? "nothing" : contentOf(record.weight, record.values);
        if (!contents.has(content)) {
          violate("(c) wrong", `${key}: expected ${[...contents].join(" or ")}, got ${content}`);
        }
      }
      for (const [key, record] of found) {
        if (isExcepted(record)) continue;
        const content = contentOf(record.weight, record.values);
        if (must.has(key)) {
          const name = record.name.slice(0, -1);
          if (record.ttlSeconds !== rules.ttl && !otherTtls.has(name)) {
            violate("(c) TTL", `${key}: expected ${rules.ttl}, got ${record.ttlSeconds}`);
          }
        } else if (!may.get(key)?.has(content) && !(may.has(key) && edited.get(key) === content)) {
          // What is kept is kept as it is, be it what somebody wrote there by hand.
          violate("(c) left over", `${key} ${content}`);
        }
      }
    },
  };
}

/** What may end a process: an outside system beyond the patience, a broken stream, or what an operator must mend. */
function isKnownCause(cause: unknown, wasDenied: boolean): boolean {
  if (cause instanceof Unavailable) return cause.message.startsWith("Docker cut its event stream");
  if (cause instanceof Fatal) {
    return (
      cause.message.startsWith("the start is refused") ||
      cause.message.startsWith("this host is registered as container instance") ||
      (wasDenied && /denied/.test(cause.message))
    );
  }
  return (
    cause instanceof Error &&
    cause.message.startsWith("gave up after") &&
    cause.cause instanceof Unavailable
  );
}
