import { hadNoEffect } from "../../kit/failure.ts";
import { cutBatches } from "../batches.ts";
import { type Change, differing } from "../plan.ts";
import { keyOf, type RecordKey } from "../record-set.ts";
import type { Question } from "./refusals.ts";
import type { WriterParts } from "./writer-parts.ts";
import type { Standing, Submission, ZoneWriterOptions } from "./writer-ports.ts";

/** Moments in the life of a writer, in the clock's ms. */
interface Times {
  settledAtMs: number | undefined;
  /** Since when something could have been sent, and nothing was accepted. */
  overdueSinceMs: number | undefined;
  underWay: readonly Change[];
}

/** What a writer does next, one request at a time, and how it stands meanwhile. */
export function writerSteps<Cursor>(
  options: ZoneWriterOptions<Cursor>,
  parts: WriterParts<Cursor>,
  onSettled: () => void,
): {
  /** Does the next thing. Returns when to do another, in the clock's ms: at once, or at the latest then. */
  readonly step: () => Promise<number>;
  readonly standing: () => Standing;
} {
  const { clock } = options;
  const { book, refused, requests } = parts;
  const times: Times = { settledAtMs: undefined, overdueSinceMs: undefined, underWay: [] };
  const acts = writerActs(options, parts, times);
  const tellFlapping = flappingTold(options, parts);
  let isSortingsTurn = true;

  /** Forgets what is not planned any more, and keeps time; returns what may be sent or asked now. */
  const takeStock = () => {
    const planned = parts.difference();
    refused.keepOnly(planned);
    tellFlapping(planned);
    // First, because it may end a search: then the rest of the batch may be sent.
    const question = refused.next();
    const sendable = parts.sendable(planned);
    // A host that waits for its turn is late, too, but not stuck.
    if (sendable.length === 0 || requests.pace.waitMs() > 0) times.overdueSinceMs = undefined;
    else times.overdueSinceMs ??= clock.now();
    return { changes: sendable, question };
  };

  const step = async (): Promise<number> => {
    const { changes, question } = takeStock();
    const nowMs = clock.now();
    const [batch, ...more] = cutBatches(changes, options.limits);
    // A full batch gathers no more.
    const gatherMs = more.length > 0 ? 0 : parts.burst.waitMs(changes);
    // In turns, so that neither holds up the other; what is to gather first holds up nobody.
    const sorts = question !== undefined && (isSortingsTurn || gatherMs > 0 || batch === undefined);
    if (sorts || batch !== undefined) {
      const waitMs = Math.max(requests.pace.waitMs(), sorts ? 0 : gatherMs);
      if (waitMs > 0) return nowMs + waitMs;
      isSortingsTurn = !sorts;
      if (sorts) await acts.answer(question);
      else if (batch !== undefined) await acts.sendBatch(batch);
      return nowMs;
    }
    times.settledAtMs = nowMs;
    onSettled();
    return acts.lookOrRest();
  };

  return {
    step,
    standing() {
      const planned = parts.difference();
      const isTurn = parts.sendable(planned).length > 0 && requests.pace.waitMs() === 0;
      const sinceMs = times.overdueSinceMs ?? requests.underWaySinceMs() ?? clock.now();
      return {
        published: book.table(),
        waiting: planned.map((change) => {
          const held = refused.of(change);
          return { change, ...(held && { refused: held }) };
        }),
        underWay: times.underWay,
        settledAtMs: times.settledAtMs,
        overdueSinceMs: isTurn ? sinceMs : undefined,
        turnedAwaySinceMs: requests.turnedAwaySinceMs(),
      };
    },
  };
}

