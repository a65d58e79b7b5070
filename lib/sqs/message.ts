import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { quote } from "../kit/quote.ts";

/** The version of the format. A reader refuses others: what it can't read whole it must not act on. */
const FORMAT = 1;
/** SQS bills a message for each 64 KiB begun; above that it is compressed. */
const PLAIN_LIMIT = 65_536;
/** The most that SQS takes as one message: 1 MiB (API reference, SendMessage). */
const BODY_LIMIT = 1_048_576;
/** What a compressed part may unfold to: a reader's memory is not the sender's to fill. */
const UNFOLDED_LIMIT = 8 * 1_048_576;
const MOST_RECORDS = 50_000;
const MOST_PARTS = 64;
const LONGEST_TEXT = 512;

/**
 * One record set in few letters: name below the zone, type, whose it is, TTL, weight, values. The target of an SRV record
 * is a name below the zone, too.
 */
export interface WireRecord {
  readonly n: string;
  readonly t: string;
  /** The task, or the task and a short container id with a slash between. */
  readonly h: string;
  readonly ttl: number;
  readonly w?: number;
  readonly v: readonly string[];
}

/** A record set that stays as it is published, by its identity alone. */
export type WireKey = Pick<WireRecord, "n" | "t" | "h">;

/** Who speaks of which zone, and which of an owner's words is the newest. */
export interface MessageHead {
  /** The hosted zone's id, and its name without the trailing dot, where its agent knows it. */
  readonly zone: string;
  readonly zoneName?: string;
  /** The container instance's id, and the name of its cluster. */
  readonly owner: string;
  readonly cluster: string;
  /** When the agent started, in Unix ms, and how many sets it has sent since. */
  readonly epoch: number;
  readonly seq: number;
  /** For how many ms the agent had been running when it sent this. */
  readonly upMs: number;
  /** The owner means to go, or to take its records away: however much this removes, it is meant. */
  readonly drain: boolean;
  /** The last word for now: from here on somebody else may keep the owner's records. */
  readonly leaves: boolean;
  /** This host has written into the zone by itself since the writer was told of it last. */
  readonly direct: boolean;
}

/** All that an owner asks of the zone. */
export interface WireSet extends MessageHead {
  readonly records: readonly WireRecord[];
  readonly keeps: readonly WireKey[];
}

/** Of a set in several parts: which one this is, of how many, and what all of them together are. */
interface Manifest {
  readonly part: number;
  readonly of: number;
  /** Of the whole set. */
  readonly records: number;
  readonly digest: string;
}

/** A set, or a part of one. */
export interface Message extends WireSet {
  readonly manifest?: Manifest;
}

export type ReadMessage =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly problem: string };

/**
 * The set as the bodies of as few messages as the limits allow; mostly one. Above 64 KiB it is compressed; above 1 MiB
 * it is cut between names, each part with a manifest, so that a reader takes the set whole or not at all.
 * Throws a RangeError when one name alone is beyond 1 MiB, or there are too many records for `MOST_PARTS` parts.
 */
export function formatMessage(set: WireSet, limits: Limits = LIMITS): readonly string[] {
  const whole = bodyOf(set, undefined, limits);
  if (whole !== undefined) return [whole];
  const names = [...new Set([...set.records, ...set.keeps].map(({ n }) => n))].toSorted();
  const digest = digestOf(set);
  for (let of = 2; of <= MOST_PARTS; of += 1) {
    if (of > names.length) break;
    const bodies = cut(set, names, of).map((part, at) =>
      bodyOf(part, { part: at + 1, of, records: set.records.length, digest }, limits),
    );
    if (bodies.every((body) => body !== undefined)) return bodies;
  }
  throw new RangeError(
    `${set.records.length} records of ${names.length} names don't fit into ${MOST_PARTS} messages of ${limits.body} bytes`,
  );
}

interface Limits {
  readonly plain: number;
  readonly body: number;
}
const LIMITS: Limits = { plain: PLAIN_LIMIT, body: BODY_LIMIT };

/** The set in so many parts of about the same number of records, none of which splits a name. */
function cut(set: WireSet, names: readonly string[], of: number): readonly WireSet[] {
  const partOf = new Map(names.map((name, at) => [name, Math.floor((at * of) / names.length)]));
  return Array.from({ length: of }, (_, part) => ({
    ...set,
    records: set.records.filter(({ n }) => partOf.get(n) === part),
    keeps: set.keeps.filter(({ n }) => partOf.get(n) === part),
  }));
}

/** One message; undefined when it would be too long. */
function bodyOf(
  { records, keeps, ...head }: WireSet,
  manifest: Manifest | undefined,
  limits: Limits,
): string | undefined {
  const { drain, leaves, direct, ...always } = head;
  const said = {
    v: FORMAT,
    ...always,
    ...(drain && { drain }),
    ...(leaves && { leaves }),
    ...(direct && { direct }),
    ...(manifest && { manifest }),
  };
  const content = { records, ...(keeps.length > 0 && { keeps }) };
  const plain = JSON.stringify({ ...said, ...content });
  // The text is ASCII as our agents write it, so its length is its size; any other is longer, never shorter, in bytes.
  if (Buffer.byteLength(plain) <= Math.min(limits.plain, limits.body)) return plain;
  const text = JSON.stringify(content);
  if (text.length > UNFOLDED_LIMIT || records.length > MOST_RECORDS) return undefined;
  const body = JSON.stringify({ ...said, gzip: gzipSync(text).toString("base64") });
  return Buffer.byteLength(body) <= limits.body ? body : undefined;
}

