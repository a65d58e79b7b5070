import { type KeyObject, sign } from "node:crypto";

/**
 * A certificate that a key signs for itself, in PEM with that key: what is served until there is a better one. X.509
 * version 3 with subject and alternative names (RFC 5280), as DER by hand, because Node can read certificates and not
 * make them. `key` is an EC key of the curve P-256.
 */
export function selfSigned({
  name,
  key,
  publicKey,
  serial,
  fromMs,
  untilMs,
  dateOf,
}: {
  readonly name: string;
  readonly key: KeyObject;
  readonly publicKey: KeyObject;
  /** 16 bytes. */
  readonly serial: Buffer;
  readonly fromMs: number;
  readonly untilMs: number;
  /** `20270131235959Z` of a moment. */
  readonly dateOf: (ms: number) => string;
}): string {
  const algorithm = sequence(oid("2a8648ce3d040302"));
  const commonName = name.length <= 64 ? name : "localhost";
  const subject = sequence(set(sequence(oid("550403"), tagged(0x0c, Buffer.from(commonName)))));
  const validity = sequence(
    tagged(0x18, Buffer.from(dateOf(fromMs))),
    tagged(0x18, Buffer.from(dateOf(untilMs))),
  );
  const names = sequence(tagged(0x82, Buffer.from(name)));
  const extensions = tagged(
    0xa3,
    sequence(
      sequence(oid("551d11"), tagged(0x04, names)),
      sequence(oid("551d13"), tagged(0x04, sequence())),
    ),
  );
  const version = tagged(0xa0, tagged(0x02, Buffer.from([2])));
  const number = tagged(0x02, Buffer.concat([Buffer.from([1]), serial]));
  const body = sequence(
    version,
    number,
    algorithm,
    subject,
    validity,
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    extensions,
  );
  const signature = tagged(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", body, key)]));
  const der = sequence(body, algorithm, signature).toString("base64");
  const lines = der.match(/.{1,64}/g) ?? [];
  const secret = String(key.export({ type: "pkcs8", format: "pem" }));
  return `${secret}-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts));
const set = (...parts: readonly Buffer[]): Buffer => tagged(0x31, Buffer.concat(parts));
const oid = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, "hex"));

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}
