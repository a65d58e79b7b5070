import type { Random } from "../../kit/flow/clock.ts";
import { canonicalName, type ZoneRecord } from "../route53/rules.ts";

/** One resource record of an answer, its value in zone-file form. */
export interface Resource {
  /** As the zone has it: lower case, octal-escaped, with the trailing dot. */
  readonly name: string;
  readonly type: string;
  readonly ttlSeconds: number;
  readonly value: string;
}

export interface Answer {
  readonly rcode: "NOERROR" | "NXDOMAIN" | "REFUSED";
  readonly authoritative: boolean;
  readonly answers: readonly Resource[];
  readonly authorities: readonly Resource[];
  readonly additionals: readonly Resource[];
}

/** A zone ready for look-ups. */
export interface ZoneIndex {
  readonly name: string;
  /** Every name that exists; one that only has names below it has no records. */
  readonly nodes: ReadonlyMap<string, readonly ZoneRecord[]>;
}

const parentOf = (name: string): string => name.slice(name.indexOf(".") + 1);

const isWithin = (name: string, apex: string): boolean =>
  name === apex || name.endsWith(`.${apex}`);

export const indexZone = (name: string, records: readonly ZoneRecord[]): ZoneIndex => {
  const nodes = new Map<string, ZoneRecord[]>();
  const nodeOf = (at: string): ZoneRecord[] => {
    const node = nodes.get(at) ?? [];
    nodes.set(at, node);
    return node;
  };
  for (const record of records) {
    nodeOf(record.name).push(record);
    for (let at = record.name; isWithin(at, name) && at !== name; at = parentOf(at)) nodeOf(at);
  }
  return { name, nodes };
};

/**
 * The index of one weight, chosen with probability weight/sum; when all are zero, all are equally likely
 * [DG:resource-record-sets-values-weighted]. `weights` must not be empty.
 */
export const pickWeighted = (weights: readonly number[], random: Random): number => {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum === 0) return Math.floor(random() * weights.length);
  let left = random() * sum;
  const index = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  // Rounding can leave a crumb; it belongs to the last set that has any weight.
  return index === -1 ? weights.findLastIndex((weight) => weight > 0) : index;
};

const shuffled = <Item>(items: readonly Item[], random: Random): Item[] => {
  const left = [...items];
  return items.flatMap(() => left.splice(Math.floor(random() * left.length), 1));
};

/** A multivalue answer carries at most this many records [DG:routing-policy-multivalue]. */
const maxMultivalue = 8;

/** What one query gets of the sets of one name and type; `owner` is the name to answer under. */
const choose = (sets: readonly ZoneRecord[], owner: string, random: Random): Resource[] => {
  const [first] = sets;
  if (first === undefined) return [];
  const weighted = first.weight !== undefined;
  const multivalue = !weighted && first.setIdentifier !== undefined;
  // Exactly one set of a weighted group per answer [DG:routing-policy-weighted].
  const picked = weighted
    ? [
        sets[
          pickWeighted(
            sets.map(({ weight = 0 }) => weight),
            random,
          )
        ] ?? first,
      ]
    : sets;
  const resources = picked.flatMap(({ type, ttlSeconds, values }) =>
    values.map((value) => ({ name: owner, type, ttlSeconds, value })),
  );
  return shuffled(resources, random).slice(0, multivalue ? maxMultivalue : resources.length);
};

const fieldOf = (value: string, index: number): string => value.split(/[ \t]+/)[index] ?? "";

/** A negative answer may be kept for min(SOA TTL, SOA minimum) [DG:SOA-NSrecords]. */
const negative = (zone: ZoneIndex): readonly Resource[] =>
  (zone.nodes.get(zone.name) ?? [])
    .filter(({ type }) => type === "SOA")
    .flatMap(({ name, type, ttlSeconds, values }) =>
      values.map((value) => {
        const minimum = Number(fieldOf(value, 6));
        return { name, type, ttlSeconds: Math.min(ttlSeconds, minimum), value };
      }),
    );

