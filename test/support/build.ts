import type { DesiredRules } from "../../lib/discovery/desired.ts";
import type { Container, ContainerId } from "../../lib/docker/container.ts";
import type { InstanceId, Owner, TaskId } from "../../lib/ecs/arn.ts";
import type { TaskContainer } from "../../lib/ecs/task.ts";
import type { JournalSign } from "../../lib/route53/flow/journal.ts";
import type { Change } from "../../lib/route53/plan.ts";
import type { RecordSet } from "../../lib/route53/record-set.ts";
import { formatSetIdentifier } from "../../lib/route53/set-identifier.ts";

export const ZONE = "example.internal";

const hex = (n: number, length: number): string => n.toString(16).padStart(length, "0");

export const instance = (n: number): InstanceId => hex(0xa000 + n, 32) as InstanceId;
export const task = (n: number): TaskId => hex(n, 32) as TaskId;
export const containerId = (n: number): ContainerId => hex(n, 64) as ContainerId;
export const owner: Owner = { instance: instance(1), region: "eu-west-1" };

export const taskArn = (n: number): string =>
  `arn:aws:ecs:eu-west-1:123456789012:task/prod/${task(n)}`;

/** The record of task `n`, of the owner above unless said otherwise. */
export const record = (n: number, over: Partial<RecordSet> = {}): RecordSet => ({
  name: `web.${ZONE}`,
  type: "A",
  setIdentifier: formatSetIdentifier({ instance: owner.instance, task: task(n) }),
  ttlSeconds: 10,
  weight: 1,
  values: [`10.0.${n >> 8}.${n & 255}`],
  ...over,
});

export const upsert = (one: RecordSet): Change => ({ action: "UPSERT", record: one });
export const del = (one: RecordSet): Change => ({ action: "DELETE", record: one });

/** What the flags' defaults make of the rules. */
export const desiredRules: DesiredRules = {
  zoneName: ZONE,
  owner,
  ttlSeconds: 10,
  weight: 1,
  allowedNames: ["*"],
  routing: "weighted",
  addressSource: "auto",
  srv: false,
};

/** A journal's sign of life where nobody looks at it. */
export const noSign: JournalSign = {
  show: async () => {},
  see: async () => "unknown",
  remove: async () => {},
};

/** A container of a task, as introspection tells it. */
export const inTask = (over: Partial<TaskContainer> = {}): TaskContainer => ({
  ipv4: [],
  ipv6: [],
  ports: [],
  ...over,
});

/** A running awsvpc container of task `n`, labelled `web`. */
export const container = (n: number, over: Partial<Container> = {}): Container => ({
  id: containerId(n),
  name: `web-${n}`,
  labels: new Map([
    ["discovery.service.name", "web"],
    ["com.amazonaws.ecs.task-arn", taskArn(n)],
  ]),
  running: true,
  paused: false,
  health: "none",
  stopSignal: 15,
  networkMode: `container:${hex(0xffff, 64)}`,
  addresses: [],
  addresses6: [],
  ...over,
});
