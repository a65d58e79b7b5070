import type { InstanceId } from "../../lib/ecs/arn.ts";
import { PAGE_SIZE } from "../../lib/route53/batches.ts";
import { type JournalKeeper, journalKeeper } from "../../lib/route53/flow/journal.ts";
import { type Group, observed } from "../../lib/route53/group.ts";
import type { OwnedZone } from "../../lib/route53/io/zone.ts";
import { journalName } from "../../lib/route53/journal.ts";
import type { Published } from "../../lib/route53/plan.ts";
import { keyOf, type RecordKey } from "../../lib/route53/record-set.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { Edges } from "./edges.ts";
import { everyPage } from "./every-page.ts";
import type { HostConfig } from "./host-flags.ts";

/** So many more requests are worth it to know the whole zone at once, leftovers included. */
const WORTH_IT = 2;

/** The journal of this zone and owner; undefined in a dry run, which leaves nothing behind. */
export async function openJournal(
  { stateDir, hostedZoneId: zoneId, dryRun }: HostConfig,
  scope: { readonly zoneName: string; readonly instance: InstanceId },
  edges: Pick<Edges, "bootId" | "journal">,
  { clock, random, log, stop }: Pick<Surroundings, "clock" | "random" | "log" | "stop">,
): Promise<JournalKeeper | undefined> {
  const boot = await edges.bootId();
  if (dryRun || boot === undefined) return undefined;
  return journalKeeper({
    store: edges.journal(journalName({ zoneId, instance: scope.instance })),
    scope: { zoneId, boot, ...scope },
    clock,
    random,
    stop: stop.signal,
    onTrouble: (error) =>
      log.warn("can't write the journal, works without: a start will have to read the zone", {
        folder: stateDir,
        cause: error instanceof Error ? error.message : String(error),
      }),
  });
}

export interface Found {
  readonly published: ReadonlyMap<RecordKey, Published>;
  readonly hosts: number;
  readonly from: "the journal" | "the zone" | "its own names";
  /** Names that were in doubt when the journal was written: what was under way then may still land. */
  readonly doubtful: ReadonlySet<string>;
  /** How many requests it would take to look through the zone for leftovers; 0 when there can be none. */
  readonly unreadPages: number;
}

/**
 * What this host has published, as cheaply as it can be known: from the journal, with one request for each name that was
 * in doubt when it was written; else from the whole zone, or, where that takes clearly more requests, from the names
 * that are desired.
 */
export async function findPublished({
  journal,
  zone,
  zoneSize,
  names,
  whole,
  retry,
}: {
  readonly journal: Pick<JournalKeeper, "load"> | undefined;
  readonly zone: OwnedZone;
  readonly zoneSize: number;
  readonly names: ReadonlySet<string>;
  /** There is no time to look for leftovers later. */
  readonly whole: boolean;
  readonly retry: <T>(act: () => Promise<T>) => Promise<T>;
}): Promise<Found> {
  const remembered = await journal?.load();
  if (remembered !== undefined) {
    const doubts = [...remembered.published.values()].filter(({ certain }) => !certain);
    const doubtful = new Set(doubts.map(({ record }) => record.name));
    const { published } = await readNames(remembered.published, doubtful);
    return { published, hosts: remembered.hosts, from: "the journal", doubtful, unreadPages: 0 };
  }
  const pages = Math.ceil(zoneSize / PAGE_SIZE);
  if (pages > names.size + WORTH_IT && !whole) {
    const { published, instances } = await readNames(new Map(), names);
    return {
      ...{ published, hosts: instances.size, doubtful: new Set<string>() },
      from: "its own names",
      unreadPages: pages,
    };
  }
  return { ...(await readZone()), from: "the zone", doubtful: new Set(), unreadPages: 0 };

  async function readNames(
    before: ReadonlyMap<RecordKey, Published>,
    toRead: ReadonlySet<string>,
  ): Promise<{ published: ReadonlyMap<RecordKey, Published>; instances: Set<InstanceId> }> {
    let published = before;
    const instances = new Set<InstanceId>();
    for (const name of toRead) {
      const group: Group = await retry(() => zone.group(name));
      published = observed(published, group);
      for (const instance of group.instances) instances.add(instance);
    }
    return { published, instances };
  }

  async function readZone(): Promise<Pick<Found, "published" | "hosts">> {
    const pages = await everyPage(zone.page, retry);
    const own = pages.flatMap((page) => page.own);
    return {
      published: new Map(own.map((record) => [keyOf(record), { record, certain: true }])),
      hosts: new Set(pages.flatMap((page) => page.instances)).size,
    };
  }
}
