import type { RuleError } from "./refusals.ts";

/** A signature is good for so long before and after the time it names [DDNS]. */
const SIGNATURE_LIMIT_MS = 300_000;

/**
 * What is wrong with the time of a signature, the one thing of it that is looked at: how it fares when clocks differ.
 * [DDNS] https://github.com/crazy-max/ddns-route53/issues/40 for one that is late,
 * https://github.com/kubernetes-sigs/external-dns/issues/1626 for one that is early.
 */
export const signatureProblem = (
  signedAt: string | readonly string[] | undefined,
  nowMs: number,
): RuleError | undefined => {
  // Whoever does not sign has no clock.
  if (typeof signedAt !== "string") return undefined;
  const basic = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");
  const signedMs = Date.parse(
    signedAt.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, "$1-$2-$3:$4:$5"),
  );
  const refused = (text: string) => ({ status: 403, code: "SignatureDoesNotMatch", message: text });
  const now = basic(nowMs);
  if (Number.isNaN(signedMs))
    return refused(`Date must be in ISO-8601 'basic format'. Got '${signedAt}'`); // wording ours
  if (signedMs < nowMs - SIGNATURE_LIMIT_MS) {
    const earliest = basic(nowMs - SIGNATURE_LIMIT_MS);
    return refused(
      `Signature expired: ${signedAt} is now earlier than ${earliest} (${now} - 5 min.)`,
    );
  }
  if (signedMs > nowMs + SIGNATURE_LIMIT_MS) {
    const latest = basic(nowMs + SIGNATURE_LIMIT_MS);
    return refused(
      `Signature not yet current: ${signedAt} is still later than ${latest} (${now} + 5 min.)`,
    );
  }
  return undefined;
};
