import type { Clock, Random } from "../../../kit/flow/clock.ts";
import { type RecordKey, type RecordSet, sameRecord } from "../../../route53/record-set.ts";
import { type Fence, fenceName, parseFence } from "../../fence.ts";

/** What DNS is asked; undefined where nobody answers. */
interface DnsPorts {
  readonly texts: (name: string) => Promise<readonly string[] | undefined>;
  readonly addresses: (name: string, type: "A" | "AAAA") => Promise<readonly string[] | undefined>;
}

/** The writer, as its record in the zone shows it. */
interface WriterSeen {
  readonly fence: Fence;
  /** When this value was seen first, in the clock's ms: a writer that is alive writes another within a minute. */
  readonly changedAtMs: number;
}

export interface Seen {
  /** Looks until the stop. */
  run(stop: AbortSignal): Promise<void>;
  writer(): WriterSeen | undefined;
  /** Its record has not changed for so long that nobody can be there; undefined while that is not known. */
  isWriterAway(): boolean | undefined;
  /** Of the records that were sent, how many DNS has given as an answer since, and of how many that can be asked. */
  counts(): { readonly seen: number; readonly of: number };
}

/** A writer writes its record once a minute at least. */
const WRITER_AWAY_MS = 180_000;
const WRITER_LOOK_MS = 20_000;
/** After a set was sent its records are looked for at once; later seldom. */
const SOON_MS = 1_000;
const SELDOM_MS = 15_000;
const SOON_FOR_MS = 30_000;
/** Names that are asked in one round. */
const NAMES_AT_ONCE = 20;

interface SeenOptions {
  readonly dns: DnsPorts;
  readonly zoneName: string;
  /** What was sent last. */
  readonly sent: () => ReadonlyMap<RecordKey, RecordSet>;
  readonly sentAtMs: () => number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Another writer than before is there. */
  readonly newWriter: () => void;
}

/**
 * What the host can see of its writer's work without any right on the zone: by asking DNS. A name with several records
 * answers with one of them at a time, so that a record is seen sooner or later, not at once.
 */
export function seenInDns(options: SeenOptions): Seen {
  const { sentAtMs, clock, random } = options;
  const writer = writerInDns(options);
  const records = recordsInDns(options);
  return {
    writer: writer.seen,
    isWriterAway: writer.isAway,
    counts: records.counts,
    async run(stop) {
      let writerAtMs = clock.now();
      while (!stop.aborted) {
        const nowMs = clock.now();
        if (writerAtMs <= nowMs) {
          await writer.look();
          writerAtMs = clock.now() + WRITER_LOOK_MS * (0.75 + random() / 2);
        }
        if (records.unseen().length > 0) await records.look();
        const isSoon = clock.now() - (sentAtMs() ?? 0) < SOON_FOR_MS && records.unseen().length > 0;
        await clock.sleep(isSoon ? SOON_MS : SELDOM_MS, stop).catch(() => {});
      }
    },
  };
}

function writerInDns({
  dns,
  zoneName,
  clock,
  newWriter,
}: Pick<SeenOptions, "dns" | "zoneName" | "clock" | "newWriter">) {
  let writer: WriterSeen | undefined;
  let known: string | undefined;
  /** When this began to look, and when DNS has answered last: while it does not, nobody can tell. */
  const sinceMs = clock.now();
  let answeredAtMs = sinceMs;
  return {
    seen: () => writer,
    isAway(): boolean | undefined {
      const quietMs = answeredAtMs - (writer?.changedAtMs ?? sinceMs);
      if (quietMs > WRITER_AWAY_MS) return true;
      return writer === undefined ? undefined : false;
    },
    async look(): Promise<void> {
      const texts = await dns.texts(fenceName(zoneName));
      if (texts === undefined) return;
      answeredAtMs = clock.now();
      const fence = texts.map(parseFence).find((one) => one !== undefined);
      if (fence === undefined) {
        writer = undefined;
        return;
      }
      const before = writer?.fence;
      if (before?.count === fence.count && before.writer === fence.writer) return;
      writer = { fence, changedAtMs: clock.now() };
      if (known !== undefined && known !== fence.writer) newWriter();
      known = fence.writer;
    },
  };
}

function recordsInDns({ dns, sent }: Pick<SeenOptions, "dns" | "sent">) {
  const seen = new Map<RecordKey, RecordSet>();
  const askable = (): readonly (readonly [RecordKey, RecordSet])[] =>
    [...sent()].filter(([, { type }]) => type !== "SRV");
  const unseen = (): readonly (readonly [RecordKey, RecordSet])[] =>
    askable().filter(([key, record]) => {
      const before = seen.get(key);
      return before === undefined || !sameRecord(before, record);
    });

  return {
    unseen,
    counts: () => ({ seen: askable().length - unseen().length, of: askable().length }),
    async look(): Promise<void> {
      const all = sent();
      for (const key of seen.keys()) if (!all.has(key)) seen.delete(key);
      const asked = new Map<string, RecordSet>();
      for (const [, record] of unseen()) asked.set(`${record.type} ${record.name}`, record);
      for (const { name, type } of [...asked.values()].slice(0, NAMES_AT_ONCE)) {
        const answers = await dns.addresses(name, type === "AAAA" ? "AAAA" : "A");
        if (answers === undefined) return;
        for (const [key, record] of unseen()) {
          if (record.name !== name || record.type !== type) continue;
          if (record.values.some((value) => answers.includes(value))) seen.set(key, record);
        }
      }
    },
  };
}
