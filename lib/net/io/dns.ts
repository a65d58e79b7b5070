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
  /** The texts of the name's TXT records; none where there are none, undefined where nobody answers. Never throws. */
  texts(name: string): Promise<readonly string[] | undefined>;
  /** The name's addresses of one family; the same. */
  addresses(name: string, type: "A" | "AAAA"): Promise<readonly string[] | undefined>;
}

/** Codes of node:dns for an answer that says no; all others mean that there was none that helps. */
const NEGATIVE = new Set(["ENOTFOUND", "ENODATA", "EREFUSED"]);

const TRY_LIMIT_MS = 2_000;
const TRIES = 2;

/** The resolver at `server`, or the ones of this host's resolv.conf. */
export function dnsResolver(server?: string): DnsResolver {
  const resolver = new Resolver({ timeout: TRY_LIMIT_MS, tries: TRIES });
  if (server !== undefined) resolver.setServers([server]);
  const answer = async <T>(ask: Promise<readonly T[]>): Promise<readonly T[] | undefined> => {
    try {
      return await ask;
    } catch (error) {
      return NEGATIVE.has((error as NodeJS.ErrnoException).code ?? "") ? [] : undefined;
    }
  };
  return {
    servers: resolver.getServers(),
    texts: async (name) =>
      (await answer(resolver.resolveTxt(name)))?.map((pieces) => pieces.join("")),
    addresses: (name, type) =>
      answer(type === "A" ? resolver.resolve4(name) : resolver.resolve6(name)),
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