/** The things that a writer does; each is one request at the most. */
function writerActs<Cursor>(
  options: ZoneWriterOptions<Cursor>,
  parts: WriterParts<Cursor>,
  times: Times,
) {
  const { zone, report } = options;
  const { book, refused, requests } = parts;

  const submit = async (batch: readonly Change[]): Promise<Submission> => {
    await book.rememberDoubt(batch);
    try {
      requests.pace.sent();
      const submission = await requests.ask(() => zone.submit(batch));
      if (submission.kind === "accepted") {
        times.overdueSinceMs = undefined;
        parts.burst.landed(batch.length);
        parts.damped.landed(batch, book.table());
        refused.landed(batch);
        book.accepted(batch);
        report({ kind: "landed", changes: batch });
      } else if (submission.mayHaveLanded === true) {
        book.uncertain(batch);
      }
      return submission;
    } catch (error) {
      if (!hadNoEffect(error)) book.uncertain(batch);
      throw error;
    } finally {
      await book.remember();
    }
  };
  const send = async (batch: readonly Change[]): Promise<Submission> => {
    times.underWay = batch;
    try {
      return await submit(batch);
    } finally {
      times.underWay = [];
    }
  };

  const { read, lookOrRest } = writerLooks(options, parts);
  return {
    async sendBatch(batch: readonly Change[]): Promise<void> {
      const submission = await send(batch);
      if (submission.kind === "refused") refused.take(batch, submission.message);
    },
    async answer(question: Question): Promise<void> {
      if (question.kind === "part") {
        refused.tried(question.part, await send(question.part));
      } else {
        requests.pace.sent();
        await read(question.name);
      }
    },
    lookOrRest,
  };
}

/** What a writer reads of the zone. */
function writerLooks<Cursor>(
  { zone, clock, desired, report }: ZoneWriterOptions<Cursor>,
  parts: WriterParts<Cursor>,
) {
  const { book, refused, requests, groups, looks, doubts, leftovers, others } = parts;

  /** Reads a name and takes over what the zone holds there. */
  const read = async (name: string): Promise<void> => {
    const group = await requests.ask(() => zone.group(name));
    book.observed(group);
    others.see(group.instances);
    groups.learn(group, desired());
    refused.saw(group);
  };

  const lookAt = async (name: string): Promise<void> => {
    const before = book.table();
    requests.pace.looked();
    await read(name);
    looks.seen(name);
    doubts.seen(name);
    const records = differing(before, book.table());
    if (records > 0) report({ kind: "drift", name, records });
  };

  const lookForLeftovers = async (): Promise<void> => {
    requests.pace.looked();
    const { own, instances } = await leftovers.read(requests.ask);
    others.see(instances);
    const found = own.filter((record) => !book.table().has(keyOf(record)));
    book.accepted(found.map((record) => ({ action: "UPSERT", record })));
    await book.remember();
    for (const { name } of found) report({ kind: "drift", name, records: 1 });
  };

  return {
    read,
    /** With nothing to send: looks at what the zone holds, if it is time, or says when it will be. */
    async lookOrRest(): Promise<number> {
      const nowMs = clock.now();
      const ours = new Set([...book.table().values()].map(({ record }) => record.name));
      groups.keepOnly(() => new Set([...ours, ...[...desired().values()].map(({ name }) => name)]));
      const [look] = [doubts.next() ?? [], looks.next(ours) ?? []]
        .flat()
        .toSorted((a, b) => a.atMs - b.atMs);
      const dueMs = Math.min(look?.atMs ?? Number.POSITIVE_INFINITY, leftovers.atMs());
      if (dueMs > nowMs) requests.nobodyWaits();
      const { pace } = requests;
      const atMs = Math.max(nowMs + pace.waitMs(), nowMs + pace.lookWaitMs(), dueMs);
      if (atMs > nowMs) return Math.min(atMs, refused.nextRetryMs(), parts.nextAddMs());
      if (look !== undefined && look.atMs <= leftovers.atMs()) await lookAt(look.name);
      else await lookForLeftovers();
      return nowMs;
    },
  };
}

/** Tells of each record that waits because it flaps, once each time it begins to. */
function flappingTold<Cursor>(
  { report }: Pick<ZoneWriterOptions<Cursor>, "report">,
  { damped, book }: WriterParts<Cursor>,
) {
  let told = new Set<RecordKey>();
  return (planned: readonly Change[]): void => {
    const waiting = new Set<RecordKey>();
    for (const change of planned) {
      const delayMs = damped.waitMs(change, book.table());
      if (delayMs === 0) continue;
      const key = keyOf(change.record);
      waiting.add(key);
      if (!told.has(key)) report({ kind: "flaps", change, delayMs });
    }
    told = waiting;
  };
}
