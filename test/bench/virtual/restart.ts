import { findPublished } from "../../../agent/host/find-published.ts";
import { journalKeeper } from "../../../lib/route53/flow/journal.ts";
import { keyOf } from "../../../lib/route53/record-set.ts";
import { noSign } from "../../support/build.ts";
import { chance } from "../../support/chance.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { virtualAgent } from "./agent.ts";
import { instanceOf, recordOf, ZONE_NAME } from "./records.ts";
import { changeRequests, inZone, total, virtualRoute53 } from "./route53.ts";

/** A zone as full as an account's default allows, apart from its own NS and SOA. */
export const RECORDS = 9_998;
export const OWN_RECORDS = 100;
/** So many record sets share a name. */
const SETS_PER_NAME = 50;
export const OWN_NAMES = 20;

/** The first minute of an agent that starts again, nothing having changed while it was away. */
export async function firstMinute({
  remembers,
  seed,
}: {
  readonly remembers: boolean;
  readonly seed: number;
}): Promise<{ readonly writes: number; readonly requests: number }> {
  const clock = virtualClock();
  const route53 = virtualRoute53({
    zoneName: ZONE_NAME,
    clock,
    latencyMs: 60,
    applyMs: 20,
    rate: { perSecond: 10, burst: 50 },
  });
  const own = Array.from({ length: OWN_RECORDS }, (_, n) => recordOf(1, n, n % OWN_NAMES));
  const others = Array.from({ length: RECORDS - OWN_RECORDS }, (_, n) =>
    recordOf(2 + (n % 500), OWN_RECORDS + n, Math.floor(n / SETS_PER_NAME)),
  );
  route53.seed([...own, ...others].map(inZone));
  const owned = route53.as(instanceOf(1));
  let file: string | undefined;
  const newJournal = () =>
    journalKeeper({
      store: {
        read: async () => file,
        isOurs: async () => false,
        write: async (text) => {
          file = text;
        },
        remove: async () => {
          file = undefined;
        },
        sign: noSign,
      },
      scope: { zoneId: "Z1", zoneName: ZONE_NAME, instance: instanceOf(1), boot: "boot" },
      clock,
      random: () => 0.5,
      stop: new AbortController().signal,
      onTrouble: (error) => {
        throw error;
      },
    });
  const published = new Map(own.map((record) => [keyOf(record), { record, certain: true }]));
  if (remembers) await newJournal().remember({ published, hosts: 501 });

  const stop = new AbortController();
  const journal = newJournal();
  const start = async (): Promise<void> => {
    const found = await findPublished({
      journal,
      zone: owned,
      zoneSize: route53.records().length,
      names: new Set(own.map(({ name }) => name)),
      whole: false,
      retry: (act) => act(),
    });
    await virtualAgent({
      clock,
      random: chance(seed),
      zone: owned,
      stop: stop.signal,
      published: [...found.published.values()].map(({ record }) => record),
      desired: own,
      hosts: found.hosts,
      leftoverPages: found.unreadPages,
      journal,
    }).ended;
  };
  const ended = start();
  await clock.pass(60_000);
  // GetHostedZone, which the mode asks before all of this, is one more.
  const result = { writes: changeRequests(route53.counts), requests: 1 + total(route53.counts) };
  stop.abort();
  await ended;
  return result;
}
