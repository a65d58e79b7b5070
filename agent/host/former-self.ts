import type { InstanceId, Owner } from "../../lib/ecs/arn.ts";
import type { EcsAgent } from "../../lib/ecs/io/introspection.ts";
import { Fatal, Unavailable } from "../../lib/kit/failure.ts";
import {
  type JournalKeeper,
  type JournalStore,
  journalKeeper,
} from "../../lib/route53/flow/journal.ts";
import type { HostedZone, ZoneCursor } from "../../lib/route53/io/zone.ts";
import { journalOwner } from "../../lib/route53/journal.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { Edges } from "./edges.ts";
import type { HostConfig } from "./host-flags.ts";
import { removal } from "./removal.ts";

/** How long a refused delete waits before it is tried again. */
const REFUSED_RETRY_MS = 300_000;
/** Who is dead is dead still after this time; who only starts again is not. */
const DEAD_TWICE_MS = 10_000;

/**
 * Rejects with `Fatal` when the ECS agent has registered this host as another container instance than the one whose
 * records it keeps: the next start keeps the new one's. That the ECS agent does not answer says nothing.
 */
export async function sameInstance(agent: Pick<EcsAgent, "metadata">, owner: Owner): Promise<void> {
  let now: InstanceId;
  try {
    ({
      owner: { instance: now },
    } = await agent.metadata());
  } catch (error) {
    if (error instanceof Unavailable) return;
    throw error;
  }
  if (now === owner.instance) return;
  throw new Fatal(
    `this host is registered as container instance ${now} now, was ${owner.instance}: ends, and starts again as the new one`,
  );
}

/**
 * Removes the records that this host had while it was registered as another container instance, exactly as its journal
 * of then holds them, and then that journal. Only a journal of the same boot is this host's own former self, and only one
 * whose agent is dead, with proof, at two looks: two container instances of one machine may share the folder, and an agent
 * that lives keeps its records. Takes as long as it takes; comes back at `end` at the latest. To be called once the records
 * of today are in the zone: the tasks are the same, and their names must not be empty in between.
 */
export async function removeFormerSelves(options: FormerSelves): Promise<void> {
  const { config, owner, zoneName, edges, end } = options;
  const { clock, random } = options.surroundings;
  const zoneId = config.hostedZoneId;
  const boot = await edges.bootId();
  if (config.dryRun || boot === undefined) return;
  for (const name of await edges.journalNames()) {
    const instance = journalOwner(name, zoneId);
    if (instance === undefined || instance === owner.instance || end.aborted) continue;
    const store = edges.journal(name);
    const journal = journalKeeper({
      store,
      scope: { zoneId, zoneName, instance, boot },
      clock,
      random,
      stop: end,
      onTrouble: () => {},
    });
    const left: Left = { instance, store, journal };
    if (!(await isDead(left, options)) || !(await removeRecords(left, options))) continue;
    await store.remove().catch(() => {});
    await store.sign.remove().catch(() => {});
  }
}

interface FormerSelves {
  readonly config: Pick<HostConfig, "hostedZoneId" | "patience" | "dryRun">;
  readonly owner: Owner;
  readonly zoneName: string;
  readonly zone: Pick<HostedZone, "as">;
  readonly hosts: number;
  readonly edges: Pick<Edges, "bootId" | "journal" | "journalNames">;
  readonly surroundings: Pick<Surroundings, "clock" | "random" | "log">;
  readonly end: AbortSignal;
}

/** What another container instance has left in the folder. */
interface Left {
  readonly instance: InstanceId;
  readonly store: JournalStore;
  readonly journal: JournalKeeper;
}

/** Whether whoever keeps this journal is proven dead; tells why not. */
async function isDead(
  { instance, store, journal }: Left,
  { surroundings: { clock, log }, end }: FormerSelves,
): Promise<boolean> {
  const first = await journal.peek();
  if (first === undefined) return false;
  let sign = await store.sign.see();
  if (sign === "dead") {
    await clock.sleep(DEAD_TWICE_MS, end).catch(() => {});
    if (end.aborted) return false;
    const second = await journal.peek();
    sign = second?.by.writer === first.by.writer ? await store.sign.see() : "lives";
  }
  if (sign === "dead") return true;
  const fields = { instance, records: first.published.size };
  if (sign === "lives") {
    log.info("another agent shares --stateDir: leaves its records alone", fields);
  } else {
    log.warn(
      "can't tell whether the agent of another container instance that used --stateDir lives: " +
        "leaves its records alone; if that one is gone, sweep removes them",
      fields,
    );
  }
  return false;
}

/** True when nothing of what its journal holds is in the zone any more. */
async function removeRecords(
  { instance, journal }: Left,
  { config, zoneName, zone, hosts, surroundings: { clock, random, log }, end }: FormerSelves,
): Promise<boolean> {
  const former = await journal.load();
  if (former === undefined) return false;
  if (former.published.size > 0) {
    log.warn("this host was another container instance before: removes the records of then", {
      instance,
      records: former.published.size,
    });
  }
  const writer = removal<ZoneCursor>({
    published: former.published,
    zone: {
      ...zone.as(instance, zoneName),
      remember: async (published) => journal.remember({ published, hosts }),
      isReplaced: journal.isReplaced,
    },
    clock,
    random,
    patienceMs: config.patience * 1000,
    refusedRetryMs: REFUSED_RETRY_MS,
    hosts,
    report(report) {
      if (report.kind === "waits") log.warn(report.problem);
      else if (report.kind === "refused") {
        log.warn("Route 53 keeps a record of then", { cause: report.message });
      }
    },
  });
  try {
    await writer.flush(end);
  } catch (error) {
    if (!journal.isReplaced()) throw error;
    log.info("its agent lives again, and has taken its records over", { instance });
    return false;
  }
  // What is refused is tried again by the next start.
  return writer.difference().length === 0;
}
