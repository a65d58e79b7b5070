import { type EcsControl, ecsControl } from "../../lib/ecs/io/control.ts";
import type { EcsFacts } from "../../lib/fleet/flow/bindings.ts";
import type { WriterZone } from "../../lib/fleet/flow/fleet-writer.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import { hostedZone, type OpenZone, type ZoneCursor } from "../../lib/route53/io/zone.ts";
import { type MessageQueue, messageQueue } from "../../lib/sqs/io/queue.ts";
import { queueUrlOf } from "../../lib/sqs/queue-url.ts";
import type { Environment } from "../process/surroundings.ts";
import type { WriterConfig } from "./config.ts";

/** All that lies outside of the writer's process. Tests put others in their place. */
export interface WriterEdges {
  readonly queue: MessageQueue;
  readonly zones: readonly { readonly id: string; readonly zone: OpenZone }[];
  readonly ecs: EcsControl;
}

/** The real ones, in the queue's region. Throws `Fatal` where neither its URL nor the environment names one. */
export function systemEdges(config: WriterConfig, env: Environment): WriterEdges {
  const region = queueUrlOf(config.queueUrl)?.region ?? env["AWS_REGION"];
  if (!region) throw new Fatal("no region: set AWS_REGION to the queue's");
  return {
    queue: messageQueue({ url: config.queueUrl, region }),
    zones: config.hostedZoneId.map((id) => ({ id, zone: hostedZone({ zoneId: id, region }) })),
    ecs: ecsControl({ region }),
  };
}

/** The zone behind the writer's ports, once its name is known. */
export function writerZone(id: string, name: string, zone: OpenZone): WriterZone<ZoneCursor> {
  const all = zone.as("any instance", name);
  return {
    names: { id, name },
    submit: all.submit,
    fence: zone.text,
    group: (whose, of) => zone.as(whose, name).group(of),
    page: all.page,
  };
}

/** What ECS says of senders, as the writer asks for it. */
export const ecsFacts = (ecs: EcsControl): EcsFacts => ({
  async instances(cluster, ids) {
    const answers = await ecs.describeInstances(cluster, ids);
    return new Map(
      [...answers].flatMap(([id, one]) =>
        one.kind === "found" && one.ec2Instance !== undefined ? [[id, one.ec2Instance]] : [],
      ),
    );
  },
  async tasks(cluster, ids) {
    const answers = await ecs.describeTasks(cluster, ids);
    return new Map(
      [...answers].flatMap(([id, one]) =>
        one.kind === "found" && one.instance !== undefined ? [[id, one.instance]] : [],
      ),
    );
  },
});
