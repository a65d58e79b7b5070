import { type Backend, endpointOf } from "./backend.ts";

/** What a name server says of a service's name. */
export type ServiceAnswer =
  /** Each with its own port. */
  | {
      readonly kind: "srv";
      readonly places: readonly Pick<Backend, "address" | "port" | "weight">[];
    }
  /** The port is the client's to know. */
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  /** The name, or its records of these types, are not there: the service has no task. */
  | { readonly kind: "none" };

/** A place, and when it was last in an answer. */
interface Seen {
  readonly place: Pick<Backend, "address" | "port" | "weight">;
  readonly atMs: number;
}

export interface DnsMemory {
  readonly seen: ReadonlyMap<string, Seen>;
}

export const NOTHING_SEEN: DnsMemory = { seen: new Map() };

/** Route 53 gives at most eight values of a multivalue answer (Developer Guide, multivalue answer routing). */
const MOST_IN_AN_ANSWER = 8;
/** A weighted name gives one task at a time: the others are remembered for so long. */
const REMEMBERED_MS = 60_000;

/**
 * The places of a service after one more answer.
 *
 * | the answer holds | |
 * | --- | --- |
 * | nothing | the service has no task: all is forgotten |
 * | two to seven places | these are all of them |
 * | one, or eight and more | one of many by weight, or eight of many: those seen within the last minute count, too |
 *
 * So of a weighted name a client knows a part of the tasks, another one each minute, and a task that has gone is known for
 * at most a minute longer; whoever connects must be ready for a refusal.
 */
export function remember(
  memory: DnsMemory,
  places: readonly Pick<Backend, "address" | "port" | "weight">[],
  nowMs: number,
): DnsMemory {
  const isWhole = places.length === 0 || (places.length > 1 && places.length < MOST_IN_AN_ANSWER);
  const kept = isWhole
    ? []
    : [...memory.seen].filter(([, { atMs }]) => nowMs - atMs < REMEMBERED_MS);
  const fresh = places.map((place) => [endpointOf(place), { place, atMs: nowMs }] as const);
  return { seen: new Map([...kept, ...fresh]) };
}

/** All places that count, in an order that does not depend on the answers'. */
export const backendsIn = ({ seen }: DnsMemory): readonly Backend[] =>
  [...seen]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([endpoint, { place }]) => ({ id: endpoint, ...place }));
