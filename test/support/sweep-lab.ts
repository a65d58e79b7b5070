import type { InstanceId, TaskId } from "../../lib/ecs/arn.ts";
import { formatSetIdentifier, type Ownership } from "../../lib/route53/set-identifier.ts";
import {
  type ControlRequest,
  type EcsControlStandIn,
  ecsControlStandIn,
} from "../../lib/standins/ecs/control.ts";
import type {
  ControlCluster,
  ControlInstance,
  ControlTask,
} from "../../lib/standins/ecs/control-rules.ts";
import type { ZoneRecord } from "../../lib/standins/route53/rules.ts";
import { type Route53StandIn, route53StandIn } from "../../lib/standins/route53/server.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";
import { instance, task, ZONE } from "./build.ts";
import { changes } from "./wait.ts";
import { type ZoneView, zoneView } from "./zone-view.ts";

export const SWEPT_ZONE = { id: "Z00SWEEP", name: ZONE };

type Changeable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A cluster that a test changes as it goes. */
export interface LabCluster {
  readonly name: string;
  readonly instances: Map<InstanceId, Changeable<ControlInstance>>;
  readonly tasks: Map<TaskId, Changeable<ControlTask>>;
}

/** A fleet, and a zone with a record for each task that was put into it. */
export interface SweepLab extends AsyncDisposable {
  readonly ecs: EcsControlStandIn;
  readonly route53: Route53StandIn;
  readonly zone: ZoneView;
  readonly clusters: LabCluster[];
  cluster(name: string): LabCluster;
  /** Waits for an answer of ECS like this. */
  asked(like: (request: ControlRequest) => boolean): Promise<void>;
  /** What leads a process, or this one, here. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts a sweep with a second look after one second. */
  start(...flags: readonly string[]): AgentProcess;
  /** Runs one to its end. */
  sweep(...flags: readonly string[]): Promise<Swept>;
}

export interface Swept {
  readonly code: number | null;
  readonly process: AgentProcess;
  /** Undefined where none was printed. */
  readonly report: Report | undefined;
  /** Of the last line of the log. */
  readonly cause: string | undefined;
}

interface ReportEntry {
  readonly name: string;
  readonly setIdentifier: string;
  readonly reason: string;
  readonly detail: string;
}
interface Report {
  readonly seen: number;
  readonly deleted: readonly ReportEntry[];
  readonly kept: readonly ReportEntry[];
  readonly unsure: readonly ReportEntry[];
  readonly clusters: readonly { readonly name: string; readonly problem?: string }[];
  readonly refused?: string;
}

/** `instances` hosts, numbered from `firstInstance` on, with `tasks` running tasks spread over them. */
export function cluster(
  name: string,
  size: { readonly instances: number; readonly tasks: number; readonly from?: number },
): LabCluster {
  const { from = 0 } = size;
  const hosts = Array.from({ length: size.instances }, (_, n) => instance(from + n));
  const tasks = Array.from({ length: size.tasks }, (_, n) => {
    const on = hosts[n % hosts.length];
    return { id: task(from + n), ...(on !== undefined && { instance: on }) };
  });
  return {
    name,
    instances: new Map(hosts.map((id) => [id, { id }])),
    tasks: new Map(tasks.map((one) => [one.id, one])),
  };
}

/** As the stand-in holds it. */
export const recordOf = (ownership: Ownership, over: Partial<ZoneRecord> = {}): ZoneRecord => {
  const n = Number.parseInt(ownership.task.slice(-4), 16);
  return {
    name: `svc-${n % 16}.${ZONE}.`,
    type: "A",
    ttlSeconds: 10,
    weight: 1,
    values: [`10.1.${n >> 8}.${n & 255}`],
    setIdentifier: formatSetIdentifier(ownership),
    ...over,
  };
};

/** The records that the agents of a cluster have written. */
export const recordsIn = ({ tasks }: LabCluster): readonly ZoneRecord[] =>
  [...tasks.values()].map(({ id, instance: on }) =>
    recordOf({ instance: on as InstanceId, task: id as TaskId }),
  );

/** How a zone view shows a record. */
export const shown = ({ name, values }: ZoneRecord): string =>
  `${name.replace(/\.$/, "")} ${values.join(",")}`;

export async function sweepLab(
  clusters: LabCluster[],
  records: readonly ZoneRecord[] = clusters.flatMap(recordsIn),
): Promise<SweepLab> {
  await using stack = new AsyncDisposableStack();
  const route53 = await route53StandIn({ zones: [SWEPT_ZONE], rate: "unlimited" });
  stack.defer(() => route53.close());
  route53.seed(SWEPT_ZONE.id, records);
  const ecs = await ecsControlStandIn(() => ({
    clusters: clusters.map(
      ({ name, instances, tasks }): ControlCluster => ({
        name,
        instances: [...instances.values()],
        tasks: [...tasks.values()],
      }),
    ),
  }));
  stack.defer(() => ecs.close());
  const env = { AWS_ENDPOINT_URL_ROUTE_53: route53.url, AWS_ENDPOINT_URL_ECS: ecs.url };
  const moved = changes();
  ecs.onRequest(moved.tell);
  const held = stack.move();
  const here = [`--hostedZoneId=${SWEPT_ZONE.id}`, "--confirmAfter=1", "--logFormat=json"];
  const start = (...flags: readonly string[]) => startAgent(["sweep", ...here, ...flags], env);
  return {
    ecs,
    route53,
    zone: zoneView(route53, SWEPT_ZONE),
    clusters,
    cluster(name) {
      const found = clusters.find((one) => one.name === name);
      if (found === undefined) throw new Error(`expected a cluster ${name}`);
      return found;
    },
    env,
    async asked(like) {
      await moved.until(
        () => ecs.requests.some(like),
        () => JSON.stringify(ecs.requests),
      );
    },
    start,
    async sweep(...flags) {
      const process = start("--json", ...flags);
      const { code } = await process.exit();
      const report = process.log.find((line) => "schemaVersion" in line);
      const cause = (await process.errorLog()).at(-1)?.["cause"];
      return {
        code,
        process,
        report: report as unknown as Report | undefined,
        cause: typeof cause === "string" ? cause : undefined,
      };
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