/** A sum of what a set asks for, whatever the order in which it says so. */
export function digestOf({ records, keeps }: Pick<WireSet, "records" | "keeps">): string {
  const lines = [
    ...records.map(({ n, t, h, ttl, w, v }) => JSON.stringify([n, t, h, ttl, w ?? null, ...v])),
    ...keeps.map(({ n, t, h }) => JSON.stringify([n, t, h])),
  ];
  return createHash("sha256").update(lines.toSorted().join("\n")).digest("hex").slice(0, 32);
}

/** The exact inverse of `formatMessage` for one body; for any other text the problem, as one sentence. */
export function parseMessage(body: string): ReadMessage {
  if (Buffer.byteLength(body) > BODY_LIMIT)
    return problem("at most 1 MiB", `${body.length} characters`);
  const json = jsonOf(body);
  if (!isFields(json)) return problem("a JSON object", quote(body));
  if (json["v"] !== FORMAT) return problem(`the format ${FORMAT}`, `format ${shown(json["v"])}`);
  const { gzip } = json;
  const content = gzip === undefined ? json : unfolded(gzip);
  if (content === undefined) {
    return problem("records that unfold to at most 8 MiB of JSON", "something else in gzip");
  }
  const head = headOf(json);
  if (typeof head === "string") return { ok: false, problem: head };
  const { records, keeps = [] } = content;
  if (!Array.isArray(records) || records.length > MOST_RECORDS || !records.every(isRecord)) {
    return problem(`records, at most ${MOST_RECORDS}`, bad(records, isRecord));
  }
  if (!Array.isArray(keeps) || keeps.length > MOST_RECORDS || !keeps.every(isKey)) {
    return problem("keeps, each with n, t and h", bad(keeps, isKey));
  }
  const { manifest } = json;
  if (manifest !== undefined && !isManifest(manifest)) {
    return problem("a manifest with part, of, records and digest", shown(manifest));
  }
  return {
    ok: true,
    message: { ...head, records, keeps, ...(manifest !== undefined && { manifest }) },
  };
}

const HEAD = {
  zone: (value: unknown) => isText(value, 32),
  zoneName: (value: unknown) => value === undefined || isText(value, 255),
  owner: (value: unknown) => isText(value, 64),
  cluster: (value: unknown) => isText(value, 255),
  epoch: isCount,
  seq: isCount,
  upMs: isCount,
} as const;

function headOf(json: Fields): MessageHead | string {
  for (const [name, isGood] of Object.entries(HEAD)) {
    if (!isGood(json[name])) {
      return `expected ${isGood === isCount ? "a whole number" : "a text"} in ${name}, got ${shown(json[name])}`;
    }
  }
  for (const name of ["drain", "leaves", "direct"]) {
    const value = json[name];
    if (value !== undefined && typeof value !== "boolean") {
      return `expected true or false in ${name}, got ${shown(value)}`;
    }
  }
  const { zone, zoneName, owner, cluster, epoch, seq, upMs } = json as unknown as MessageHead;
  const is = (name: string): boolean => json[name] === true;
  const said = { drain: is("drain"), leaves: is("leaves"), direct: is("direct") };
  const named = zoneName !== undefined && { zoneName };
  return { zone, ...named, owner, cluster, epoch, seq, upMs, ...said };
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unfolded(gzip: unknown): Fields | undefined {
  if (typeof gzip !== "string") return undefined;
  try {
    const text = gunzipSync(Buffer.from(gzip, "base64"), { maxOutputLength: UNFOLDED_LIMIT });
    const json: unknown = JSON.parse(text.toString());
    return isFields(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

const isText = (value: unknown, most = LONGEST_TEXT): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= most;
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
const isKey = (value: unknown): value is WireKey =>
  isFields(value) && isText(value["n"]) && isText(value["t"], 16) && isText(value["h"], 128);
const isRecord = (value: unknown): value is WireRecord => {
  if (!isKey(value)) return false;
  const { ttl, w, v } = value as Partial<WireRecord>;
  return (
    isCount(ttl) &&
    (w === undefined || isCount(w)) &&
    Array.isArray(v) &&
    v.length > 0 &&
    v.length <= 100 &&
    v.every((one) => isText(one))
  );
};
const isManifest = (value: unknown): value is Manifest =>
  isFields(value) &&
  isCount(value["part"]) &&
  isCount(value["of"]) &&
  isCount(value["records"]) &&
  isText(value["digest"], 64) &&
  value["part"] >= 1 &&
  value["part"] <= value["of"] &&
  value["of"] <= MOST_PARTS;

const problem = (expected: string, got: string): ReadMessage => ({
  ok: false,
  problem: `expected ${expected}, got ${got}`,
});
const shown = (value: unknown): string =>
  value === undefined ? "nothing" : quote(JSON.stringify(value) ?? typeof value);
const bad = (list: unknown, isGood: (one: unknown) => boolean): string =>
  Array.isArray(list)
    ? shown(list.find((one) => !isGood(one)) ?? `${list.length} of them`)
    : shown(list);
