import { type Change, plan } from "../plan.ts";
import { audit } from "./audit.ts";
import { damping } from "./damping.ts";
import { gather } from "./gather.ts";
import { groupMemory } from "./group-memory.ts";
import { ledger } from "./ledger.ts";
import { doubtfulNames, leftoverLook, seenHosts } from "./leftovers.ts";
import { refusals } from "./refusals.ts";
import { requests } from "./requests.ts";
import type { ZonePage, ZoneWriterOptions } from "./writer-ports.ts";

export type WriterParts<Cursor> = ReturnType<typeof writerParts<Cursor>>;

/** What a zone writer is made of, and what each part knows of the others. */
export function writerParts<Cursor>(options: ZoneWriterOptions<Cursor>) {
  const { zone, clock, random, auditMs, report } = options;
  const others = seenHosts(clock);
  const hosts = () => Math.max(options.hosts, others.count());
  const leftovers = leftoverLook<Cursor, ZonePage<Cursor>>({
    page: zone.page,
    clock,
    random,
    auditMs,
    pages: options.leftoverPages ?? 0,
  });
  const book = ledger({
    published: options.published,
    zone,
    hosts,
    isKnownWhole: () => !leftovers.isAhead(),
  });
  const groups = groupMemory(report);
  const refused = refusals({
    clock,
    retryMs: options.refusedRetryMs,
    published: book.table,
    adoptedTtl: groups.adoptedTtl,
    alreadyGone: (change) => book.accepted([change]),
    report: (what) => report({ kind: "refused", ...what }),
  });
  const damped = damping({ clock });
  const difference = () => plan(book.table(), groups.adopted(options.desired()), options.kept());
  return {
    others,
    leftovers,
    book,
    groups,
    refused,
    damped,
    looks: audit({ clock, random, intervalMs: auditMs }),
    doubts: doubtfulNames(options.doubtful ?? [], clock),
    burst: gather({ clock, changedAtMs: options.changedAtMs }),
    requests: requests({ clock, random, patienceMs: options.patienceMs, hosts, report }),
    difference,
    /** When the first of the records that flap may be added again. */
    nextAddMs: (): number =>
      Math.min(
        ...difference().flatMap((change) => {
          const waitMs = damped.waitMs(change, book.table());
          return waitMs > 0 ? clock.now() + waitMs : [];
        }),
      ),
    /** Of what is planned, the changes that may be sent now. */
    sendable: (planned: readonly Change[]): readonly Change[] =>
      planned.filter(
        (change) => !refused.holds(change) && damped.waitMs(change, book.table()) === 0,
      ),
  };
}