/** The records at a name, else those of the wildcard below its closest existing ancestor (RFC 4592). */
const nodeAt = (zone: ZoneIndex, name: string): readonly ZoneRecord[] | undefined => {
  const exact = zone.nodes.get(name);
  if (exact !== undefined) return exact;
  let ancestor = parentOf(name);
  while (!zone.nodes.has(ancestor) && isWithin(ancestor, zone.name)) ancestor = parentOf(ancestor);
  return zone.nodes.get(`\\052.${ancestor}`);
};

/** The NS sets of the topmost delegation at or above a name, below the apex. */
const delegationOf = (zone: ZoneIndex, name: string): readonly ZoneRecord[] => {
  let topmost: readonly ZoneRecord[] = [];
  for (let at = name; at !== zone.name; at = parentOf(at)) {
    const servers = zone.nodes.get(at)?.filter(({ type }) => type === "NS") ?? [];
    if (servers.length > 0) topmost = servers;
  }
  return topmost;
};

const addressesOf = (zone: ZoneIndex, targets: readonly string[], random: Random): Resource[] =>
  [...new Set(targets)].flatMap((target) => {
    const named = canonicalName(target);
    const node = "name" in named ? (zone.nodes.get(named.name) ?? []) : [];
    return ["A", "AAAA"].flatMap((type) =>
      choose(
        node.filter((record) => record.type === type),
        "name" in named ? named.name : target,
        random,
      ),
    );
  });

/**
 * What an authoritative server of these zones answers; `name` in zone form. CNAMEs are followed inside the zone.
 * Never throws.
 */
export const answerQuestion = (
  zones: readonly ZoneIndex[],
  question: { readonly name: string; readonly type: string },
  random: Random,
): Answer => {
  const { name, type } = question;
  const zone = zones
    .filter((one) => isWithin(name, one.name))
    .toSorted((a, b) => b.name.length - a.name.length)[0];
  if (zone === undefined) {
    return {
      rcode: "REFUSED",
      authoritative: false,
      answers: [],
      authorities: [],
      additionals: [],
    };
  }
  const answers: Resource[] = [];
  const visited = new Set<string>();
  const answered = (extra: Partial<Answer> = {}): Answer => ({
    rcode: "NOERROR",
    authoritative: true,
    answers,
    authorities: [],
    additionals: [],
    ...extra,
  });
  let at = name;
  while (isWithin(at, zone.name) && !visited.has(at)) {
    visited.add(at);
    const owner = at;
    const delegation = delegationOf(zone, at);
    if (delegation.length > 0) {
      const authorities = choose(delegation, delegation[0]?.name ?? at, random);
      const servers = authorities.map(({ value }) => value);
      const additionals = addressesOf(zone, servers, random);
      return answered({ authoritative: answers.length > 0, authorities, additionals });
    }
    const node = nodeAt(zone, at);
    if (node === undefined) return answered({ rcode: "NXDOMAIN", authorities: negative(zone) });

    const alias = node.filter((record) => record.type === "CNAME");
    const [target] = type === "CNAME" || type === "ANY" ? [] : choose(alias, owner, random);
    if (target === undefined) {
      const types = type === "ANY" ? new Set(node.map((record) => record.type)) : [type];
      const found = [...types].flatMap((one) =>
        choose(
          node.filter((record) => record.type === one),
          owner,
          random,
        ),
      );
      if (found.length === 0) return answered({ authorities: negative(zone) });
      answers.push(...found);
      // [DG:DNSBehavior]
      const targets = found.filter((r) => r.type === "SRV").map(({ value }) => fieldOf(value, 3));
      return answered({ additionals: addressesOf(zone, targets, random) });
    }
    answers.push(target);
    const next = canonicalName(target.value);
    if ("problem" in next) break;
    at = next.name;
  }
  // The chain left the zone or ran in a circle; the rest is the resolver's.
  return answered();
};
