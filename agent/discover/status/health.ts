import type { Standing } from "../../../lib/route53/flow/zone-writer.ts";
import { overdueAfter } from "../../../lib/route53/overdue.ts";

/** What health follows from; moments in the clock's ms. */
export interface HealthInputs {
  readonly nowMs: number;
  readonly patienceMs: number;
  readonly isStreamOpen: boolean;
  /** What a check of the engine found wrong. */
  readonly engineProblem: string | undefined;
  /** Undefined until the first difference is planned. */
  readonly standing: Pick<Standing, "overdueSinceMs" | "turnedAwaySinceMs" | "waiting"> | undefined;
  /** What came of the last request to Route 53, where that was no answer. */
  readonly lastMiss: string | undefined;
}

/**
 * Why the agent is not well; none while it is.
 *
 * | what                                                                       | well |
 * |----------------------------------------------------------------------------|------|
 * | the event stream is not open, not answered for, or does not tell           | no   |
 * | changes could be sent, and for half the patience (5 to 60 s) none was taken | no   |
 * | every request is turned away (throttled, zone busy) for 5 times the patience | no  |
 * | changes wait for this host's turn, because the account is shared           | yes  |
 * | Route 53 refuses a record for what it is                                   | yes  |
 * | a container has no record for a reason of its own                          | yes  |
 */
export function problemsOf(vitals: HealthInputs): readonly string[] {
  const { nowMs, patienceMs, isStreamOpen, engineProblem, standing, lastMiss } = vitals;
  const problems: string[] = [];
  if (!isStreamOpen) problems.push("Docker's event stream is not open");
  else if (engineProblem !== undefined) problems.push(engineProblem);
  if (standing === undefined) return problems;

  const { overdueMs, turnedAwayMs } = overdueAfter(patienceMs);
  const sendable = standing.waiting.filter(({ refused }) => refused === undefined).length;
  const said = lastMiss === undefined ? "" : `; the last request: ${lastMiss}`;
  const since = (sinceMs: number | undefined) => (sinceMs === undefined ? 0 : nowMs - sinceMs);
  const lateMs = since(standing.overdueSinceMs);
  const awayMs = since(standing.turnedAwaySinceMs);
  if (sendable === 0) return problems;
  if (awayMs > turnedAwayMs) {
    problems.push(`Route 53 has turned every request away for ${seconds(awayMs)}${said}`);
  } else if (lateMs > overdueMs && awayMs === 0) {
    const what = sendable === 1 ? "1 change waits" : `${sendable} changes wait`;
    problems.push(`${what}, and none was accepted for ${seconds(lateMs)}${said}`);
  }
  return problems;
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
