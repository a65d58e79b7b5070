import { causes, Fatal, hadNoEffect, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import type { Doorbell } from "../../kit/flow/doorbell.ts";
import { patience } from "../../kit/flow/patience.ts";
import { outOfPatience } from "../../kit/flow/persist.ts";
import { type BatchLimits, cutBatches } from "../batches.ts";
import { GROUP_LIMIT, GROUP_WARNING, type Group, type GroupOfType, observed } from "../group.ts";
import { accepted, type Change, type Published, plan, uncertain } from "../plan.ts";
import { keyOf, type RecordKey, type RecordSet, recordTypes, sameRecord } from "../record-set.ts";
import { readRefusal, type Verdict } from "../refusal.ts";
import { audit } from "./audit.ts";
import { gather } from "./gather.ts";
import { pace } from "./pace.ts";

/** How a batch was received. A refused batch changed nothing, unless an earlier try of it may have. */
export type Submission =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly message: string; readonly mayHaveLanded?: boolean };

/** A piece of the whole zone: the owner's records in it, and where the next one begins. */
export interface ZonePage<Cursor> {
  readonly own: readonly RecordSet[];
  readonly instances: Group["instances"];
  readonly next?: Cursor;
}

/** Each function throws `Unavailable` when trying again may help, anything else when it can't. */
export interface WriterPorts<Cursor> {
  /** Sends one batch. */
  readonly submit: (batch: readonly Change[]) => Promise<Submission>;
  /** What the zone holds under one name now. */
  readonly group: (name: string) => Promise<Group>;
  /** What the zone holds from the cursor on; undefined is its beginning. */
  readonly page: (cursor: Cursor | undefined) => Promise<ZonePage<Cursor>>;
  /** Remembers what is published, before each request and after it, once the zone is known whole. Never throws. */
  readonly remember: (published: ReadonlyMap<RecordKey, Published>, hosts: number) => Promise<void>;
  /** Another agent of the owner has taken over what is remembered: then nothing more is sent. */
  readonly isReplaced?: () => boolean;
}

/** What the writer tells of its work, for the log. */
export type WriterReport =
  | { readonly kind: "landed"; readonly changes: readonly Change[] }
  | {
      readonly kind: "refused";
      readonly change: Change;
      readonly message: string;
      readonly retryMs: number;
    }
  | {
      readonly kind: "waits";
      readonly problem: string;
      readonly delayMs: number;
      /** It did answer, and turned the request away; see `Unavailable`. */
      readonly demand?: Unavailable["demand"];
    }
  /** Somebody else changed or removed a record of ours, or a leftover was found. */
  | { readonly kind: "drift"; readonly name: string; readonly records: number }
  | { readonly kind: "adopts-ttl"; readonly name: string; readonly ttlSeconds: number }
  | { readonly kind: "nearly-full"; readonly name: string; readonly size: number };

export interface ZoneWriterOptions<Cursor> {
  readonly published: ReadonlyMap<RecordKey, Published>;
  readonly desired: () => ReadonlyMap<RecordKey, RecordSet>;
  readonly kept: () => ReadonlySet<RecordKey>;
  /** Rung when something desired may have changed. */
  readonly bell: Doorbell;
  readonly zone: WriterPorts<Cursor>;
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** How long Route 53 may stay unavailable before the writer gives up. */
  readonly patienceMs: number;
  /** How long a refused change waits before it is tried again as it was; an outside cause may be gone by then. */
  readonly refusedRetryMs: number;
  /** Each name of ours is compared with the zone once in this time; 0 for never. */
  readonly auditMs: number;
  /** How many requests it takes to read the whole zone, when that is still to be done, for leftovers. */
  readonly leftoverPages?: number;
  /** How many hosts share the account, as far as it is known at the start; what is read adds to it. */
  readonly hosts: number;
  readonly report: (report: WriterReport) => void;
}

/** A change that is not accepted yet. */
export interface Waiting {
  readonly change: Change;
  /** It was refused as it is: in these words, and until then, in the clock's ms, it is not sent again. */
  readonly refused?: { readonly message: string; readonly untilMs: number };
}

/** How the writer stands; moments in the clock's ms. */
export interface Standing {
  readonly published: ReadonlyMap<RecordKey, Published>;
  readonly waiting: readonly Waiting[];
  /** When nothing was left to send last; what is refused does not count. */
  readonly settledAtMs: number | undefined;
  /** Since when something could have been sent, it being this host's turn, and nothing was accepted. */
  readonly overdueSinceMs: number | undefined;
  /** Since when Route 53 answers, but has turned every request away. */
  readonly turnedAwaySinceMs: number | undefined;
}

