import { causes } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import { authOf } from "../../lib/registry/auth-files.ts";
import type { EcrToken } from "../../lib/registry/io/ecr.ts";
import type { Login } from "../../lib/registry/login-lines.ts";
import { credentialsIn } from "../../lib/registry/secret.ts";

/** What logins are worked out from, beside their lines. */
export interface Sources {
  readonly secret: (arn: string) => Promise<string>;
  readonly ecr: (region: string) => Promise<EcrToken>;
}

/** A login's `user:password` in base64, or why there is none. An old one is kept while a new one can't be had. */
export interface Resolved {
  readonly auth?: string;
  readonly problem?: string;
}

/** A secret may be rotated; it is read again so often. */
const SECRET_MS = 15 * 60_000;
/** What failed is tried again so soon. */
const RETRY_MS = 30_000;

interface Kept extends Resolved {
  readonly dueMs: number;
}

/**
 * Works logins out: at once for those whose line has a password, and from Secrets Manager and ECR for others, which are
 * asked again when it is due: a secret every 15 minutes, ECR when half of a token's life is over.
 */
export function resolver(sources: Sources, clock: Clock) {
  let kept = new Map<string, Kept>();
  const ask = async (how: Exclude<Login["how"], { kind: "password" }>): Promise<Kept> => {
    const nowMs = clock.now();
    if (how.kind === "ecr") {
      const { auth, lifetimeMs } = await sources.ecr(how.region);
      return { auth, dueMs: nowMs + Math.max(RETRY_MS, lifetimeMs / 2) };
    }
    const found = credentialsIn(await sources.secret(how.arn), how);
    return "problem" in found
      ? { problem: found.problem, dueMs: nowMs + RETRY_MS }
      : { auth: authOf(found.user, found.password), dueMs: nowMs + SECRET_MS };
  };
  return {
    /** In the order of the logins. */
    async all(logins: readonly Login[]): Promise<readonly Resolved[]> {
      const next = new Map<string, Kept>();
      const results: Resolved[] = [];
      for (const { how } of logins) {
        if (how.kind === "password") {
          results.push({ auth: authOf(how.user, how.password) });
          continue;
        }
        const key = JSON.stringify(how);
        const before = next.get(key) ?? kept.get(key);
        let one = before;
        if (before === undefined || before.dueMs <= clock.now()) {
          one = await ask(how).catch(
            (error: unknown): Kept => ({
              problem: causes(error),
              dueMs: clock.now() + RETRY_MS,
            }),
          );
          if (one.auth === undefined && before?.auth !== undefined)
            one = { ...one, auth: before.auth };
        }
        if (one !== undefined) {
          next.set(key, one);
          results.push(one);
        }
      }
      kept = next;
      return results;
    },
    /** When the next one is to be asked again. */
    dueMs: (): number =>
      Math.min(...[...kept.values()].map(({ dueMs }) => dueMs), Number.POSITIVE_INFINITY),
  };
}
