import type { Desired } from "../../lib/discovery/desired.ts";
import type { Cause } from "../../lib/discovery/flow/causes.ts";
import type { Seen } from "../../lib/discovery/flow/look.ts";
import { type ContainerId, shortId } from "../../lib/docker/container.ts";
import type { Life } from "../../lib/docker/life.ts";
import type { Again } from "../../lib/kit/flow/summed.ts";
import { quote } from "../../lib/kit/quote.ts";
import type { WriterReport } from "../../lib/route53/flow/zone-writer.ts";
import type { Change } from "../../lib/route53/plan.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import type { Log, LogFields } from "../process/log.ts";
import type { DiscoverFields } from "../process/log-fields.ts";
import type { DiscoverConfig } from "./config.ts";

/** What led to a change, where that is known. */
export type Why = (change: Change) => Cause | undefined;

/** What discover says of its work: each decision once, where it is made known to people. */
export interface DecisionLog {
  seen(id: ContainerId, seen: Seen): void;
  wrote(report: WriterReport, why: Why): void;
  /** Names that only unhealthy containers of this host serve. */
  unhealthy(names: ReadonlySet<string>): void;
  /** How many containers were left without a record, by reason, over the life of the process. */
  skipped(): LogFields;
}

/** Everyday ends of a container. Every other reason for having no record is for somebody to act on. */
export const EVERYDAY: ReadonlySet<string> = new Set([
  "gone",
  "not-running",
  "stopping",
  "paused",
  "starting",
  "internal",
]);

const SOURCES: Readonly<Record<Extract<Desired, { kind: "serve" }>["source"], string>> = {
  ecs: "its task's address",
  host: "this host's address",
  docker: "its own Docker address",
};

/** Tells of something at once, or, of the same again, summed up; see `summed`. */
export type SumUp = (what: string, tell: (again: Again | undefined) => void) => void;

interface Settings extends Pick<DiscoverConfig, "dryRun" | "allUnhealthy"> {
  readonly zoneName: string;
  readonly sumUp: SumUp;
}

export function decisionLog(log: Log, settings: Settings): DecisionLog {
  return { ...looksLog(log), ...changesLog(log, settings), ...healthLog(log, settings) };
}

/** What is said of containers: each thing once, until it is another. */
function looksLog(log: Log): Pick<DecisionLog, "seen" | "skipped"> {
  const told = new Map<ContainerId, string>();
  const lives = new Map<ContainerId, Life>();
  const skips = new Map<string, number>();
  const why = (desired: Exclude<Desired, { kind: "serve" }>, settled: boolean) =>
    `${desired.reason}${settled ? "" : ", asked again"}`;

  return {
    seen(id, { container, desired, life, againInMs }) {
      if (desired === undefined) {
        log.debug("Docker did not say what the container is; looks again", {
          container: shortId(id),
        });
        return;
      }
      const fields: DiscoverFields = {
        container: shortId(id),
        ...(container && { name: printable(container.name) }),
      };
      if (life !== undefined && life !== (lives.get(id) ?? "dead")) {
        log.debug(`the container is ${life}`, { ...fields, life });
        if (life === "dead") lives.delete(id);
        else lives.set(id, life);
      }
      if (desired.kind === "serve") {
        const problems = desired.problems.join("; ");
        if (problems !== "" && told.get(id) !== problems) {
          log.warn(`some names of the container are skipped: ${problems}`, {
            ...fields,
            reason: "bad-name",
          });
        }
        // The usual case is told by the record alone.
        const isNews = !told.has(id) && desired.source !== "ecs";
        log[isNews ? "info" : "debug"](
          `the container ${desired.well ? "serves" : "is unhealthy"} at ${SOURCES[desired.source]}`,
          fields,
        );
        told.set(id, problems);
        return;
      }
      const { reason, detail } = desired;
      if (desired.kind === "absent" && EVERYDAY.has(reason)) {
        told.delete(id);
        log.debug(`the container has no record: ${detail}`, { ...fields, reason });
        return;
      }
      const settled = againInMs === undefined;
      if (told.get(id) === why(desired, settled)) return;
      told.set(id, why(desired, settled));
      if (settled) skips.set(reason, (skips.get(reason) ?? 0) + 1);
      const level = settled ? "warn" : "info";
      log[level](
        settled ? `the container is skipped: ${detail}` : `the container waits: ${detail}`,
        { ...fields, reason },
      );
    },
    skipped: () => Object.fromEntries(skips),
  };
}

