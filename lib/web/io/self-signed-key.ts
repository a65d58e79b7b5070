import { generateKeyPairSync, randomBytes } from "node:crypto";
import { selfSigned } from "../self-signed.ts";

const TEN_YEARS_MS = 10 * 365 * 86_400_000;

/** A new key with a certificate that it signs for itself, as PEM. */
export function newSelfSigned(name: string): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const nowMs = Date.now();
  return selfSigned({
    name,
    key: privateKey,
    publicKey,
    serial: randomBytes(15),
    fromMs: nowMs - 3_600_000,
    untilMs: nowMs + TEN_YEARS_MS,
    dateOf: (ms) => `${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`,
  });
}
