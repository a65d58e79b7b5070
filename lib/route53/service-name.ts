import { quote } from "../kit/quote.ts";

export type NameCheck =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly problem: string };

/** RFC 1035 2.3.4: 63 octets a label, 255 octets a name on the wire, which is 253 characters of text. */
const MAX_LABEL = 63;
const MAX_NAME = 253;

const refused = (expected: string, got: string): NameCheck => ({
  ok: false,
  problem: `expected ${expected}, got ${got}`,
});

/**
 * The record name `<label>.<zone>` that a container's label asks for, in lower case, or why it can't have one.
 * What comes back as `ok` lies strictly below the zone: no apex, no wildcard, no other zone can be named.
 * Letters, digits and inner hyphens only: RFC 1123 2.1.
 */
export function serviceName(label: string, zoneName: string): NameCheck {
  if (label === "") return refused("a service name such as web or v2.api", "an empty value");
  const folded = label.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  for (const part of folded.split(".")) {
    if (part === "") {
      return refused("a name without an empty part between its dots", quote(label));
    }
    if (part.length > MAX_LABEL) {
      return refused(
        `at most ${MAX_LABEL} characters between dots`,
        `${part.length} in ${quote(label)}`,
      );
    }
    if (!/^[a-z0-9-]+$/.test(part)) {
      return refused("letters, digits, hyphens and dots only", quote(label));
    }
    if (part.startsWith("-") || part.endsWith("-")) {
      return refused("no hyphen at the start or the end of a part", quote(label));
    }
  }
  const name = `${folded}.${zoneName}`;
  if (!fitsDns(name)) {
    return refused(
      `at most ${MAX_NAME} characters in the whole name`,
      `${name.length} in ${quote(label)} with the zone ${zoneName}`,
    );
  }
  return { ok: true, name };
}

/** True for a name short enough for DNS. */
export const fitsDns = (name: string): boolean => name.length <= MAX_NAME;

/**
 * Where RFC 2782 has a client look for the SRV records of a service's name, over TCP: `_web._tcp.<zone>` for `web.<zone>`;
 * of a name with more parts the first is the service. Undefined where that is too long for DNS.
 */
export function rfc2782Name(name: string): string | undefined {
  const [service = "", ...domain] = name.split(".");
  const whole = [`_${service}`, "_tcp", ...domain].join(".");
  return service.length < MAX_LABEL && fitsDns(whole) ? whole : undefined;
}

/** The service's name of a name as `rfc2782Name` makes it; any other name as it is. */
export const plainName = (name: string): string =>
  name.replace(/^_([a-z0-9-]+)\._tcp\.(?=.)/, "$1.");
