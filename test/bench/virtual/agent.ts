import { desiredTable } from "../../../lib/discovery/flow/desired-table.ts";
import type { ContainerId } from "../../../lib/docker/container.ts";
import type { Clock, Random } from "../../../lib/kit/flow/clock.ts";
import { doorbell } from "../../../lib/kit/flow/doorbell.ts";
import { ROUTE53_BATCH } from "../../../lib/route53/batches.ts";
import type { JournalKeeper } from "../../../lib/route53/flow/journal.ts";
import { zoneWriter } from "../../../lib/route53/flow/zone-writer.ts";
import type { OwnedZone, ZoneCursor } from "../../../lib/route53/io/zone.ts";
import { keyOf, type RecordSet } from "../../../lib/route53/record-set.ts";

/** What keeps one host's records: told what a look at a container would say. */
export interface Keeper {
  start(record: RecordSet): void;
  stop(record: RecordSet): void;
  /** Rejects when it gives up; its process would start again. */
  readonly ended?: Promise<void>;
}

interface VirtualAgentOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly zone: OwnedZone;
  readonly stop: AbortSignal;
  /** What it knows to be published. */
  readonly published: readonly RecordSet[];
  /** What its containers ask for at the start; default: what is published. */
  readonly desired?: readonly RecordSet[];
  readonly hosts?: number;
  readonly auditMs?: number;
  readonly leftoverPages?: number;
  readonly journal?: JournalKeeper;
}

/** The flow code of one agent, wired as the discover mode wires it. A look takes no time. */
export function virtualAgent(options: VirtualAgentOptions): Keeper {
  const {
    clock,
    random,
    zone,
    published,
    desired: asked = published,
    journal,
    hosts = 1,
  } = options;
  const desired = desiredTable({ keepUnhealthy: true });
  const bell = doorbell();
  const keeper = {
    start(record: RecordSet) {
      desired.put(idOf(record), {
        kind: "serve",
        records: [record],
        source: "ecs",
        well: true,
        problems: [],
      });
      bell.ring();
    },
    stop(record: RecordSet) {
      desired.put(idOf(record), { kind: "absent", reason: "not-running", detail: "it has ended" });
      bell.ring();
    },
  };
  for (const record of asked) keeper.start(record);
  const writer = zoneWriter<ZoneCursor>({
    published: new Map(published.map((record) => [keyOf(record), { record, certain: true }])),
    desired: desired.records,
    kept: desired.kept,
    bell,
    zone: {
      ...zone,
      remember: async (table, seen) => journal?.remember({ published: table, hosts: seen }),
    },
    limits: ROUTE53_BATCH,
    clock,
    random,
    patienceMs: 60_000,
    refusedRetryMs: 300_000,
    auditMs: options.auditMs ?? 900_000,
    leftoverPages: options.leftoverPages ?? 0,
    hosts,
    report: () => {},
  });
  return { ...keeper, ended: writer.run(ownSignal(options.stop)) };
}

/** One container for each record. */
const idOf = ({ setIdentifier }: RecordSet): ContainerId =>
  setIdentifier.slice(-32).padStart(64, "0") as ContainerId;

/** A signal of its own: each wait of a writer looks through all listeners of its signal. */
export function ownSignal(stop: AbortSignal): AbortSignal {
  const own = new AbortController();
  stop.addEventListener("abort", () => own.abort(), { once: true });
  return own.signal;
}
