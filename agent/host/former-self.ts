import type { InstanceId, Owner } from "../../lib/ecs/arn.ts";
import type { EcsAgent } from "../../lib/ecs/io/introspection.ts";
import { Fatal, Unavailable } from "../../lib/kit/failure.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import { journalKeeper } from "../../lib/route53/flow/journal.ts";
import { zoneWriter } from "../../lib/route53/flow/zone-writer.ts";
import type { HostedZone, ZoneCursor } from "../../lib/route53/io/zone.ts";
import { journalOwner } from "../../lib/route53/journal.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { Edges } from "./edges.ts";
import type { HostConfig } from "./host-flags.ts";

/** How long a refused delete waits before it is tried again. */
const REFUSED_RETRY_MS = 300_000;

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
 * of then holds them, and then that journal. Only a journal of the same boot is this host's own former self. Takes as long
 * as it takes; comes back at `end` at the latest. To be called once the records of today are in the zone: the tasks are
 * the same, and their names must not be empty in between.
 */
export async function removeFormerSelves({
  config,
  owner,
  zoneName,
  zone,
  hosts,
  edges,
  surroundings: { clock, random, log },
  end,
}: {
  readonly config: Pick<HostConfig, "hostedZoneId" | "patience" | "dryRun">;
  readonly owner: Owner;
  readonly zoneName: string;
  readonly zone: Pick<HostedZone, "as">;
  readonly hosts: number;
  readonly edges: Pick<Edges, "bootId" | "journal" | "journalNames">;
  readonly surroundings: Pick<Surroundings, "clock" | "random" | "log">;
  readonly end: AbortSignal;
}): Promise<void> {
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
    const former = await journal.load();
    if (former === undefined) continue;
    if (former.published.size > 0) {
      log.warn("this host was another container instance before: removes the records of then", {
        instance,
        records: former.published.size,
      });
    }
    const writer = zoneWriter<ZoneCursor>({
      published: former.published,
      desired: () => new Map(),
      kept: () => new Set(),
      bell: doorbell(),
      zone: {
        ...zone.as(instance, zoneName),
        remember: async (published) => journal.remember({ published, hosts }),
        isReplaced: journal.isReplaced,
      },
      limits: ROUTE53_BATCH,
      clock,
      random,
      patienceMs: config.patience * 1000,
      refusedRetryMs: REFUSED_RETRY_MS,
      auditMs: 0,
      hosts,
      report(report) {
        if (report.kind === "waits") log.warn(report.problem);
        else if (report.kind === "refused") {
          log.warn("Route 53 keeps a record of then", { cause: report.message });
        }
      },
    });
    await writer.flush(end);
    // What is refused is tried again by the next start.
    if (writer.difference().length === 0) await store.remove().catch(() => {});
  }
}
