import { Resolver } from "node:dns/promises";

/** What a resolver says of a zone. */
export type SoaAnswer =
  | { readonly kind: "soa"; readonly nameServer: string }
  /** It answered, and knows no such zone. */
  | { readonly kind: "none"; readonly code: string }
  | { readonly kind: "silent"; readonly code: string };

export interface DnsResolver {
  /** `address` or `address:port`. */
  readonly servers: readonly string[];
  /** Who is the master name server of the zone. Never throws. */
  soa(zoneName: string): Promise<SoaAnswer>;
}

/** Codes of node:dns for an answer that says no; all others mean that there was none that helps. */
const NEGATIVE = new Set(["ENOTFOUND", "ENODATA", "EREFUSED"]);

const TRY_LIMIT_MS = 2_000;
const TRIES = 2;

/** The resolver at `server`, or the ones of this host's resolv.conf. */
export function dnsResolver(server?: string): DnsResolver {
  const resolver = new Resolver({ timeout: TRY_LIMIT_MS, tries: TRIES });
  if (server !== undefined) resolver.setServers([server]);
  return {
    servers: resolver.getServers(),
    async soa(zoneName) {
      try {
        const { nsname } = await resolver.resolveSoa(zoneName);
        return { kind: "soa", nameServer: nsname.toLowerCase() };
      } catch (error) {
        const { code = "unknown" } = error as NodeJS.ErrnoException;
        return { kind: NEGATIVE.has(code) ? "none" : "silent", code };
      }
    },
  };
}
