import { createSocket, type Socket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it, test } from "@jest/globals";
import dnsPacket, { type DecodedPacket, type Packet } from "dns-packet";
import fc from "fast-check";
import { answerQuestion, indexZone, pickWeighted } from "../../../../lib/standins/dns/answer.ts";
import { type DnsServer, dnsServer } from "../../../../lib/standins/dns/server.ts";
import { newZone, recordsOf, type ZoneRecord } from "../../../../lib/standins/route53/rules.ts";

const zoneName = "example.internal.";
const at = (name: string): string => `${name}.${zoneName}`;
const record = (name: string, type: string, ...values: string[]): ZoneRecord => ({
  name: at(name),
  type,
  ttlSeconds: 60,
  values,
});
const member = (name: string, id: string, weight: number, value: string): ZoneRecord => ({
  ...record(name, "A", value),
  setIdentifier: id,
  weight,
});
const times = <Item>(count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => make(index));

const records: readonly ZoneRecord[] = [
  ...recordsOf(newZone("Z1", zoneName)),
  record("simple", "A", "10.0.0.1", "10.0.0.2"),
  record("simple", "AAAA", "fd00::1"),
  record("text", "TXT", '"a \\"b\\"" "c"'),
  record("deep.down", "A", "10.0.0.3"),
  record("alias", "CNAME", at("simple")),
  record("away", "CNAME", "elsewhere.example."),
  record("broken", "CNAME", at("absent")),
  record("round", "CNAME", at("about")),
  record("about", "CNAME", at("round")),
  record("_http._tcp", "SRV", `1 2 8080 ${at("simple")}`),
  record("\\052.any", "A", "10.0.0.4"),
  record("dotted", "CNAME", at("a\\056b")),
  record("sub", "NS", at("ns.sub")),
  record("ns.sub", "A", "10.0.0.5"),
  member("two", "a", 0, "10.0.1.1"),
  member("two", "b", 5, "10.0.1.2"),
  ...times(12, (n) => ({
    ...record("many", "A", `10.0.2.${n}`),
    setIdentifier: `m${n}`,
    multiValueAnswer: true,
  })),
  record("big", "A", ...times(100, (n) => `10.0.3.${n}`)),
  record("huge", "A", ...times(400, (n) => `10.0.${4 + (n >> 8)}.${n & 255}`)),
];

let server: DnsServer;
let resolver: Resolver;
beforeAll(async () => {
  server = await dnsServer({
    zones: () => [{ name: "example.internal", records }],
    random: Math.random,
  });
  resolver = new Resolver();
  resolver.setServers([`${server.address}:${server.port}`]);
});
afterAll(() => server.close());

/** As the codec decodes it; its types leave `rcode` out. */
type Reply = DecodedPacket & { readonly rcode: string };
const decode = (packet: Buffer): Reply => dnsPacket.decode(packet) as Reply;

const query = (over: Omit<Partial<Packet>, "type"> & { name: string; type?: string }): Buffer => {
  const { name, type = "A", ...packet } = over;
  const questions = [{ name, type: type as "A" }];
  return dnsPacket.encode({ type: "query", id: 7, flags: 0x100, questions, ...packet });
};

const exchange = async (socket: Socket, packet: Buffer): Promise<Buffer> => {
  const answered = once(socket, "message");
  socket.send(packet, server.port, server.address);
  const [answer] = (await answered) as [Buffer];
  return answer;
};

const askUdp = async (packet: Buffer): Promise<Reply & { bytes: number; raw: Buffer }> => {
  const socket = createSocket("udp4");
  try {
    const raw = await exchange(socket, packet);
    return { ...decode(raw), bytes: raw.length, raw };
  } finally {
    socket.close();
  }
};

const askTcp = async (packet: Buffer): Promise<Reply> => {
  const socket = connect(server.port, server.address);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  // In two pieces: a message need not arrive at once.
  socket.write(length);
  socket.write(packet);
  let received = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) break;
  }
  return dnsPacket.streamDecode(received) as Reply;
};

const edns = (udpPayloadSize: number, ednsVersion = 0) => ({
  additionals: [
    {
      type: "OPT" as const,
      name: "." as const,
      udpPayloadSize,
      extendedRcode: 0,
      ednsVersion,
      flags: 0,
      flag_do: false,
      options: [],
    },
  ],
});

