import { type ContainerId, shortId } from "../../lib/docker/container.ts";
import type { EngineReport } from "../../lib/web/flow/engine-keeper.ts";
import type { Seen } from "../../lib/web/flow/look.ts";
import { type Hosts, urlOf } from "../../lib/web/virtual-hosts.ts";
import type { Log } from "../process/log.ts";

const MOST_CHANGES = 50;
/** Of a thousand names that change at once, a few stand for all. */
const MOST_NAMES = 10;

/** What the mode says of its work: to the log, and as the page's last changes. */
export function teller(log: Log, unixSeconds: () => number = () => Date.now() / 1000) {
  const delays = servedDelays();
  let urls = new Set<string>();
  let changes: { readonly at: number; readonly text: string }[] = [];
  const changed = (text: string): void => {
    changes = [{ at: unixSeconds(), text }, ...changes].slice(0, MOST_CHANGES);
  };

  return {
    changed,
    changes: () => changes,
    heard: delays.heard,
    /** A reason, or a problem with a label, is told once, when it is new. */
    seen(id: ContainerId, seen: Seen, before: Seen | undefined): void {
      if (seen.life === "dead") delays.ended(id);
      const named = {
        container: shortId(id),
        name: seen.container?.name ?? before?.container?.name ?? "",
      };
      for (const problem of seen.problems) {
        if (before?.problems.includes(problem) !== true) log.warn(problem, named);
      }
      if (seen.reason !== undefined && seen.reason !== before?.reason) {
        log[seen.life === "starting" ? "info" : "warn"](`not served: ${seen.reason}`, named);
      }
    },
    engine(report: EngineReport): void {
      switch (report.kind) {
        case "loaded":
          log.info("the engine read its files", { reason: report.why });
          changed(`the engine read its files: ${report.why}`);
          return;
        case "applied":
          log.debug("the engine was changed by commands", {
            commands: report.commands,
            seconds: report.seconds,
          });
          return;
        case "failed":
          log.error(report.problem, { retryInMs: report.retryMs });
          changed(report.problem);
          return;
        case "port":
          log.warn(report.problem, { port: report.port });
          changed(report.problem);
      }
    },
    /** The engine serves this now: how long each container that is new to it took, and what tells this table from others. */
    served(hosts: Hosts, nowMs: number) {
      const seconds = delays.served(hosts, nowMs);
      const now = new Set(hosts.hosts.map(urlOf));
      tellNames(
        "serves",
        [...now].filter((url) => !urls.has(url)),
      );
      tellNames(
        "no longer serves",
        [...urls].filter((url) => !now.has(url)),
      );
      urls = now;
      return { seconds, signature: signatureOf(hosts) };
    },
  };

  function tellNames(what: string, names: readonly string[]): void {
    for (const name of names.slice(0, MOST_NAMES)) {
      log.info(`${what} ${name}`);
      changed(`${what} ${name}`);
    }
    if (names.length > MOST_NAMES) {
      log.info(`${what} ${names.length - MOST_NAMES} more`);
      changed(`${what} ${names.length - MOST_NAMES} more`);
    }
  }
}

/** From the event that a container was heard of first to when it is served. */
function servedDelays() {
  const heardAtMs = new Map<ContainerId, number>();
  const served = new Set<ContainerId>();
  return {
    /** An event of a container that is not served yet. */
    heard(id: ContainerId, nowMs: number): void {
      if (!served.has(id) && !heardAtMs.has(id)) heardAtMs.set(id, nowMs);
    },
    ended: (id: ContainerId) => void heardAtMs.delete(id),
    /** In seconds, of those that are served and were not before. */
    served({ hosts }: Hosts, nowMs: number): readonly number[] {
      const serving = new Set(
        hosts.flatMap(({ servers }) =>
          servers.filter(({ state }) => state === "serving").map(({ container }) => container),
        ),
      );
      const seconds: number[] = [];
      for (const id of serving) {
        const atMs = heardAtMs.get(id);
        if (atMs !== undefined && !served.has(id)) seconds.push((nowMs - atMs) / 1000);
        heardAtMs.delete(id);
        served.add(id);
      }
      for (const id of served) if (!serving.has(id)) served.delete(id);
      return seconds;
    },
  };
}

/** What a reader of the table could tell it from another by. */
const signatureOf = ({ hosts }: Hosts): string =>
  JSON.stringify(
    hosts.map(({ key, servers }) => [key, servers.map(({ name, state }) => [name, state])]),
  );
