import { isIPv4, isIPv6 } from "node:net";
import { ECS_ID, type InstanceId } from "../ecs/arn.ts";
import { quote } from "../kit/quote.ts";
import { isOwn } from "../route53/own-record.ts";
import { keyOf, type RecordKey, type RecordSet, recordTypes } from "../route53/record-set.ts";
import { formatSetIdentifier, parseSetIdentifier } from "../route53/set-identifier.ts";
import type { MessageHead, WireKey, WireRecord, WireSet } from "../sqs/message.ts";

/** What one owner asks of a zone. */
export interface OwnerSet {
  readonly records: ReadonlyMap<RecordKey, RecordSet>;
  /** What stays as it is published. */
  readonly keeps: ReadonlySet<RecordKey>;
  readonly drain: boolean;
  readonly leaves: boolean;
}

export interface ZoneNames {
  readonly id: string;
  readonly name: string;
}

export type ReadSet =
  | { readonly ok: true; readonly owner: InstanceId; readonly set: OwnerSet }
  | { readonly ok: false; readonly problem: string };

/** API reference, ResourceRecordSet. */
const MAX_TTL_SECONDS = 2_147_483_647;
const MAX_WEIGHT = 255;

/**
 * The owner's set as it goes over the wire: names below the zone, and of the set identifiers what is not the owner.
 * `zoneName` is what the records' names end in; the head may leave open whether it is the zone's true name.
 */
export function toWire(
  head: MessageHead,
  zoneName: string,
  records: Iterable<RecordSet>,
  keeps: Iterable<RecordKey>,
): WireSet {
  const below = (name: string): string => name.slice(0, -zoneName.length - 1);
  return {
    ...head,
    records: [...records].map(({ name, type, setIdentifier, ttlSeconds, weight, values }) => ({
      n: below(name),
      t: type,
      h: holderIn(setIdentifier),
      ttl: ttlSeconds,
      ...(weight !== undefined && { w: weight }),
      v: type === "SRV" ? values.map(below) : values,
    })),
    keeps: [...keeps].map((key) => {
      const [name = "", t = "", setIdentifier = ""] = key.split(" ");
      return { n: below(name), t, h: holderIn(setIdentifier) };
    }),
  };
}

function holderIn(setIdentifier: string): string {
  const { task, container } = parseSetIdentifier(setIdentifier) ?? {};
  if (task === undefined) throw new RangeError(`no set identifier of ours: ${setIdentifier}`);
  return container === undefined ? task : `${task}/${container}`;
}

/**
 * The set that a message asks for, each record bound to the message's owner: it can name no other. Or why it is not
 * taken, as one sentence: a set is taken whole or not at all. What Route 53 would refuse for its form alone is found
 * here, so that it never gets into a request with other owners' records.
 */
export function fromWire(wire: WireSet, zone: ZoneNames): ReadSet {
  const problem = (text: string): ReadSet => ({ ok: false, problem: text });
  if (!new RegExp(`^(?:${ECS_ID})$`).test(wire.owner)) {
    return problem(`expected a container instance's id in owner, got ${quote(wire.owner)}`);
  }
  const { zoneName = zone.name } = wire;
  if (wire.zone !== zone.id || zoneName !== zone.name) {
    return problem(
      `expected the zone ${zone.id} ${zone.name}, got ${quote(`${wire.zone} ${zoneName}`)}: see --hostedZoneId and --zoneName of its agent`,
    );
  }
  const owner = wire.owner as InstanceId;
  const records = new Map<RecordKey, RecordSet>();
  for (const one of wire.records) {
    const record = recordOf(one, owner, zone.name);
    if (record === undefined)
      return problem(`expected a record, got ${quote(JSON.stringify(one), 300)}`);
    if (records.has(keyOf(record))) return problem(`it holds ${quote(keyOf(record), 300)} twice`);
    records.set(keyOf(record), record);
  }
  const keeps = new Set<RecordKey>();
  for (const one of wire.keeps) {
    const key = identityOf(one, owner, zone.name);
    if (key === undefined)
      return problem(`expected a record to keep, got ${quote(JSON.stringify(one), 300)}`);
    keeps.add(keyOf(key));
  }
  return { ok: true, owner, set: { records, keeps, drain: wire.drain, leaves: wire.leaves } };
}

type Identity = Pick<RecordSet, "name" | "type" | "setIdentifier">;

function identityOf(
  { n, t, h }: WireKey,
  owner: InstanceId,
  zoneName: string,
): Identity | undefined {
  const type = recordTypes.find((one) => one === t);
  const ownership = parseSetIdentifier(`ecs-discovery-1/${owner}/${h}`);
  if (type === undefined || ownership === undefined) return undefined;
  const name = `${n}.${zoneName}`;
  const setIdentifier = formatSetIdentifier({ ...ownership, instance: owner });
  return isOwn({ name, type, setIdentifier }, zoneName, owner)
    ? { name, type, setIdentifier }
    : undefined;
}

function recordOf(one: WireRecord, owner: InstanceId, zoneName: string): RecordSet | undefined {
  const identity = identityOf(one, owner, zoneName);
  if (identity === undefined || one.ttl > MAX_TTL_SECONDS || (one.w ?? 0) > MAX_WEIGHT)
    return undefined;
  const values = identity.type === "SRV" ? one.v.map((value) => `${value}.${zoneName}`) : one.v;
  if (!values.every((value) => isValue(value, identity.type))) return undefined;
  if (new Set(values).size < values.length) return undefined;
  const weight = one.w !== undefined && { weight: one.w };
  return { ...identity, ttlSeconds: one.ttl, ...weight, values };
}

/** Priority, weight, port and target (RFC 2782). */
const SRV_VALUE = /^(\d{1,5}) (\d{1,5}) (\d{1,5}) ([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/;

function isValue(value: string, type: RecordSet["type"]): boolean {
  switch (type) {
    case "TXT":
      // A host's containers have none.
      return false;
    case "A":
      return isIPv4(value);
    case "AAAA":
      return isIPv6(value) && !value.includes("%");
    case "SRV": {
      const [, ...parts] = SRV_VALUE.exec(value) ?? [];
      return parts.length === 4 && parts.slice(0, 3).every((part) => Number(part) <= 65_535);
    }
  }
}
