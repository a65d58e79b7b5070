import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { Unavailable } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";
import type { ServiceAnswer } from "../service-records.ts";

export interface ServiceResolver {
  /** `address` or `address:port`. */
  readonly servers: readonly string[];
  /**
   * SRV records with the addresses of their targets where there are any, otherwise A and AAAA records. Throws
   * `Unavailable` when no server answers, or answers that it can't.
   */
  ask(name: string): Promise<ServiceAnswer>;
}

const TRY_LIMIT_MS = 2_000;
const TRIES = 2;
/** Codes of node:dns for an answer that says there are none. */
const NONE = ["ENOTFOUND", "ENODATA"];
/** Of an answer so long that nobody means it, the first ones count. */
const MOST = 500;
/** A weight of 0 is a small chance (RFC 2782). */
const LEAST_WEIGHT = 1;

/** The resolver at `server`, or the ones of this host's resolv.conf. */
export function serviceResolver(server?: string): ServiceResolver {
  const resolver = new Resolver({ timeout: TRY_LIMIT_MS, tries: TRIES });
  if (server !== undefined) resolver.setServers([server]);

  const asked = async <T>(name: string, type: string, answer: Promise<T[]>): Promise<T[]> => {
    try {
      return (await answer).slice(0, MOST);
    } catch (error) {
      const { code = "unknown" } = error as NodeJS.ErrnoException;
      if (NONE.includes(code)) return [];
      throw new Unavailable("DNS", `did not answer ${type} of ${quote(name)} (${code})`, {
        mayHaveLanded: false,
      });
    }
  };
  /** IPv4 where there is any. */
  const addresses = async (name: string): Promise<readonly string[]> => {
    if (isIP(name) !== 0) return [name];
    const four = await asked(name, "A", resolver.resolve4(name));
    return four.length > 0 ? four : asked(name, "AAAA", resolver.resolve6(name));
  };

  return {
    servers: resolver.getServers(),
    async ask(name) {
      const records = await asked(name, "SRV", resolver.resolveSrv(name));
      if (records.length === 0) {
        const found = await addresses(name);
        return found.length === 0 ? { kind: "none" } : { kind: "addresses", addresses: found };
      }
      // The lowest priority is the one to use while any of it is there (RFC 2782).
      const least = Math.min(...records.map(({ priority }) => priority));
      const usable = records.filter(({ priority, port }) => priority === least && port > 0);
      const places = await Promise.all(
        usable.map(async ({ name: target, port, weight }) =>
          (await addresses(target)).map((address) => ({
            address,
            port,
            weight: Math.max(LEAST_WEIGHT, weight),
          })),
        ),
      );
      return { kind: "srv", places: places.flat() };
    },
  };
}
