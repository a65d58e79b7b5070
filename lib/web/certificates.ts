import { createPrivateKey, X509Certificate } from "node:crypto";
import { CERTIFICATE_LIST, certificateLine } from "./engine-files.ts";
import { type EngineText, engine, enginePayload, engineSecret } from "./engine-text.ts";

/** A certificate as the engine has it: its key and chain, and the names that it is for. */
export interface Certificate {
  /** Within the engine's folder. */
  readonly file: string;
  readonly pem: string;
  /** None for the one that serves whoever asks for no name that is known. */
  readonly names: readonly string[];
}

export const CERTIFICATE_FOLDER = "certificates";

/** The file for a name or a certificate's own name; a wildcard's star has no place in one. */
export const certificateFile = (kind: "acme" | "self" | "own", name: string): string =>
  `${CERTIFICATE_FOLDER}/${kind}-${name.replaceAll("*", "_")}.pem`;

/** What the text of a certificate says, and whether the key beside it is its own. */
export interface CertificateFacts {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly issuer: string;
  /** Whether it is good for a host name. */
  readonly isFor: (name: string) => boolean;
}

/** The facts of a key and chain in PEM, or why it can't be used, as a sentence. */
export function readCertificate(pem: string): CertificateFacts | string {
  try {
    const certificate = new X509Certificate(pem);
    if (!certificate.checkPrivateKey(createPrivateKey(pem))) {
      return "expected a certificate and its private key in one file, got a key of another certificate";
    }
    return {
      fromMs: certificate.validFromDate.getTime(),
      untilMs: certificate.validToDate.getTime(),
      issuer: certificate.issuer.replaceAll("\n", ", "),
      isFor: (name) =>
        name.startsWith("*.")
          ? certificate.subjectAltName?.split(/, ?/).includes(`DNS:${name}`) === true
          : certificate.checkHost(name) !== undefined,
    };
  } catch {
    return "expected a certificate and its private key as PEM in one file";
  }
}

/** The text without what the engine would not take: blank lines, comments before a block, other line ends. */
export const tidyPem = (pem: string): string =>
  [
    ...pem
      .replaceAll("\r", "")
      .matchAll(/-----BEGIN ([A-Z ]+)-----\n[A-Za-z0-9+/=\n]+?-----END \1-----/g),
  ]
    .map(([block]) => `${block.replace(/\n+/g, "\n")}\n`)
    .join("");

/** When it is to be renewed: at two thirds of its life. */
export const renewalMs = ({ fromMs, untilMs }: CertificateFacts): number =>
  fromMs + ((untilMs - fromMs) * 2) / 3;

/**
 * The commands that make the engine's certificates these. A new one is complete before the list leads to it; one that goes
 * leaves the list first.
 */
export function certificateCommands(
  before: readonly Certificate[],
  after: readonly Certificate[],
): readonly (readonly EngineText[])[] {
  const had = new Map(before.map((certificate) => [certificate.file, certificate]));
  const wanted = new Set(after.map(({ file }) => file));
  const put = ({ file, pem }: Certificate): readonly EngineText[] => [
    engineSecret(engine`set ssl cert ${file}`, pem),
    engine`commit ssl cert ${file}`,
  ];
  const list = (certificate: Certificate): EngineText =>
    enginePayload(engine`add ssl crt-list ${CERTIFICATE_LIST}`, certificateLine(certificate));
  const unlist = (file: string): EngineText => engine`del ssl crt-list ${CERTIFICATE_LIST} ${file}`;
  const comes = after.map((certificate) => {
    const { file, pem, names } = certificate;
    const known = had.get(file);
    if (known === undefined) {
      return [engine`new ssl cert ${file}`, ...put(certificate), list(certificate)];
    }
    const isRenamed = known.names.join() !== names.join();
    return [
      ...(known.pem === pem ? [] : put(certificate)),
      ...(isRenamed ? [unlist(file), list(certificate)] : []),
    ];
  });
  const goes = before
    .filter(({ file }) => !wanted.has(file))
    .map(({ file }) => [unlist(file), engine`del ssl cert ${file}`]);
  return [...comes, ...goes].filter((commands) => commands.length > 0);
}
