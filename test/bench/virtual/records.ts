import type { InstanceId, TaskId } from "../../../lib/ecs/arn.ts";
import type { RecordSet } from "../../../lib/route53/record-set.ts";
import { formatSetIdentifier } from "../../../lib/route53/set-identifier.ts";

export const ZONE_NAME = "bench.internal";

const hex = (n: number): string => n.toString(16).padStart(32, "0");

export const instanceOf = (host: number): InstanceId => hex(0xa0000 + host) as InstanceId;

/** The record of task `n`, which runs on `host`. */
export const recordOf = (host: number, n: number, service: number): RecordSet => ({
  name: `service-${service}.${ZONE_NAME}`,
  type: "A",
  setIdentifier: formatSetIdentifier({ instance: instanceOf(host), task: hex(n) as TaskId }),
  ttlSeconds: 10,
  weight: 1,
  values: [`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`],
});
