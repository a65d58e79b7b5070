import { X509Certificate } from "node:crypto";

/**
 * The certificates of a server, of which the last one is an authority that signed itself; undefined as long as the file
 * ends before that one does, because another process still writes it.
 */
export function wholeChain(pem: string): string | undefined {
  const last = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*$/.exec(pem)?.[0];
  if (last === undefined) return undefined;
  const certificate = new X509Certificate(last);
  return certificate.checkIssued(certificate) ? pem : undefined;
}
