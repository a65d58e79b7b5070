import type { hostTasks } from "../../../lib/elb/flow/host-tasks.ts";
import type { KeptJournal } from "../../../lib/elb/flow/journal.ts";
import type { GroupReport } from "../../../lib/elb/flow/targets.ts";
import type { BalancerPlan } from "../../../lib/elb/listener-plan.ts";
import type { Files } from "../files.ts";
import type { HostIdentity } from "../identity.ts";
import type { ClassicPass, PlannedRecovery } from "./classic-pass.ts";
import type { DockerWatch } from "./docker-watch.ts";
import type { Forwarding } from "./forwarding.ts";
import type { Resting } from "./resting.ts";
import type { Seen, Services } from "./services.ts";
import type { Standing } from "./standing.ts";
import type { TargetsPass } from "./targets-pass.ts";

/** What one cycle has found. */
export interface CycleResult {
  readonly files: Files;
  /** In the file's order. */
  readonly seen: readonly Seen[];
  readonly standings: ReadonlyMap<string, Standing>;
  readonly plans: readonly BalancerPlan[];
  /** With --dryRun: moves that were begun, and how they would be brought to their end. */
  readonly recoveries: readonly PlannedRecovery[];
  readonly reports: readonly GroupReport[];
  /** Why a look failed: what was found last still counts. */
  readonly problems: readonly string[];
  /** The API asked for fewer requests. */
  readonly isThrottled: boolean;
  /** Something is under way: the next cycle need not wait. */
  readonly again: boolean;
}

export interface CycleOptions {
  readonly readFiles: () => Promise<Files>;
  readonly host: HostIdentity;
  readonly tasks: ReturnType<typeof hostTasks>;
  readonly services: Services;
  readonly docker: DockerWatch;
  readonly forward: Forwarding;
  /** What `forward` does: with --dryRun nothing listens, and all is taken to; with --once nothing does. */
  readonly serving: "real" | "assumed" | "none";
  readonly classic: ClassicPass;
  readonly targets: TargetsPass;
  readonly journal: KeptJournal | undefined;
  readonly resting: Resting;
}

/** Told of an error that a look ended in. Throws one that is a defect. */
export type Failed = (error: unknown) => void;