export interface ZoneWriter {
  /** The difference between desired and published now. */
  difference(): readonly Change[];
  standing(): Standing;
  /** Resolves when there was nothing left to send, or at the stop; what Route 53 refuses does not count. */
  settled(stop: AbortSignal): Promise<void>;
  /**
   * Sends until the stop signal; the request in flight at that moment still lands. Rejects when Route 53 stays
   * unavailable beyond the patience, and with whatever a port throws that is not `Unavailable`.
   */
  run(stop: AbortSignal): Promise<void>;
  /** Outside of a run: sends until nothing is left that may be sent now, or the stop. Rejects as `run` does. */
  flush(stop?: AbortSignal): Promise<void>;
}

/** A paced host waits long between two tries; so many in a row must be turned away before time ends its patience. */
const TURNED_AWAY_IN_A_ROW = 30;
/** The pages of the look for leftovers spread over this, when the audit has no interval of its own. */
const LEFTOVERS_MS = 900_000;
/** How long a host counts that no read shows any more: no shorter than the longest audit interval. */
const HOST_MS = 86_400_000;

/**
 * Moves one zone from `published` to `desired`.
 *
 * Promises:
 * - one request in flight; while it is under way everything else gathers for the next one;
 * - what is sent is the difference at that moment: what came and went in between costs nothing;
 * - a refused change never holds up the rest of its batch, and is reported with Route 53's words;
 * - a lost answer is taken for neither yes nor no: the next plan settles what was in doubt;
 * - changes go before looks, and throttling slows this host down, not only this request.
 */
