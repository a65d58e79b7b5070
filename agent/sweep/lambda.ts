import { causes, Fatal } from "../../lib/kit/failure.ts";
import { systemClock } from "../../lib/kit/flow/clock.ts";
import { quote } from "../../lib/kit/quote.ts";
import { environmentName } from "../cli/flags.ts";
import { readFlags } from "../cli/read-flags.ts";
import { byZoneId } from "../host/zone-id.ts";
import { createLog } from "../process/log.ts";
import type { Stop } from "../process/supervise.ts";
import { flags } from "./config.ts";
import type { SweepReport } from "./report.ts";
import { sweep } from "./sweep.ts";

/** Of what AWS Lambda hands to a handler. */
interface Context {
  getRemainingTimeInMillis(): number;
}

/** So long before its end a function starts nothing new, and what is in flight lands. */
const DRAIN_MS = 5_000;

/**
 * The sweep as an AWS Lambda function. Its flags are its environment's variables, as for the mode; an event may hold some
 * by their names, as in `{"dryRun": true}`, and these count. What a schedule sends is no such event, and changes nothing.
 * Returns the report. Throws, and logs, what an operator has to see to; so does a sweep that was not finished in time.
 */
export async function handler(
  event: unknown = {},
  context?: Partial<Context>,
): Promise<SweepReport> {
  const line = readFlags({ usage: "", summary: "" }, flags, [], {
    [environmentName("logLevel")]: "info",
    [environmentName("logFormat")]: "json",
    ...process.env,
    ...flagsOf(event),
  });
  if (line.kind !== "config") {
    throw new Fatal(line.kind === "problems" ? line.problems.join("; ") : "expected flags");
  }
  const { config } = line;
  const log = createLog({ level: config.logLevel, format: config.logFormat });
  const done = new AbortController();
  const stop = abortable();
  const remainingMs = context?.getRemainingTimeInMillis?.();
  if (remainingMs !== undefined) {
    systemClock.sleep(Math.max(0, remainingMs - DRAIN_MS), done.signal).then(
      // No Fatal: that would be taken for an answer of what is being asked.
      () => stop.fail(new Error("not finished in time: give the function a longer timeout")),
      () => {},
    );
  }
  try {
    const surroundings = { stop, clock: systemClock, random: Math.random, log, env: process.env };
    const { report, problems } = await byZoneId(sweep)(config, surroundings);
    for (const { name, type, setIdentifier, reason, detail } of report.unsure) {
      log.warn(detail, { record: name, type, setIdentifier, reason });
    }
    log.info("swept", {
      zone: report.zone.id,
      dryRun: report.dryRun,
      seen: report.seen,
      deleted: report.refused === undefined ? report.deleted.length : 0,
      kept: report.kept.length,
      unsure: report.unsure.length,
    });
    if (report.refused !== undefined) log.error("refused", { cause: report.refused });
    if (problems.length > 0) throw new Fatal(problems.join("; "));
    return report;
  } catch (error) {
    log.error("failed", { cause: causes(error) });
    // Lambda shows a message, not its causes.
    throw new Fatal(causes(error), { cause: error });
  } finally {
    done.abort();
  }
}

/** The event's flags as the variables that they beat. Throws for one that is no flag's name. */
function flagsOf(event: unknown): Readonly<Record<string, string>> {
  if (typeof event !== "object" || event === null || "detail-type" in event) return {};
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => {
      if (!Object.hasOwn(flags, name)) {
        throw new Fatal(
          `unknown flag ${quote(name)} in the event, expected some of ${Object.keys(flags).join(", ")}`,
        );
      }
      return [environmentName(name), String(value)];
    }),
  );
}

function abortable(): Stop {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    fail: (cause) => controller.abort(cause),
    wasAsked: () => false,
  };
}
