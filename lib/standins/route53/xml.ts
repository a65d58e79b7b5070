import { XMLParser, XMLValidator } from "fast-xml-parser";
import type { ChangeInput, Page, RecordInput, Refused, RuleError, ZoneRecord } from "./rules.ts";

const namespace = "https://route53.amazonaws.com/doc/2013-04-01/";

// --- requests -------------------------------------------------------------------------------------------------------

interface Element {
  readonly name: string;
  readonly children: readonly Element[];
  readonly text: string;
}

/** Why a request could not be read; becomes a Refused at the one place that parses. */
class Unreadable extends Error {
  override readonly name = "Unreadable";
  readonly code: "InvalidInput" | "MalformedInput";
  constructor(code: "InvalidInput" | "MalformedInput", message: string) {
    super(message);
    this.code = code;
  }
}

const parser = new XMLParser({
  preserveOrder: true,
  parseTagValue: false,
  trimValues: false,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  // Entities are decoded below, once, and only those XML itself defines.
  processEntities: false,
  cdataPropName: "#cdata",
});

const entities: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);

const decoded = (text: string): string =>
  text.replace(/&([^;\s]*);?/g, (entity, name: string) => {
    const digits = /^#(?:x([0-9a-f]{1,6})|([0-9]{1,7}))$/i.exec(name);
    const code = Number.parseInt(digits?.[1] ?? digits?.[2] ?? "", digits?.[1] ? 16 : 10);
    const plain = code <= 0x10ffff ? String.fromCodePoint(code) : entities.get(name);
    if (plain === undefined || !entity.endsWith(";")) {
      throw new Unreadable("InvalidInput", `Invalid XML ; unknown entity ${entity}`);
    }
    return plain;
  });

const elementsOf = (nodes: unknown): Element[] => {
  if (!Array.isArray(nodes)) throw new Unreadable("InvalidInput", "Invalid XML ; no element");
  return nodes.flatMap((node: Record<string, unknown>) => {
    const [name = "#text"] = Object.keys(node).filter((key) => key !== ":@");
    if (name === "#text") return [];
    if (name.startsWith("#")) throw new Unreadable("InvalidInput", `Invalid XML ; ${name}`);
    const content = Array.isArray(node[name]) ? (node[name] as Record<string, unknown>[]) : [];
    const text = content
      .map((child) => (typeof child["#text"] === "string" ? child["#text"] : ""))
      .join("");
    return [{ name, children: elementsOf(content), text: decoded(text) }];
  });
};

const childrenNamed = (element: Element | undefined, name: string): readonly Element[] =>
  element?.children.filter((child) => child.name === name) ?? [];

const onlyChild = (element: Element | undefined, name: string): Element | undefined => {
  const [child, second] = childrenNamed(element, name);
  if (second !== undefined) throw new Unreadable("MalformedInput", `more than one ${name}`);
  return child;
};

const textOf = (element: Element | undefined, name: string): string | undefined =>
  onlyChild(element, name)?.text;

const integerOf = (element: Element | undefined, name: string): number | undefined => {
  const text = textOf(element, name);
  if (text === undefined) return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new Unreadable("MalformedInput", `expected an integer as ${name}, got '${text}'`);
};

const booleanOf = (element: Element | undefined, name: string): boolean | undefined => {
  const text = textOf(element, name);
  if (text === undefined || text === "true") return text === undefined ? undefined : true;
  if (text === "false") return false;
  throw new Unreadable("MalformedInput", `expected true or false as ${name}, got '${text}'`);
};

const knownFields = new Set([
  "Name",
  "Type",
  "TTL",
  "SetIdentifier",
  "Weight",
  "MultiValueAnswer",
  "ResourceRecords",
]);