export function zoneWriter<Cursor>(options: ZoneWriterOptions<Cursor>): ZoneWriter {
  const { zone, clock, random, report, bell } = options;
  const tries = patience<"route53">({ ...options, limitMs: options.patienceMs });
  const others = seenHosts(options);
  const hosts = () => Math.max(options.hosts, others.count());
  const rate = pace({ clock, random, hosts });
  const looks = audit({ clock, random, intervalMs: options.auditMs });
  const leftovers = leftoverLook(options);
  const refused = new Map<
    RecordKey,
    { readonly change: Change; readonly message: string; readonly untilMs: number }
  >();
  const adoptedTtl = new Map<string, number>();
  const nearlyFull = new Set<string>();
  let published = options.published;
  let remembered = published;
  const burst = gather({ clock });
  let turnedAwayInARow = 0;
  let turnedAwaySinceMs: number | undefined;
  let overdueSinceMs: number | undefined;
  let settledAtMs: number | undefined;
  let waitingForSettled: (() => void)[] = [];

  const desired = (): ReadonlyMap<RecordKey, RecordSet> => {
    if (adoptedTtl.size === 0) return options.desired();
    return new Map(
      [...options.desired()].map(([key, record]) => {
        const ttlSeconds = adoptedTtl.get(groupKey(record));
        return [key, ttlSeconds === undefined ? record : { ...record, ttlSeconds }];
      }),
    );
  };
  const difference = () => plan(published, desired(), options.kept());

  /** How the change was refused, where it was and still waits for that. */
  const refusalOf = (change: Change) => {
    const held = refused.get(keyOf(change.record));
    return held !== undefined &&
      held.change.action === change.action &&
      sameRecord(held.change.record, change.record) &&
      clock.now() < held.untilMs
      ? held
      : undefined;
  };

  const refuse = (change: Change, message: string): void => {
    const retryMs = options.refusedRetryMs;
    refused.set(keyOf(change.record), { change, message, untilMs: clock.now() + retryMs });
    report({ kind: "refused", change, message, retryMs });
  };

  /** One request, of any kind: its answer ends an outage. */
  const ask = async <T>(request: () => Promise<T>): Promise<T> => {
    const answer = await request();
    rate.accepted();
    tries.hit("route53");
    turnedAwayInARow = 0;
    turnedAwaySinceMs = undefined;
    return answer;
  };

  /** Not before the zone is known whole: a journal says to the next start that there is nothing to look for. */
  const remember = async (table: ReadonlyMap<RecordKey, Published>): Promise<void> => {
    if (leftovers.isAhead()) return;
    remembered = table;
    await zone.remember(table, hosts());
  };

  const send = async (batch: readonly Change[]): Promise<Submission> => {
    const before = published;
    // Should the process be killed before the answer, its next start knows what is in doubt.
    await remember(uncertain(before, batch));
    if (zone.isReplaced?.() === true) {
      throw new Fatal(
        "another agent of this host has taken over its records, so this one ends: run one agent a host",
        { mayHaveLanded: false },
      );
    }
    try {
      rate.sent();
      const submission = await ask(() => zone.submit(batch));
      if (submission.kind === "accepted") {
        burst.landed(batch.length);
        overdueSinceMs = undefined;
        published = accepted(before, batch);
        report({ kind: "landed", changes: batch });
      } else if (submission.mayHaveLanded === true) {
        published = uncertain(before, batch);
      }
      return submission;
    } catch (error) {
      if (!hadNoEffect(error)) published = uncertain(before, batch);
      throw error;
    } finally {
      await remember(published);
    }
  };

  /** Takes over what a group of one type says of its TTL and its room. */
  const learn = (of: Grouped, { size, othersTtlSeconds }: GroupOfType): void => {
    const key = groupKey(of);
    const mine = [...options.desired().values()].find((record) => groupKey(record) === key);
    if (othersTtlSeconds === undefined || othersTtlSeconds === mine?.ttlSeconds) {
      adoptedTtl.delete(key);
    } else if (mine !== undefined && adoptedTtl.get(key) !== othersTtlSeconds) {
      adoptedTtl.set(key, othersTtlSeconds);
      report({ kind: "adopts-ttl", name: of.name, ttlSeconds: othersTtlSeconds });
    }
    if (size < GROUP_WARNING) nearlyFull.delete(key);
    else if (!nearlyFull.has(key)) {
      nearlyFull.add(key);
      report({ kind: "nearly-full", name: of.name, size });
    }
  };

  /** Reads a name and takes over what the zone holds there. */
  const read = async (name: string): Promise<Group> => {
    const group = await ask(() => zone.group(name));
    published = observed(published, group);
    others.see(group.instances);
    for (const type of recordTypes) learn({ name, type }, group.types.get(type) ?? { size: 0 });
    return group;
  };

  /** Acts on what a refusal says of each change it names; where it names none, finds the one to blame. */
  const sortOut = async (
    batch: readonly Change[],
    message: string,
    stop: AbortSignal,
  ): Promise<void> => {
    const verdicts = readRefusal(message, batch);
    if (verdicts.length === 0) return isolate(batch, message, stop);
    const changes = new Map(batch.map((change) => [keyOf(change.record), change]));
    const groups = new Map<string, { readonly ttlBefore: number | undefined; room: number }>();
    const groupOf = async (of: Grouped) => {
      const key = groupKey(of);
      const known = groups.get(key);
      if (known !== undefined) return known;
      const ttlBefore = adoptedTtl.get(key);
      const { types } = await read(of.name);
      const group = { ttlBefore, room: GROUP_LIMIT - (types.get(of.type)?.size ?? 0) };
      groups.set(key, group);
      return group;
    };
    for (const verdict of verdicts) {
      // What is left undecided is decided by the next start.
      if (stop.aborted) return;
      const change = changes.get(verdict.key);
      if (change !== undefined) await act(change, verdict, groupOf);
    }
  };

  const act = async (
    change: Change,
    { kind, key, message }: Verdict,
    groupOf: (of: Grouped) => Promise<{ readonly ttlBefore: number | undefined; room: number }>,
  ): Promise<void> => {
    const of = change.record;
    switch (kind) {
      case "already-gone":
        published = accepted(published, [change]);
        return;
      case "differs": {
        await groupOf(of);
        const now = published.get(key);
        const before = change.action === "REPLACE" ? change.before : change.record;
        if (now !== undefined && sameRecord(now.record, before)) refuse(change, message);
        return;
      }
      case "other-ttl": {
        const { ttlBefore } = await groupOf(of);
        if (adoptedTtl.get(groupKey(of)) === ttlBefore) refuse(change, message);
        return;
      }
      case "full": {
        const group = await groupOf(of);
        if (published.has(key)) return;
        if (group.room > 0) group.room -= 1;
        else refuse(change, message);
        return;
      }
      case "refused":
        // What is in doubt may be refused only because the zone holds something else: look first.
        if (published.get(key)?.certain === false) await groupOf(of);
        else refuse(change, message);
    }
  };

  /**
   * Halves a refused batch until one change is to blame: about log2 n requests. Halves that are not tried on the way
   * are still part of the difference, so the next batch carries them. Should one of the suspects not be wanted any more,
   * the next batch, without it, begins anew.
   */
  const isolate = async (
    batch: readonly Change[],
    message: string,
    stop: AbortSignal,
  ): Promise<void> => {
    let suspects = batch;
    let words = message;
    while (suspects.length > 1) {
      if (stop.aborted || !areDue(suspects)) return;
      const half = suspects.slice(0, Math.ceil(suspects.length / 2));
      const submission = await send(half);
      if (submission.kind === "accepted") {
        suspects = suspects.slice(half.length);
      } else {
        suspects = half;
        words = submission.message;
        if (readRefusal(words, suspects).length > 0) return sortOut(suspects, words, stop);
      }
    }
    for (const change of suspects) refuse(change, words);
  };

  /** Changes that may be sent now. */
  const due = (): readonly Change[] => {
    const changes = difference();
    const planned = new Set(changes.map((change) => keyOf(change.record)));
    for (const key of refused.keys()) if (!planned.has(key)) refused.delete(key);
    const sendable = changes.filter((change) => refusalOf(change) === undefined);
    // A host that waits for its turn is late, too, but not stuck.
    if (sendable.length === 0 || rate.waitMs() > 0) overdueSinceMs = undefined;
    else overdueSinceMs ??= clock.now();
    return sendable;
  };

  const areDue = (changes: readonly Change[]): boolean => {
    const now = new Map(due().map((change) => [keyOf(change.record), change]));
    return changes.every(({ action, record }) => {
      const change = now.get(keyOf(record));
      return change?.action === action && sameRecord(change.record, record);
    });
  };

  const names = (): Set<string> =>
    new Set([...published.values()].map(({ record }) => record.name));

  const lookAt = async (name: string): Promise<void> => {
    const before = published;
    rate.looked();
    await read(name);
    looks.seen(name);
    const records = differing(before, published);
    if (records > 0) report({ kind: "drift", name, records });
  };

  const lookForLeftovers = async (): Promise<void> => {
    rate.looked();
    const { own, instances } = await leftovers.read(ask);
    others.see(instances);
    const found = own.filter((record) => !published.has(keyOf(record)));
    published = accepted(
      published,
      found.map((record) => ({ action: "UPSERT", record })),
    );
    await remember(published);
    for (const { name } of found) report({ kind: "drift", name, records: 1 });
  };

  /** Does the next thing. Returns when to do another, in the clock's ms: at once, or at the latest then. */
  const step = async (stop: AbortSignal): Promise<number> => {
    const changes = due();
    const nowMs = clock.now();
    const [batch, ...more] = cutBatches(changes, options.limits);
    // A full batch gathers no more.
    const gatherMs = more.length > 0 ? 0 : burst.waitMs(changes);
    if (batch !== undefined) {
      const waitMs = Math.max(rate.waitMs(), gatherMs);
      if (waitMs > 0) return nowMs + waitMs;
      const submission = await send(batch);
      if (submission.kind === "refused") await sortOut(batch, submission.message, stop);
      return nowMs;
    }
    settledAtMs = nowMs;
    for (const resolve of waitingForSettled) resolve();
    waitingForSettled = [];
    const look = looks.next(names());
    const lookMs = Math.max(
      nowMs + rate.waitMs(),
      nowMs + rate.lookWaitMs(),
      Math.min(look?.atMs ?? Number.POSITIVE_INFINITY, leftovers.atMs()),
    );
    if (lookMs <= nowMs) {
      if (look !== undefined && look.atMs <= leftovers.atMs()) await lookAt(look.name);
      else await lookForLeftovers();
      return nowMs;
    }
    return Math.min(lookMs, ...[...refused.values()].map(({ untilMs }) => untilMs));
  };

  /** How long to wait after an answer that was none, or throws when the patience is over. */
  const afterMiss = (error: Unavailable): number => {
    const backoffMs = tries.miss("route53");
    if (error.demand !== undefined) {
      turnedAwayInARow += 1;
      turnedAwaySinceMs ??= clock.now();
    }
    if (error.demand === "fewer") rate.throttled();
    else if (error.demand === "later") rate.collided();
    const isStillPaced = error.demand !== undefined && turnedAwayInARow < TURNED_AWAY_IN_A_ROW;
    if (backoffMs === undefined && !isStillPaced) throw outOfPatience(error, options.patienceMs);
    const delayMs = Math.max(backoffMs ?? 0, rate.waitMs());
    const { demand } = error;
    report({ kind: "waits", problem: causes(error), delayMs, ...(demand && { demand }) });
    return delayMs;
  };

  /** Until the moment, a ring or the stop. */
  const rest = async (untilMs: number, stop: AbortSignal): Promise<void> => {
    const woken = new AbortController();
    if (Number.isFinite(untilMs)) {
      const timer = AbortSignal.any([woken.signal, stop]);
      clock.sleep(Math.max(0, untilMs - clock.now()), timer).then(bell.ring, ignoreAbort);
    }
    await bell.rung(stop);
    woken.abort();
  };

  const run = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      try {
        const nextMs = await step(stop);
        // What was learnt without a request of its own: that a record is gone, for one.
        if (published !== remembered) await remember(published);
        if (nextMs > clock.now()) await rest(nextMs, stop);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        await clock.sleep(afterMiss(error), stop).catch(ignoreAbort);
      }
    }
  };
  const settled = (stop: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waitingForSettled.push(resolve);
    if (stop.aborted) resolve();
    stop.addEventListener("abort", () => resolve(), { once: true });
    bell.ring();
    return promise;
  };

  return {
    difference,
    standing() {
      due();
      const waiting = difference().map((change) => {
        const held = refusalOf(change);
        return { change, ...(held && { refused: held }) };
      });
      return { published, waiting, settledAtMs, overdueSinceMs, turnedAwaySinceMs };
    },
    run,
    settled,
    async flush(stop) {
      const done = new AbortController();
      const end = stop === undefined ? done.signal : AbortSignal.any([stop, done.signal]);
      const empty = settled(end).then(() => done.abort());
      await run(end);
      await empty;
    },
  };
}

