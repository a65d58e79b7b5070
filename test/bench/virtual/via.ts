import { desiredTable } from "../../../lib/discovery/flow/desired-table.ts";
import type { ContainerId } from "../../../lib/docker/container.ts";
import type { InstanceId } from "../../../lib/ecs/arn.ts";
import { fleetWriter } from "../../../lib/fleet/flow/fleet-writer.ts";
import { sender } from "../../../lib/fleet/flow/host/sender.ts";
import type { Clock, Random } from "../../../lib/kit/flow/clock.ts";
import { doorbell } from "../../../lib/kit/flow/doorbell.ts";
import type { RecordSet } from "../../../lib/route53/record-set.ts";
import { type Keeper, ownSignal } from "./agent.ts";
import { ZONE_NAME } from "./records.ts";
import type { VirtualRoute53 } from "./route53.ts";
import type { VirtualQueue } from "./sqs.ts";

const EPOCH_MS = 1_790_000_000_000;

/** The flow code of one host that sends its set to the queue, wired as the discover mode wires it. */
export function virtualSender({
  clock,
  random,
  queue,
  owner,
  desired: asked,
  stop,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly queue: VirtualQueue;
  readonly owner: InstanceId;
  readonly desired: readonly RecordSet[];
  readonly stop: AbortSignal;
}): Keeper {
  const desired = desiredTable({ keepUnhealthy: true });
  const bell = doorbell();
  const keeper = {
    start(record: RecordSet) {
      const serve = { kind: "serve", records: [record], source: "ecs", well: true } as const;
      desired.put(idOf(record), { ...serve, problems: [] });
      bell.ring();
    },
    stop(record: RecordSet) {
      desired.put(idOf(record), { kind: "absent", reason: "not-running", detail: "it has ended" });
      bell.ring();
    },
  };
  for (const record of asked) keeper.start(record);
  const sending = sender({
    desired: desired.records,
    kept: desired.kept,
    bell,
    send: (body) => queue.send(`AROATEST:i-${owner.slice(-17)}`, body),
    zone: { id: "Z1", name: ZONE_NAME, isNamed: true },
    owner,
    cluster: "prod",
    epoch: EPOCH_MS,
    direct: () => false,
    clock,
    random,
    report: () => {},
  });
  return { ...keeper, ended: sending.run(ownSignal(stop)) };
}

const idOf = ({ setIdentifier }: RecordSet): ContainerId =>
  setIdentifier.slice(-32).padStart(64, "0") as ContainerId;

/** The whole writer, from the queue to the zone; whose a message is costs no time. */
export function virtualWriter({
  clock,
  random,
  queue,
  route53,
  unixMs,
  name,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly queue: VirtualQueue;
  readonly route53: VirtualRoute53;
  readonly unixMs: () => number;
  readonly name: string;
}) {
  return fleetWriter<number>({
    writer: name,
    zones: [route53.writer()],
    queue: queue.ports,
    visibilitySeconds: 60,
    judge: async () => ({ kind: "owner" }),
    loops: 8,
    resyncMs: 900_000,
    force: false,
    insist: (act) => act(),
    clock,
    random,
    unixMs,
    report: () => {},
  });
}

export const unixOf = (clock: Clock) => (): number => EPOCH_MS + clock.now();
