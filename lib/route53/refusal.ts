import type { Change } from "./plan.ts";
import { keyOf, type RecordKey } from "./record-set.ts";

/**
 * What an InvalidChangeBatch says of one change of the batch.
 * - already-gone: a DELETE of what is not there; nothing is left to do.
 * - differs: a DELETE of what is there with other values; the name must be read before it can be deleted exactly.
 * - other-ttl: the weighted group at the name has another TTL; it can be adopted.
 * - full: the group at the name has no room for a new one.
 * - refused: Route 53 won't have it as it is, in its own words.
 */
export interface Verdict {
  readonly key: RecordKey;
  readonly kind: "already-gone" | "differs" | "other-ttl" | "full" | "refused";
  readonly message: string;
}

/**
 * Reads the message of an InvalidChangeBatch, `[text, text]`: one verdict for each change that a text names.
 * A text that names a record set decides that one; a text that names only name and type decides every UPSERT to them,
 * because what it says (a CNAME, a simple record) holds for all of them.
 * Changes without a verdict may be fine. No verdict at all means that the message names nothing of the batch.
 * The texts, each with its source, are those of `lib/standins/route53/rules.ts`.
 */
export function readRefusal(message: string, batch: readonly Change[]): readonly Verdict[] {
  const verdicts = new Map<RecordKey, Verdict>();
  for (const text of splitTexts(message)) {
    for (const change of batch.filter((candidate) => names(text, candidate))) {
      const key = keyOf(change.record);
      if (!verdicts.has(key)) verdicts.set(key, { key, kind: kindOf(text, change), message: text });
    }
  }
  return [...verdicts.values()];
}

/** The texts hold commas and brackets themselves, so each new one is known by how it begins. */
const BEGINNINGS =
  /, (?=Tried to |RRSet |Invalid Resource Record|InvalidInput|The request |Exceeded |Number of )/;

const splitTexts = (message: string): readonly string[] =>
  message.replace(/^\[/, "").replace(/\]$/, "").split(BEGINNINGS);

function kindOf(text: string, change: Change): Verdict["kind"] {
  if (change.action === "DELETE" && text.includes("but it was not found")) return "already-gone";
  if (change.action === "REPLACE" && text.includes("but it was not found")) return "differs";
  if (change.action !== "UPSERT" && text.includes("do not match the current values")) {
    return "differs";
  }
  if (change.action === "UPSERT" && text.includes("must contain the same TTL")) return "other-ttl";
  if (change.action === "UPSERT" && text.includes("Exceeded limit on number of")) return "full";
  return "refused";
}

function names(text: string, { action, record }: Change): boolean {
  const [, type = record.type] = /type[ =']+([A-Z]+)/.exec(text) ?? [];
  if (type !== record.type) return false;
  if (/set-?identifier/i.test(text)) {
    return mentions(text, record.setIdentifier) && mentions(text, `${record.name}.`);
  }
  if (action === "DELETE") return false;
  // A bad value is quoted alone, without its name: `... encountered with 'x'`.
  if (text.includes("encountered with")) {
    return record.values.some((value) => text.includes(`'${value}'`));
  }
  return mentions(text, `${record.name}.`);
}

/** At a boundary only: `web.` is not found in `old-web.`, nor one identifier in a longer one. */
const mentions = (text: string, part: string): boolean =>
  text.includes(part) && new RegExp(`(?<![\\w.\\\\-])${literal(part)}(?![\\w\\\\-])`).test(text);

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