const recordOf = (set: Element | undefined): RecordInput => {
  const values = onlyChild(set, "ResourceRecords");
  return {
    name: textOf(set, "Name"),
    type: textOf(set, "Type"),
    ttlSeconds: integerOf(set, "TTL"),
    setIdentifier: textOf(set, "SetIdentifier"),
    weight: integerOf(set, "Weight"),
    multiValueAnswer: booleanOf(set, "MultiValueAnswer"),
    values: childrenNamed(values, "ResourceRecord").map((record) => textOf(record, "Value") ?? ""),
    unsupported: set?.children.map(({ name }) => name).filter((name) => !knownFields.has(name)),
  };
};

/** The changes of a ChangeResourceRecordSetsRequest, or the error Route 53 would answer. Never throws. */
export const parseChangeRequest = (
  body: string,
): { readonly ok: true; readonly changes: readonly ChangeInput[] } | Refused => {
  try {
    if (/<!(?:DOCTYPE|ENTITY)/i.test(body)) {
      throw new Unreadable("InvalidInput", "Invalid XML ; a document type is not accepted");
    }
    const valid = XMLValidator.validate(body);
    if (valid !== true) throw new Unreadable("InvalidInput", `Invalid XML ; ${valid.err.msg}`);
    const [root] = elementsOf(parser.parse(body));
    // [GH stalwartlabs/dns-update#44]
    if (root?.name !== "ChangeResourceRecordSetsRequest") {
      const message = `${root?.name} is not valid, expected ChangeResourceRecordSetsRequest`;
      throw new Unreadable("MalformedInput", message);
    }
    const batch = onlyChild(root, "ChangeBatch");
    const comment = textOf(batch, "Comment") ?? "";
    // [MODEL]; wording ours.
    if (comment.length > 256) {
      const message = `Invalid request: expected Comment <= 256 characters, got ${comment.length}`;
      throw new Unreadable("InvalidInput", message);
    }
    const changes = childrenNamed(onlyChild(batch, "Changes"), "Change").map((change) => ({
      action: textOf(change, "Action") ?? "null",
      record: recordOf(onlyChild(change, "ResourceRecordSet")),
    }));
    return { ok: true, changes };
  } catch (error) {
    const code = error instanceof Unreadable ? error.code : "InvalidInput";
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, error: { status: 400, code, message } };
  }
};

// --- responses ------------------------------------------------------------------------------------------------------

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

