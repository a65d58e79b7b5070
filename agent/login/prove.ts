import { createHash } from "node:crypto";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { Proof } from "../../lib/registry/io/registry.ts";

/** A login that a registry took stands for so long; one that it did not is proved again sooner. */
const ACCEPTED_MS = 3_600_000;
const OTHER_MS = 60_000;

type Prove = (registry: string, auth: string) => Promise<Proof>;

/** Proves logins, each only when it is new or its last proof is old: a registry counts wrong passwords. */
export function prover(prove: Prove, clock: Clock): Prove & { readonly dueMs: () => number } {
  const known = new Map<string, { readonly proof: Proof; readonly dueMs: number }>();
  const proved = async (registry: string, auth: string): Promise<Proof> => {
    const key = `${registry} ${createHash("sha256").update(auth).digest("hex")}`;
    const before = known.get(key);
    if (before !== undefined && before.dueMs > clock.now()) return before.proof;
    for (const other of known.keys()) if (other.startsWith(`${registry} `)) known.delete(other);
    const proof = await prove(registry, auth);
    const lastsMs = proof.kind === "accepted" ? ACCEPTED_MS : OTHER_MS;
    known.set(key, { proof, dueMs: clock.now() + lastsMs });
    return proof;
  };
  return Object.assign(proved, {
    dueMs: () =>
      Math.min(...[...known.values()].map(({ dueMs }) => dueMs), Number.POSITIVE_INFINITY),
  });
}