describe("through node's resolver", () => {
  it("answers A, AAAA, TXT, SRV, NS and SOA", async () => {
    expect((await resolver.resolve4(at("simple"))).toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(await resolver.resolve4(at("deep.down"), { ttl: true })).toEqual([
      { address: "10.0.0.3", ttl: 60 },
    ]);
    expect(await resolver.resolve6(at("simple"))).toEqual(["fd00::1"]);
    expect(await resolver.resolveTxt(at("text"))).toEqual([['a "b"', "c"]]);
    expect(await resolver.resolveSrv(at("_http._tcp"))).toEqual([
      { type: "SRV", priority: 1, weight: 2, port: 8080, name: "simple.example.internal" },
    ]);
    expect(await resolver.resolveNs(zoneName)).toHaveLength(4);
    expect(await resolver.resolveSoa(zoneName)).toMatchObject({ minttl: 86400, refresh: 7200 });
  });

  it("ignores the case of a question", async () => {
    expect(await resolver.resolve4("DEEP.Down.Example.INTERNAL")).toEqual(["10.0.0.3"]);
  });

  it("follows a CNAME inside the zone", async () => {
    expect((await resolver.resolve4(at("alias"))).toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(await resolver.resolveCname(at("away"))).toEqual(["elsewhere.example"]);
  });

  it("answers a wildcard, but not for a name that exists", async () => {
    expect(await resolver.resolve4(at("x.y.any"))).toEqual(["10.0.0.4"]);
    await expect(resolver.resolve4(at("any"))).rejects.toMatchObject({ code: "ENODATA" });
  });

  it("retries over TCP what UDP cut short", async () => {
    expect(await resolver.resolve4(at("huge"))).toHaveLength(400);
  });

  test.each([
    ["a name that is not there", at("absent"), "ENOTFOUND"],
    ["a CNAME to one", at("broken"), "ENOTFOUND"],
    ["a name of another type", at("text"), "ENODATA"],
    ["an empty non-terminal", at("down"), "ENODATA"],
    ["a name outside the zones", "example.com", "EREFUSED"],
    ["a name that only ends alike", "fooexample.internal", "EREFUSED"],
  ])("%s", async (_, name, code) => {
    await expect(resolver.resolve4(name)).rejects.toMatchObject({ code });
  });
});

describe("on the wire", () => {
  it("is authoritative, echoes the question to the byte, and answers the same over TCP", async () => {
    const packet = query({ name: "Deep.dOwn.example.internal" });
    const udp = await askUdp(packet);
    expect(udp).toMatchObject({
      id: 7,
      rcode: "NOERROR",
      flag_aa: true,
      flag_tc: false,
      flag_rd: true,
    });
    expect(udp.raw.subarray(12, packet.length)).toEqual(packet.subarray(12));
    const tcp = await askTcp(packet);
    expect(tcp.answers).toEqual(udp.answers);
  });

  it("names the SOA in negative answers, with min(TTL, minimum) [DG:SOA-NSrecords]", async () => {
    for (const name of [at("absent"), at("text")]) {
      const { authorities } = await askUdp(query({ name }));
      expect(authorities).toMatchObject([{ type: "SOA", name: "example.internal", ttl: 900 }]);
    }
  });

  it("adds the addresses of an SRV target [DG:DNSBehavior]", async () => {
    const { additionals = [] } = await askUdp(query({ name: at("_http._tcp"), type: "SRV" }));
    expect(additionals.map(({ type }) => type)).toEqual(["A", "A", "AAAA"]);
  });

  it("ends a circle of CNAMEs", async () => {
    const { answers = [], rcode } = await askUdp(query({ name: at("round") }));
    expect(answers.map(({ name }) => name)).toEqual([
      "round.example.internal",
      "about.example.internal",
    ]);
    expect(rcode).toBe("NOERROR");
  });

  it("refers to the servers of a delegated name", async () => {
    const referral = await askUdp(query({ name: at("x.sub") }));
    expect(referral).toMatchObject({ flag_aa: false, answers: [], rcode: "NOERROR" });
    expect(referral.authorities).toMatchObject([{ type: "NS", data: "ns.sub.example.internal" }]);
    expect(referral.additionals).toMatchObject([{ type: "A", data: "10.0.0.5" }]);
  });

  it("gives eight of twelve multivalue records [DG:routing-policy-multivalue]", async () => {
    const { answers = [] } = await askUdp(query({ name: at("many") }));
    expect(new Set(answers.map((answer) => "data" in answer && answer.data)).size).toBe(8);
  });

  it("never answers weight 0 while another member has weight", async () => {
    for (const _ of times(50, (n) => n)) {
      const { answers } = await askUdp(query({ name: at("two") }));
      expect(answers).toMatchObject([{ data: "10.0.1.2" }]);
    }
  });

  it("cuts an answer at 512 bytes, or at what EDNS0 allows, 4096 at most", async () => {
    const name = at("big");
    expect(await askUdp(query({ name }))).toMatchObject({ flag_tc: true, answers: [] });
    const roomy = await askUdp(query({ name, ...edns(4096) }));
    expect(roomy.flag_tc).toBe(false);
    expect(roomy.answers).toHaveLength(100);
    expect(roomy.bytes).toBeGreaterThan(512);
    expect(roomy.additionals).toMatchObject([{ type: "OPT", udpPayloadSize: 4096 }]);
    const huge = await askUdp(query({ name: at("huge"), ...edns(65_535) }));
    expect(huge).toMatchObject({ flag_tc: true, answers: [] });
    expect((await askTcp(query({ name: at("huge") }))).answers).toHaveLength(400);
  });

  it("says BADVERS to another EDNS version", async () => {
    const { additionals } = await askUdp(query({ name: at("simple"), ...edns(4096, 1) }));
    expect(additionals).toMatchObject([{ type: "OPT", extendedRcode: 1 }]);
  });

  test.each([
    ["REFUSED to a transfer", query({ name: zoneName, type: "AXFR" }), "REFUSED"],
    ["NOTIMP to an update", query({ name: zoneName, flags: 5 << 11 }), "NOTIMP"],
    ["FORMERR to no question", Buffer.from("000700000000000000000000", "hex"), "FORMERR"],
    ["FORMERR to half a question", query({ name: zoneName }).subarray(0, 20), "FORMERR"],
    [
      "FORMERR to a name that points into the header",
      Buffer.from("000700000001000000000000c00000010001", "hex"),
      "FORMERR",
    ],
    ["SERVFAIL to a name the codec cannot carry", query({ name: at("dotted") }), "SERVFAIL"],
    [
      "FORMERR to a name that points at itself",
      Buffer.from("000700000001000000000000c00c00010001", "hex"),
      "FORMERR",
    ],
    [
      "NOERROR to a type it has never heard of",
      Buffer.concat([query({ name: at("text") }).subarray(0, -4), Buffer.from("ff010001", "hex")]),
      "NOERROR",
    ],
  ])("%s", async (_, packet, rcode) => {
    expect(await askUdp(packet)).toMatchObject({ rcode });
  });

  it("survives any bytes, over UDP and TCP", async () => {
    const socket = createSocket("udp4");
    const probe = query({ name: at("deep.down") });
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      // A header that promises something, and a valid query with bytes changed, reach deeper.
      fc.uint8Array({ maxLength: 200 }).map((tail) => Buffer.concat([probe.subarray(0, 12), tail])),
      fc
        .array(fc.tuple(fc.nat(probe.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
        .map((edits) => {
          const packet = Buffer.from(probe);
          for (const [index, byte] of edits) packet[index] = byte;
          return packet;
        }),
    );
    try {
      await fc.assert(
        fc.asyncProperty(noise, async (bytes) => {
          // What the noise is answered with, if at all, arrives first; the probe's answer has its own id.
          const id = 0xbeef;
          const asked = Buffer.from(probe);
          asked.writeUInt16BE(id, 0);
          const answered = new Promise<Buffer>((resolve) => {
            const look = (answer: Buffer): void => {
              if (answer.readUInt16BE(0) !== id || answer.readUInt16BE(6) !== 1) return;
              socket.off("message", look);
              resolve(answer);
            };
            socket.on("message", look);
          });
          socket.send(bytes, server.port, server.address);
          socket.send(asked, server.port, server.address);
          expect(decode(await answered).rcode).toBe("NOERROR");
        }),
        { numRuns: 500 },
      );
    } finally {
      socket.close();
    }
    await fc.assert(
      fc.asyncProperty(noise, async (bytes) => {
        const connection = connect(server.port, server.address);
        connection.on("error", () => {});
        const closed = once(connection, "close");
        connection.resume();
        connection.end(bytes);
        await closed;
      }),
      { numRuns: 50 },
    );
    expect(await askTcp(probe)).toMatchObject({ rcode: "NOERROR" });
  });
});

describe("choosing by weight [DG:resource-record-sets-values-weighted]", () => {
  test.each([
    [[1], 0.99, 0],
    [[1, 3], 0.24, 0],
    [[1, 3], 0.25, 1],
    [[0, 5], 0, 1],
    [[5, 0], 0.999999, 0],
    [[0, 0, 0, 0], 0.5, 2],
    [[0, 0, 0, 0], 0.99, 3],
  ])("weights %j at %d give member %d", (weights, chance, index) => {
    expect(pickWeighted(weights, () => chance)).toBe(index);
  });

  it("gives each member its share of the range of chance, and zero members none", () => {
    const weights = fc.array(fc.nat(255), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(weights, (all) => {
        const sum = all.reduce((a, b) => a + b, 0);
        const shares = sum === 0 ? all.map(() => 1) : all;
        const whole = shares.reduce((a, b) => a + b, 0);
        const hits = all.map(() => 0);
        for (let tick = 0; tick < whole; tick++) {
          const index = pickWeighted(all, () => (tick + 0.5) / whole);
          hits[index] = (hits[index] ?? 0) + 1;
        }
        expect(hits).toEqual(shares);
      }),
    );
  });

  it("answers one set of the group per question", () => {
    const zone = indexZone(zoneName, records);
    const answer = (chance: number) =>
      answerQuestion([zone], { name: at("two"), type: "A" }, () => chance).answers;
    for (const chance of [0, 0.3, 0.9999]) expect(answer(chance)).toHaveLength(1);
  });
});
