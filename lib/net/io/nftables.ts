import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** The kernel's packet filter, in this process's own network namespace. Each function runs `nft` once. */
export interface Nftables {
  /** In one transaction: all of it or nothing. Rejects with what nft says. */
  apply(script: string): Promise<void>;
  /** The table's rules, without what counts in them; undefined when there is no such table. */
  list(table: string): Promise<string | undefined>;
  /** Packets by counter; none when there is no such table. */
  counters(table: string): Promise<ReadonlyMap<string, number>>;
  /** Succeeds also when there is no such table. */
  remove(table: string): Promise<void>;
  /** Why it can't be used, as a sentence with what to do; undefined when it can. */
  problem(): Promise<string | undefined>;
}

const LIMIT_MS = 10_000;
/** A listing of 5 ports and 500 tasks is about 100 kB. */
const NO_TABLE = /No such file or directory/;

export function nftables(program = "nft"): Nftables {
  const run = (args: readonly string[], input = "") => execute(program, args, input);
  return {
    async apply(script) {
      await run(["-f", "-"], script);
    },
    async list(table) {
      try {
        return await run(["--stateless", "--terse", "list", "table", "ip", table]);
      } catch (error) {
        if (error instanceof Refused && NO_TABLE.test(error.message)) return undefined;
        throw error;
      }
    },
    async counters(table) {
      try {
        return countersIn(await run(["--json", "list", "counters", "table", "ip", table]));
      } catch (error) {
        if (error instanceof Refused && NO_TABLE.test(error.message)) return new Map();
        throw error;
      }
    },
    async remove(table) {
      // The first line makes the second one right in any case.
      await run(["-f", "-"], `table ip ${table}\ndelete table ip ${table}\n`);
    },
    async problem() {
      try {
        await run(["list", "tables"]);
        return undefined;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === "ENOENT") {
          return "the program nft is not there: use the image that holds it, or install nftables";
        }
        if (/not permitted|ermission denied/.test(message)) {
          return "the capability NET_ADMIN is missing: --cap-add NET_ADMIN, or linuxParameters.capabilities.add in the task definition";
        }
        return `nft can't be used: ${message}`;
      }
    },
  };
}

/** nft ended with another exit code than 0. */
class Refused extends Error {
  override readonly name = "Refused";
}

async function execute(program: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    signal: AbortSignal.timeout(LIMIT_MS),
    // A session of nft must not read a configuration that somebody left in the environment.
    env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  const ends = Promise.withResolvers<number | null>();
  child.once("error", ends.reject);
  child.once("close", ends.resolve);
  // It may end before it has read all: its own message says why.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [output, problem, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ends.promise,
  ]);
  if (code !== 0) {
    throw new Refused(
      problem.trim().split("\n").slice(0, 3).join(" ").slice(0, 500) || `nft ended with ${code}`,
    );
  }
  return output;
}

function countersIn(json: string): ReadonlyMap<string, number> {
  const { nftables: items = [] } = JSON.parse(json) as {
    readonly nftables?: readonly {
      readonly counter?: { readonly name?: unknown; readonly packets?: unknown };
    }[];
  };
  return new Map(
    items.flatMap(({ counter }) =>
      typeof counter?.name === "string" && typeof counter.packets === "number"
        ? [[counter.name, counter.packets] as const]
        : [],
    ),
  );
}
