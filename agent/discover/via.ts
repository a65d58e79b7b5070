import type { Causes } from "../../lib/discovery/flow/causes.ts";
import { type Seen, seenInDns } from "../../lib/fleet/flow/host/seen.ts";
import { type Sender, type SenderReport, sender } from "../../lib/fleet/flow/host/sender.ts";
import { dnsResolver } from "../../lib/net/io/dns.ts";
import { journalName } from "../../lib/route53/journal.ts";
import type { Change } from "../../lib/route53/plan.ts";
import { type MessageQueue, messageQueue } from "../../lib/sqs/io/queue.ts";
import type { Host } from "./connect.ts";
import { times } from "./decision-log.ts";
import type { Looks } from "./looks.ts";
import type { Run } from "./run.ts";
import { type Fallback, fallback } from "./via-fallback.ts";

/** At a stop the queue's answer is waited for, not the zone's. */
const LAST_WORD_MS = 10_000;
/** So many sets in a row tell the writer that the host has written by itself: a queue may lose one. */
const DIRECT_SETS = 3;

/**
 * Keeps the writer of a fleet told of what this host's containers ask for, once each of them was looked at, until the
 * end; then says its last word. `allDone` is called when nothing is left to do (`--once`).
 */
export async function publishVia(
  run: Run,
  host: Host,
  looks: Looks,
  allDone: () => void,
): Promise<void> {
  const { config, log, end, stop, observed } = run;
  const { via } = config;
  await looks.first;
  if (via === undefined) return;
  const isToRemove = (): boolean => config.onStop === "remove" && stop.wasAsked();
  if (end.aborted && !isToRemove()) return;
  const region = via.region ?? (run.env["AWS_REGION"] || host.owner.region);
  const queue = messageQueue({ url: via.url, region });
  const direct = await directWrites(run, host);
  const sending = senderOf(run, host, looks, queue, direct);
  const isNamed = config.zoneName !== undefined || config.fallback === "direct";
  const seen = isNamed ? lookInDns(run, host, sending) : undefined;
  const back = fallback(run, host, looks, { sending, seen, wrote: direct.wrote });
  observed.found({ kind: "writer", standing: sending.standing });
  observed.found({ kind: "notes", notes: () => notesOf(run, sending, seen, back) });
  looks.forgetShown();
  if (!end.aborted) {
    log.info("every container is looked at once, the writer is told of what follows", {
      queue: via.name,
    });
  }
  const finish = async (): Promise<void> => {
    if (!config.once) return;
    await looks.queue.idle();
    await sending.settled(end);
    allDone();
  };
  try {
    await Promise.all([sending.run(end), seen?.run(end), back.run(end), finish()]);
    if (config.once || config.dryRun) return;
    if (isToRemove()) {
      log.info("asks the writer to remove this host's records (--onStop=remove)");
      looks.desired.close();
    }
    await sending.leave(isToRemove(), LAST_WORD_MS);
  } finally {
    queue.close();
  }
}

/** Whether this host has written into the zone by itself, of which the writer must be told. */
interface DirectWrites {
  isTold(): boolean;
  wrote(): void;
  /** A set has gone out with that word. */
  told(): void;
}

async function directWrites(
  { config, edges }: Run,
  { owner: { instance } }: Host,
): Promise<DirectWrites> {
  const journal = edges.journal(journalName({ zoneId: config.hostedZoneId, instance }));
  // Only an agent that writes the zone itself leaves one, and it must not be believed after this one has run.
  const isLeft = (await journal.read().catch(() => undefined)) !== undefined;
  let sets = isLeft ? DIRECT_SETS : 0;
  return {
    isTold: () => sets > 0,
    wrote() {
      sets = DIRECT_SETS;
    },
    told() {
      if (config.dryRun || sets === 0) return;
      sets -= 1;
      void journal.remove().catch(() => {});
    },
  };
}

function senderOf(
  { config, log, clock, random, sumUp, observed }: Run,
  { owner, cluster, zoneName }: Host,
  { desired, changed, causes }: Looks,
  queue: MessageQueue,
  direct: DirectWrites,
): Sender {
  const report = (told: SenderReport): void => {
    if (told.kind === "waits") {
      const { problem, delayMs } = told;
      sumUp(problem, (again) =>
        log.warn(`${problem}${times(again)}`, { retryInMs: Math.round(delayMs) }),
      );
      return;
    }
    const { changes, records, why } = told;
    log.info(
      config.dryRun ? "would send this host's records" : "sends this host's records to the writer",
      { records, reason: why },
    );
    for (const change of changes) log.info(asks(change), about(change, causes));
    observed.wrote({ kind: "landed", changes }, causes.of);
    causes.done(changes);
    direct.told();
  };
  return sender({
    desired: desired.records,
    kept: desired.kept,
    bell: changed,
    send: config.dryRun ? async () => {} : queue.send,
    zone: {
      id: config.hostedZoneId,
      name: zoneName,
      isNamed: config.zoneName !== undefined || config.fallback === "direct",
    },
    owner: owner.instance,
    cluster,
    epoch: Date.now(),
    direct: direct.isTold,
    clock,
    random,
    report,
  });
}

function lookInDns({ config, clock, random, log }: Run, { zoneName }: Host, sending: Sender): Seen {
  return seenInDns({
    dns: dnsResolver(config.resolver),
    zoneName,
    sent: () =>
      new Map([...sending.standing().published].map(([key, { record }]) => [key, record])),
    sentAtMs: () => sending.sent().atMs,
    clock,
    random,
    newWriter() {
      log.info("another writer keeps the zone: sends this host's records again");
      sending.again();
    },
  });
}

/** What the page, /v1/state and the status command say of the way to the zone. */
function notesOf(
  { config: { via, fallback: whether } }: Run,
  sending: Sender,
  seen: Seen | undefined,
  back: Fallback,
): readonly string[] {
  const { seq, missingSinceMs } = sending.sent();
  const sets = seq === 0 ? "nothing yet" : seq === 1 ? "1 set" : `${seq} sets`;
  const missing = missingSinceMs === undefined ? "" : ", and the queue does not take the newest";
  const notes = [`sends to the queue ${via?.name}: ${sets}${missing}`];
  if (seen === undefined) {
    return [...notes, "what becomes of it is not looked for in DNS: see --zoneName"];
  }
  const { seen: count, of } = seen.counts();
  notes.push(`${count} of ${of} sent records were seen in DNS`);
  const writer = seen.writer();
  if (seen.isWriterAway() === true) {
    notes.push(
      `no writer has shown itself in DNS for 3 minutes: the records stay as they are (--fallback=${whether})`,
    );
  } else if (writer !== undefined) {
    notes.push(`the writer ${writer.fence.writer} keeps the zone, batch ${writer.fence.count}`);
  }
  if (back.isWriting()) notes.push("writes the zone itself for now (--fallback=direct)");
  return notes;
}

const asks = ({ action }: Change): string =>
  action === "DELETE" ? "asks to remove" : "asks to register";

function about(change: Change, { of }: Causes) {
  const { record } = change;
  const cause = of(change);
  return {
    record: record.name,
    type: record.type,
    address: record.values.join(","),
    ...(cause && { reason: cause.reason, seconds: Math.round(cause.seconds * 1000) / 1000 }),
  };
}
