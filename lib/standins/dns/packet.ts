import dnsPacket, { type Answer as PacketAnswer } from "dns-packet";
import type { Answer, Resource } from "./answer.ts";

const headerBytes = 12; /** What a UDP answer may hold for a client that does not say more (RFC 1035). */
export const plainUdpBytes = 512;
/** [DG:DNSBehavior] */
export const maxUdpBytes = 4096;
const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
type Rcode = keyof typeof rcodes;

export const noRecords: Omit<Answer, "rcode" | "authoritative"> = {
  answers: [],
  authorities: [],
  additionals: [],
};

/** A decoded name in zone form. A dot inside a label is lost here: the codec does not tell it from a separator. */
export const zoneForm = (name: string): string => {
  const escaped = [...Buffer.from(name === "." ? "" : name.toLowerCase())]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /^[a-z0-9_.-]$/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
    })
    .join("");
  return `${escaped}.`;
};

/** Throws for what the codec would garble: a dot inside a label, and bytes outside ASCII. */
const wireForm = (name: string): string =>
  name.replace(/\.$/, "").replace(/\\([0-7]{3})/g, (written, octal: string) => {
    const byte = Number.parseInt(octal, 8);
    if (byte === 0x2e || byte > 0x7f) throw new Error(`expected a plain name, got ${written}`);
    return String.fromCharCode(byte);
  });

const textStrings = (value: string): Buffer[] =>
  (value.match(/"(?:[^"\\]|\\.)*"/g) ?? []).map((quoted) =>
    Buffer.from(
      quoted
        .slice(1, -1)
        .replace(/\\(?:([0-3][0-7]{2})|(.))/g, (_, octal: string | undefined, plain: string) =>
          octal === undefined ? plain : String.fromCharCode(Number.parseInt(octal, 8)),
        ),
      "latin1",
    ),
  );

const packetAnswer = ({ name, type, ttlSeconds, value }: Resource): PacketAnswer => {
  const base = { name: wireForm(name), ttl: ttlSeconds };
  const fields = value.split(/[ \t]+/);
  const numbers = fields.map(Number);
  switch (type) {
    case "A":
    case "AAAA":
      return { ...base, type, data: value };
    case "CNAME":
    case "NS":
      return { ...base, type, data: wireForm(value) };
    case "SRV": {
      const [priority, weight, port = 0] = numbers;
      return { ...base, type, data: { priority, weight, port, target: wireForm(fields[3] ?? "") } };
    }
    case "SOA": {
      const [, , serial, refresh, retry, expire, minimum] = numbers;
      const [mname = "", rname = ""] = fields.map(wireForm);
      return {
        ...base,
        type,
        data: { mname, rname, serial, refresh, retry, expire, minimum },
      };
    }
    case "TXT":
      return { ...base, type, data: textStrings(value) };
    default:
      throw new Error(`expected a type the zone rules know, got ${type}`);
  }
};

interface Question {
  readonly name: string;
  readonly type: string;
}

interface Query {
  readonly header: Buffer;
  /** The question as it was sent, echoed to the byte; empty when it could not be read. */
  readonly question: Buffer;
  /** Absent when the client does not speak EDNS0. */
  readonly udpBytes?: number;
  readonly ednsVersion: number;
  /** A question, or the code that answers its absence. */
  readonly asked: Question | Rcode;
}

const formatError = (packet: Buffer): Query => ({
  header: packet.subarray(0, headerBytes),
  question: Buffer.alloc(0),
  ednsVersion: 0,
  asked: "FORMERR",
});

/** Undefined for what deserves no answer at all: too short for a header, or itself an answer. */
export const parseQuery = (packet: Buffer): Query | undefined => {
  if (packet.length < headerBytes || packet.readUInt16BE(2) & 0x8000) return undefined;
  // Checked first: the codec would make room for as many records as the counts claim.
  const records = [6, 8, 10].map((at) => packet.readUInt16BE(at));
  if (packet.readUInt16BE(4) !== 1 || records.some((count) => count > 2)) {
    return formatError(packet);
  }
  try {
    const { questions = [], additionals = [] } = dnsPacket.decode(packet);
    const [question] = questions;
    const options = additionals.filter((record) => record.type === "OPT");
    if (question === undefined || options.length > 1) return formatError(packet);
    let end = headerBytes;
    while (packet[end] !== 0) {
      // The codec follows a pointer into the header; no question has reason for one.
      const length = packet[end] ?? 0xff;
      if (length > 63) return formatError(packet);
      end += length + 1;
    }
    const option = options[0] as { udpPayloadSize?: number; ednsVersion?: number } | undefined;
    const query = {
      header: packet.subarray(0, headerBytes),
      question: packet.subarray(headerBytes, end + 5),
      ednsVersion: option?.ednsVersion ?? 0,
      ...(option === undefined ? {} : { udpBytes: option.udpPayloadSize ?? plainUdpBytes }),
    };
    const opcode = (packet.readUInt16BE(2) >> 11) & 0xf;
    if (opcode !== 0) return { ...query, asked: "NOTIMP" };
    const { name, type } = question;
    if (question.class !== "IN" || type === "AXFR" || type === "IXFR") {
      return { ...query, asked: "REFUSED" };
    }
    return { ...query, asked: { name: zoneForm(name), type: String(type) } };
  } catch {
    return formatError(packet);
  }
};

/** An answer's bytes, with the question as it was asked; `cut` says that there was more. */
export const encode = (
  query: Query,
  answer: Omit<Answer, "rcode">,
  rcode: Rcode,
  cut: boolean,
): Buffer => {
  const asked = query.header.readUInt16BE(2);
  const opcodeAndRecursion = asked & 0x7900;
  const badVersion = query.ednsVersion !== 0;
  const option = {
    type: "OPT" as const,
    name: ".",
    udpPayloadSize: maxUdpBytes,
    extendedRcode: badVersion ? 1 : 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  const body = dnsPacket.encode({
    type: "response",
    id: query.header.readUInt16BE(0),
    flags:
      opcodeAndRecursion |
      (answer.authoritative ? dnsPacket.AUTHORITATIVE_ANSWER : 0) |
      (cut ? dnsPacket.TRUNCATED_RESPONSE : 0) |
      rcodes[rcode],
    answers: answer.answers.map(packetAnswer),
    authorities: answer.authorities.map(packetAnswer),
    additionals: [
      ...answer.additionals.map(packetAnswer),
      ...(query.udpBytes === undefined ? [] : [option]),
    ],
  });
  body.writeUInt16BE(query.question.length > 0 ? 1 : 0, 4);
  return Buffer.concat([body.subarray(0, headerBytes), query.question, body.subarray(headerBytes)]);
};

/** The whole answer; over UDP without its additional records, or cut short, when it would not fit. */
export const fitted = (query: Query, answer: Answer, limitBytes: number): Buffer => {
  const whole = encode(query, answer, answer.rcode, false);
  if (whole.length <= limitBytes) return whole;
  const bare = encode(query, { ...answer, additionals: [] }, answer.rcode, false);
  if (bare.length <= limitBytes) return bare;
  return encode(query, { ...noRecords, authoritative: answer.authoritative }, answer.rcode, true);
};