const escaped = (text: string): string =>
  // Control characters have no place in XML 1.0, except as references where it allows them.
  text
    .replace(/[&<>"']/g, (character) => escapes[character] ?? character)
    .replace(/\p{Cc}/gu, (c) => (/[\t\n\r]/.test(c) ? `&#${c.charCodeAt(0)};` : "\uFFFD"));

type Content = string | number | boolean | readonly Markup[];
type Markup = { readonly markup: string } | undefined;

/** One element; absent content gives no element. */
const tag = (name: string, content: Content | undefined): Markup => {
  if (content === undefined) return undefined;
  const inner =
    typeof content === "object"
      ? content.map((child) => child?.markup ?? "").join("")
      : escaped(String(content));
  return { markup: `<${name}>${inner}</${name}>` };
};

const documentOf = (name: string, content: readonly Markup[]): string =>
  `<?xml version="1.0"?>\n<${name} xmlns="${namespace}">${content.map((child) => child?.markup ?? "").join("")}</${name}>`;

const recordSet = (record: ZoneRecord): Markup =>
  tag("ResourceRecordSet", [
    tag("Name", record.name),
    tag("Type", record.type),
    tag("SetIdentifier", record.setIdentifier),
    tag("Weight", record.weight),
    tag("MultiValueAnswer", record.multiValueAnswer),
    tag("TTL", record.ttlSeconds),
    tag(
      "ResourceRecords",
      record.values.map((value) => tag("ResourceRecord", [tag("Value", value)])),
    ),
  ]);

export const listResponse = ({ records, maxItems, next }: Page): string =>
  documentOf("ListResourceRecordSetsResponse", [
    tag("ResourceRecordSets", records.map(recordSet)),
    tag("IsTruncated", next !== undefined),
    tag("NextRecordName", next?.name),
    tag("NextRecordType", next?.type),
    tag("NextRecordIdentifier", next?.identifier),
    tag("MaxItems", maxItems),
  ]);

export interface ChangeInfo {
  /** Without the `/change/` prefix. */
  readonly id: string;
  readonly status: "PENDING" | "INSYNC";
  /** ISO 8601. */
  readonly submittedAt: string;
}

const changeResponse = (root: string, { id, status, submittedAt }: ChangeInfo): string =>
  documentOf(root, [
    tag("ChangeInfo", [
      tag("Id", `/change/${id}`),
      tag("Status", status),
      tag("SubmittedAt", submittedAt),
    ]),
  ]);

export const changedResponse = (info: ChangeInfo): string =>
  changeResponse("ChangeResourceRecordSetsResponse", info);

export const getChangeResponse = (info: ChangeInfo): string =>
  changeResponse("GetChangeResponse", info);

export interface ZoneFacts {
  readonly id: string;
  readonly name: string;
  readonly privateZone: boolean;
  readonly recordCount: number;
  readonly nameServers: readonly string[];
}

const hostedZone = ({ id, name, privateZone, recordCount }: ZoneFacts): Markup =>
  tag("HostedZone", [
    tag("Id", `/hostedzone/${id}`),
    tag("Name", name),
    tag("CallerReference", `stand-in-${id}`),
    tag("Config", [tag("PrivateZone", privateZone)]),
    tag("ResourceRecordSetCount", recordCount),
  ]);

/** A public zone has a delegation set, a private one the VPCs it is joined with. */
export const zoneResponse = (zone: ZoneFacts): string =>
  documentOf("GetHostedZoneResponse", [
    hostedZone(zone),
    zone.privateZone
      ? tag("VPCs", [tag("VPC", [tag("VPCRegion", "eu-central-1"), tag("VPCId", "vpc-0sandbox")])])
      : tag("DelegationSet", [
          tag(
            "NameServers",
            zone.nameServers.map((server) => tag("NameServer", server.replace(/\.$/, ""))),
          ),
        ]),
  ]);

export const zonesByNameResponse = (page: {
  readonly zones: readonly ZoneFacts[];
  readonly maxItems: number;
  readonly startName?: string | undefined;
  readonly startId?: string | undefined;
  readonly next?: ZoneFacts | undefined;
}): string =>
  documentOf("ListHostedZonesByNameResponse", [
    tag("HostedZones", page.zones.map(hostedZone)),
    tag("DNSName", page.startName),
    tag("HostedZoneId", page.startId),
    tag("IsTruncated", page.next !== undefined),
    tag("NextDNSName", page.next?.name),
    tag("NextHostedZoneId", page.next?.id),
    tag("MaxItems", page.maxItems),
  ]);

export const zonesResponse = (page: {
  readonly zones: readonly ZoneFacts[];
  readonly maxItems: number;
  readonly marker?: string | undefined;
  readonly next?: ZoneFacts | undefined;
}): string =>
  documentOf("ListHostedZonesResponse", [
    tag("HostedZones", page.zones.map(hostedZone)),
    tag("Marker", page.marker),
    tag("IsTruncated", page.next !== undefined),
    tag("NextMarker", page.next?.id),
    tag("MaxItems", page.maxItems),
  ]);

/** Today's wire format, also for InvalidChangeBatch [GH acmesh-official/acme.sh#2382], [GH aws-sdk-kotlin#1433]. */
export const errorResponse = ({ status, code, message }: RuleError, requestId: string): string =>
  documentOf("ErrorResponse", [
    tag("Error", [
      tag("Type", status >= 500 ? "Receiver" : "Sender"),
      tag("Code", code),
      tag("Message", message),
    ]),
    tag("RequestId", requestId),
  ]);
