import { createHash } from "node:crypto";

const MAX_LABEL = 63;

/** Eight characters that stand for the text. */
export const digest = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 8);

/**
 * The text as a DNS label, which names of containers, volumes and Services must be: lower case, `a-z0-9-`, at most 63
 * characters (Kubernetes documentation, object names). What is longer ends in a digest of the whole, so that two long
 * names stay two.
 */
export function dnsLabel(text: string, max = MAX_LABEL): string {
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  if (plain === "") return `x-${digest(text)}`;
  if (plain.length <= max) return plain;
  return `${plain.slice(0, max - 9).replace(/-+$/, "")}-${digest(text)}`;
}

/** A legal name for each text; two that would become one get a digest. A text that is legal keeps its name. */
export function legalNames(texts: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set(texts.filter((text) => dnsLabel(text) === text));
  for (const text of texts) {
    if (names.has(text)) continue;
    const name = dnsLabel(text);
    const own = name === text || !taken.has(name) ? name : `${dnsLabel(text, 54)}-${digest(text)}`;
    taken.add(own);
    names.set(text, own);
  }
  return names;
}

/** A host name in hostAliases and dnsConfig: dot-separated labels, at most 253 characters. */
export const isHostName = (text: string): boolean =>
  text.length <= 253 &&
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);

/** A port's name: at most 15 of `a-z0-9-` with a letter among them, no hyphen at an end or beside another. */
export function portName(text: string): string {
  const name = dnsLabel(text, 15).replace(/-{2,}/g, "-");
  return /[a-z]/.test(name) ? name : `p-${name}`.slice(0, 15);
}

/** A key of an annotation: an optional DNS prefix and a name of at most 63 characters. */
export function isAnnotationKey(key: string): boolean {
  const parts = key.split("/");
  if (parts.length > 2) return false;
  const name = parts.at(-1) ?? "";
  const [prefix] = parts;
  const isName = /^[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/.test(name);
  return isName && (parts.length === 1 || isHostName(prefix ?? ""));
}

/** A key of a Secret or ConfigMap. */
export const dataKey = (text: string): string => text.replace(/[^-\w.]/g, "_").slice(0, 253);