/** The hosts that reads have shown, each for a day: a fleet replaces its hosts, and those that are gone share nothing. */
function seenHosts({ clock }: Pick<ZoneWriterOptions<unknown>, "clock">) {
  const untilMs = new Map<string, number>();
  return {
    see(instances: Iterable<string>): void {
      const nowMs = clock.now();
      for (const instance of instances) untilMs.set(instance, nowMs + HOST_MS);
      for (const [instance, atMs] of untilMs) if (atMs <= nowMs) untilMs.delete(instance);
    },
    count: () => untilMs.size,
  };
}

/** Reads the whole zone once, a page at a time, spread so that it is read within the audit's interval. */
function leftoverLook<Cursor>({
  zone,
  clock,
  random,
  auditMs,
  leftoverPages = 0,
}: ZoneWriterOptions<Cursor>) {
  const gapMs = () => ((auditMs || LEFTOVERS_MS) / (leftoverPages + 1)) * (0.5 + random() / 2);
  let cursor: Cursor | undefined;
  let atMs = leftoverPages > 0 ? clock.now() + gapMs() : Number.POSITIVE_INFINITY;
  return {
    atMs: () => atMs,
    isAhead: () => Number.isFinite(atMs),
    async read(ask: <T>(request: () => Promise<T>) => Promise<T>) {
      const page = await ask(() => zone.page(cursor));
      cursor = page.next;
      atMs = cursor === undefined ? Number.POSITIVE_INFINITY : clock.now() + gapMs();
      return page;
    },
  };
}

/** How many records the two tables do not have in common. */
function differing(
  before: ReadonlyMap<RecordKey, Published>,
  after: ReadonlyMap<RecordKey, Published>,
): number {
  const same = (
    key: RecordKey,
    { record }: Published,
    other: ReadonlyMap<RecordKey, Published>,
  ) => {
    const there = other.get(key);
    return there !== undefined && sameRecord(there.record, record);
  };
  const changed = [...after].filter(([key, entry]) => !same(key, entry, before)).length;
  const gone = [...before.keys()].filter((key) => !after.has(key)).length;
  return changed + gone;
}

type Grouped = Pick<RecordSet, "name" | "type">;
/** Record sets of one name and type form a group: one limit, one TTL. */
const groupKey = ({ name, type }: Grouped): string => `${name} ${type}`;

/** A sleep rejects only when it is cut short, and whoever cut it short knows. */
const ignoreAbort = () => {};
