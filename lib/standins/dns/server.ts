import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Random } from "../../kit/flow/clock.ts";
import type { ZoneRecord } from "../route53/rules.ts";
import { answerQuestion, indexZone, type ZoneIndex } from "./answer.ts";
import {
  encode,
  fitted,
  maxUdpBytes,
  noRecords,
  parseQuery,
  plainUdpBytes,
  zoneForm,
} from "./packet.ts";

export interface DnsServerOptions {
  /** Asked for each query; the same `records` array means the same zone. */
  readonly zones: () => readonly {
    readonly name: string;
    readonly records: readonly ZoneRecord[];
  }[];
  readonly random: Random;
  /** Default: any free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly address?: string;
}

export interface DnsServer {
  readonly address: string;
  /** UDP and TCP. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * An authoritative DNS server over the zones as they are at each query: UDP and TCP on one port. Answers what it can
 * read, says FORMERR to a query it cannot, and drops the rest; no input ends it.
 */
export const dnsServer = async (options: DnsServerOptions): Promise<DnsServer> => {
  const address = options.address ?? "127.0.0.1";
  const { random } = options;
  const indexes = new WeakMap<readonly ZoneRecord[], ZoneIndex>();
  const indexed = (name: string, records: readonly ZoneRecord[]): ZoneIndex => {
    const zoneName = zoneForm(name.replace(/\.$/, ""));
    const known = indexes.get(records);
    if (known?.name === zoneName) return known;
    const index = indexZone(zoneName, records);
    indexes.set(records, index);
    return index;
  };

  const reply = (packet: Buffer, overUdp: boolean): Buffer | undefined => {
    const query = parseQuery(packet);
    if (query === undefined) return undefined;
    const nothing = { ...noRecords, authoritative: false };
    if (query.ednsVersion !== 0) return encode(query, nothing, "NOERROR", false);
    if (typeof query.asked === "string") return encode(query, nothing, query.asked, false);
    const limitBytes = overUdp
      ? Math.min(maxUdpBytes, Math.max(plainUdpBytes, query.udpBytes ?? 0))
      : 65_535;
    try {
      const zones = options.zones().map(({ name, records }) => indexed(name, records));
      return fitted(query, answerQuestion(zones, query.asked, random), limitBytes);
    } catch {
      return encode(query, nothing, "SERVFAIL", false);
    }
  };

  const udp = createSocket({ type: address.includes(":") ? "udp6" : "udp4" });
  udp.on("message", (packet, from) => {
    const answer = reply(packet, true);
    // A client that is gone is its own affair.
    if (answer !== undefined) udp.send(answer, from.port, from.address, () => {});
  });
  const connections = new Set<Socket>();
  const tcp = createServer((connection) => {
    connections.add(connection);
    connection.on("close", () => connections.delete(connection));
    answerEach(connection, (packet) => reply(packet, false));
  });
  const port = await bindBoth(udp, tcp, { address, port: options.port ?? 0 });
  udp.on("error", () => {});

  return {
    address,
    port,
    async close() {
      for (const connection of connections) connection.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(() => resolve())),
        new Promise<void>((resolve) => tcp.close(() => resolve())),
      ]);
    },
  };
};

/** Answers the queries of one TCP connection, each after its length (RFC 1035, 4.2.2), until one deserves no answer. */
function answerEach(connection: Socket, reply: (packet: Buffer) => Buffer | undefined): void {
  connection.on("error", () => connection.destroy());
  let received = Buffer.alloc(0);
  connection.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const answer = reply(received.subarray(2, end));
      received = received.subarray(end);
      if (answer === undefined) {
        connection.destroy();
        return;
      }
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      connection.write(Buffer.concat([length, answer]));
    }
  });
}

/** TCP chooses the port, and UDP has to get the same one: a port that is taken there is given back, some times over. */
async function bindBoth(
  udp: UdpSocket,
  tcp: Server,
  wanted: { readonly address: string; readonly port: number },
  attemptsLeft = 10,
): Promise<number> {
  const { address } = wanted;
  tcp.listen(wanted.port, address);
  await once(tcp, "listening");
  const { port } = tcp.address() as AddressInfo;
  try {
    udp.bind(port, address);
    await once(udp, "listening");
    return port;
  } catch (error) {
    await new Promise((resolve) => tcp.close(resolve));
    if (wanted.port !== 0 || attemptsLeft === 0) throw error;
    return await bindBoth(udp, tcp, wanted, attemptsLeft - 1);
  }
}