/** What is said of the zone. */
function changesLog(log: Log, { dryRun, zoneName, sumUp }: Settings): Pick<DecisionLog, "wrote"> {
  const about = ({ record }: Change, cause: Cause | undefined): DiscoverFields => ({
    record: record.name,
    service: serviceOf(record.name, zoneName),
    type: record.type,
    address: record.values.join(","),
    task: parseSetIdentifier(record.setIdentifier)?.task,
    ...(cause && {
      container: shortId(cause.container),
      ...(cause.name !== undefined && { name: printable(cause.name) }),
      reason: cause.reason,
      seconds: Math.round(cause.seconds * 1000) / 1000,
    }),
  });
  return {
    wrote(report, why) {
      switch (report.kind) {
        case "landed":
          for (const change of report.changes) {
            log.info(`${dryRun ? "would be " : ""}${verb(change)}`, about(change, why(change)));
          }
          return;
        case "refused":
          log.warn(`Route 53 refuses the record: ${report.message}`, {
            ...about(report.change, why(report.change)),
            action: report.change.action,
            retryInSeconds: Math.round(report.retryMs / 1000),
          });
          return;
        case "flaps":
          log.warn("the record came and went too often: it waits before it is added again", {
            ...about(report.change, why(report.change)),
            retryInSeconds: Math.ceil(report.delayMs / 1000),
          });
          return;
        case "drift":
          log.warn("the zone was changed behind the agent's back, repairs it", {
            record: report.name,
            records: report.records,
          });
          return;
        case "adopts-ttl":
          log.warn(
            "other hosts hold this name with another TTL, and a weighted group has one: takes theirs",
            { record: report.name, ttl: report.ttlSeconds },
          );
          return;
        case "nearly-full":
          log.warn("the name is nearly full: Route 53 takes 100 weighted record sets of a name", {
            record: report.name,
            recordSets: report.size,
          });
          return;
        case "waits": {
          const { problem, delayMs } = report;
          sumUp(problem, (again) =>
            log.warn(`${problem}${times(again)}`, { retryInMs: Math.round(delayMs) }),
          );
          return;
        }
      }
    },
  };
}

/** Names are told when the last healthy container of theirs falls ill. */
function healthLog(log: Log, { allUnhealthy }: Settings): Pick<DecisionLog, "unhealthy"> {
  let unhealthy: ReadonlySet<string> = new Set();
  return {
    unhealthy(names) {
      for (const name of names) {
        if (unhealthy.has(name)) continue;
        const what = allUnhealthy === "keep" ? "keeps their records" : "has no records";
        log.warn(
          `all containers of the name on this host are unhealthy: ${what} (--allUnhealthy)`,
          {
            record: name,
          },
        );
      }
      unhealthy = new Set(names);
    },
  };
}

const verb = ({ action }: Change): string => (action === "UPSERT" ? "registered" : "removed");

/** A container's name comes from whoever started it. */
const printable = (name: string): string => quote(name).slice(1, -1);

/** ` (17 times in 60 s)`, after what has happened so often. */
export const times = (again: Again | undefined): string =>
  again === undefined
    ? ""
    : ` (${again.times === 1 ? "once more" : `${again.times} times`} in ${again.seconds} s)`;

/** What a label asked for; below it, the targets of SRV records. */
const serviceOf = (name: string, zoneName: string): string =>
  name.endsWith(`.${zoneName}`) ? name.slice(0, -zoneName.length - 1) : name;
