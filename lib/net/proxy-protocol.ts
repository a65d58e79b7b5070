import { isIPv4, isIPv6 } from "node:net";

/** Both ends of a connection, as the one who accepted it sees them. */
export interface Ends {
  readonly source: { readonly address: string; readonly port: number };
  readonly destination: { readonly address: string; readonly port: number };
}

/** PROXY protocol, version 2 (HAProxy's `doc/proxy-protocol.txt`, 2.2): the signature that no other protocol begins with. */
const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const VERSION_2_PROXY = 0x21;
const VERSION_2_LOCAL = 0x20;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/**
 * The header that tells a server who its client is. An IPv4 client of a socket of both families counts as IPv4. Ends that
 * are not known (the client has gone already) give the header LOCAL, which says that nobody is proxied.
 */
export function proxyHeader(ends: Ends | undefined): Buffer {
  const source = bytesOf(ends?.source.address);
  const destination = bytesOf(ends?.destination.address);
  if (ends === undefined || source === undefined || destination === undefined) return LOCAL;
  if (source.length !== destination.length) return LOCAL;
  const family = source.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  const body = Buffer.alloc(2 * source.length + 4);
  source.copy(body, 0);
  destination.copy(body, source.length);
  body.writeUInt16BE(ends.source.port, 2 * source.length);
  body.writeUInt16BE(ends.destination.port, 2 * source.length + 2);
  return Buffer.concat([SIGNATURE, head(VERSION_2_PROXY, family, body.length), body]);
}

const head = (command: number, family: number, length: number): Buffer =>
  Buffer.from([command, family, length >> 8, length & 255]);

const LOCAL = Buffer.concat([SIGNATURE, head(VERSION_2_LOCAL, 0, 0)]);

/** Four bytes or sixteen; undefined for anything else. */
function bytesOf(address: string | undefined): Buffer | undefined {
  if (address === undefined) return undefined;
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  const text = mapped ?? address;
  if (isIPv4(text)) return Buffer.from(text.split(".").map(Number));
  const [plain = ""] = text.split("%");
  if (!isIPv6(plain)) return undefined;
  // URL writes every IPv6 address as hexadecimal groups, also one that ends in dotted form.
  const groups = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const [left = "", right] = groups.split("::");
  const parts = (side: string) => side.split(":").filter((group) => group !== "");
  const tail = right === undefined ? [] : parts(right);
  const zeros = right === undefined ? 0 : 8 - parts(left).length - tail.length;
  const all = [...parts(left), ...Array.from({ length: zeros }, () => "0"), ...tail];
  const bytes = Buffer.alloc(16);
  for (const [at, group] of all.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * at);
  return bytes;
}
