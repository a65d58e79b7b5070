import { quote } from "../kit/quote.ts";

/** An address of each family, in text form, where there is one. */
export interface Addresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** Of several addresses the first that other hosts can reach, and what is wrong with them when there is none. */
export function firstReachable(addresses: readonly string[]): {
  readonly address?: string;
  readonly problem?: string;
} {
  const address = addresses.find((one) => unreachable(one) === undefined);
  if (address !== undefined) return { address };
  const [first] = addresses;
  return first === undefined
    ? {}
    : {
        problem: `expected an address that other hosts reach, got ${quote(first)} (${unreachable(first)})`,
      };
}

/**
 * Why nobody is reached at an address from another host; undefined where somebody may be. A record with one of these
 * would lead each client to itself, to its own instance metadata, or nowhere. Ranges: RFC 6890, RFC 4291 2.5 to 2.7.
 * Private and reserved ranges that a VPC can have (RFC 1918, 6598, 240.0.0.0/4) are none of them.
 */
export function unreachable(text: string): string | undefined {
  return text.includes(":") ? unreachable6(text) : unreachable4(text);
}

function unreachable4(text: string): string | undefined {
  // No leading zeros: some readers take them for octal.
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(text) || text.endsWith(".")) return "no address";
  const bytes = text.split(".").map(Number);
  if (bytes.some((byte) => byte > 255)) return "no address";
  const [first = 0, second = 0] = bytes;
  if (first === 0) return "unspecified";
  if (first === 127) return "loopback";
  if (first === 169 && second === 254) return "link-local";
  if (first >= 224 && first <= 239) return "multicast";
  return text === "255.255.255.255" ? "broadcast" : undefined;
}

function unreachable6(text: string): string | undefined {
  const groups = groupsOf(text);
  if (groups === undefined) return "no address";
  const [first = 0] = groups;
  const lead = groups.findIndex((group) => group !== 0);
  if (lead === -1) return "unspecified";
  if (lead === 7 && groups[7] === 1) return "loopback";
  // ::ffff:0:0/96 and ::/96: an A record's address in an AAAA record.
  if (lead >= 6 || (lead === 5 && groups[5] === 0xffff)) return "IPv4 in the form of IPv6";
  if ((first & 0xffc0) === 0xfe80) return "link-local";
  return first >= 0xff00 ? "multicast" : undefined;
}

/** The eight groups of an IPv6 address (RFC 4291 2.2); undefined for any other text, a zone index included. */
function groupsOf(text: string): readonly number[] | undefined {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [, head = "", ...bytes] = dotted;
    if (unreachable4(bytes.join(".")) === "no address") return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
    return groupsOf(`${head}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`);
  }
  const halves = text.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const [left = [], right] = halves;
  const given = halves.flat();
  if (halves.length > 2 || !given.every((group) => /^[0-9a-f]{1,4}$/i.test(group)))
    return undefined;
  if (right === undefined ? given.length !== 8 : given.length > 7) return undefined;
  const zeros = Array.from({ length: 8 - given.length }, () => "0");
  return [...left, ...zeros, ...(right ?? [])].map((group) => Number.parseInt(group, 16));
}
