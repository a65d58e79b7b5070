import { BlockList, isIP } from "node:net";
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
 * would lead each client to itself, to its own instance metadata, or nowhere. Private and reserved ranges that a VPC can
 * have (RFC 1918, 6598, 240.0.0.0/4) are none of them.
 */
export function unreachable(text: string): string | undefined {
  // A zone index, which Node takes, is no part of an address that a record can hold.
  const family = text.includes("%") ? 0 : isIP(text);
  if (family === 0) return "no address";
  const type = family === 6 ? "ipv6" : "ipv4";
  return RANGES[type].find(({ list }) => list.check(text, type))?.name;
}

/**
 * RFC 6890; RFC 4291 2.5 to 2.7, where ::/96 and ::ffff:0:0/96 are an A record's address in an AAAA record. By family,
 * because a BlockList takes an IPv4 address for its IPv6 form.
 */
const RANGES = {
  ipv4: [
    range("unspecified", "0.0.0.0/8"),
    range("loopback", "127.0.0.0/8"),
    range("link-local", "169.254.0.0/16"),
    range("multicast", "224.0.0.0/4"),
    range("broadcast", "255.255.255.255/32"),
  ],
  ipv6: [
    range("unspecified", "::/128"),
    range("loopback", "::1/128"),
    range("IPv4 in the form of IPv6", "::/96", "::ffff:0:0/96"),
    range("link-local", "fe80::/10"),
    range("multicast", "ff00::/8"),
  ],
};

function range(name: string, ...subnets: readonly string[]) {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net = "", prefix] = subnet.split("/");
    list.addSubnet(net, Number(prefix), net.includes(":") ? "ipv6" : "ipv4");
  }
  return { name, list };
}
