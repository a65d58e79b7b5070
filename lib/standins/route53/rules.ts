import { isIPv4, isIPv6 } from "node:net";

/** One record set as Route 53 lists it. Simple, weighted or multivalue; nothing else exists here. */
export interface ZoneRecord {
  /** Lower case, octal-escaped, with the trailing dot: `\052.example.internal.`. */
  readonly name: string;
  readonly type: string;
  readonly ttlSeconds: number;
  readonly values: readonly string[];
  readonly setIdentifier?: string;
  readonly weight?: number;
  readonly multiValueAnswer?: boolean;
}

export type Action = "CREATE" | "UPSERT" | "DELETE";

/** A record set as a client wrote it: anything may be missing or wrong. A `ZoneRecord` is one. */
export interface RecordInput {
  readonly name?: string | undefined;
  readonly type?: string | undefined;
  readonly ttlSeconds?: number | undefined;
  readonly values?: readonly string[] | undefined;
  readonly setIdentifier?: string | undefined;
  readonly weight?: number | undefined;
  readonly multiValueAnswer?: boolean | undefined;
  /** Fields the client sent that no rule here covers; a change with one is refused. */
  readonly unsupported?: readonly string[] | undefined;
}

export interface ChangeInput {
  readonly action: string;
  readonly record: RecordInput;
}

export interface RuleError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export interface Refused {
  readonly ok: false;
  readonly error: RuleError;
}

export interface AppliedChange {
  readonly action: Action;
  readonly record: ZoneRecord;
  /** What stood at the same identity before. */
  readonly previous?: ZoneRecord;
}

interface Entry {
  readonly order: string;
  readonly record: ZoneRecord;
}

/** One hosted zone at one instant; `applyBatch` gives the next one. Entries are kept in list order. */
export interface ZoneState {
  readonly id: string;
  readonly name: string;
  readonly entries: readonly Entry[];
}

// Limits [DG:DNSLimitations], [MODEL].
const maxElementsPerRequest = 1000;
const maxValueCharactersPerRequest = 32_000;
const maxSetsPerGroup = 100;
const maxSetsPerZone = 10_000;
const maxValuesPerSet = 400;
const maxValueCharacters = 4000;
const maxPage = 300;
const maxTtlSeconds = 2_147_483_647;

// The types whose rules are known here. Everything else is refused, never stored unchecked.
const knownTypes = new Set(["A", "AAAA", "CNAME", "NS", "SOA", "SRV", "TXT"]);

const invalidInput = (message: string): Refused => ({
  ok: false,
  error: { status: 400, code: "InvalidInput", message },
});

// All problems of a batch travel in one bracketed, comma-joined message [EXP t1,t4].
const invalidBatch = (messages: readonly string[]): Refused => ({
  ok: false,
  error: { status: 400, code: "InvalidChangeBatch", message: `[${messages.join(", ")}]` },
});

const fatal = (what: string, text: string): string =>
  `FATAL problem: ${what} encountered with '${text}'`;

type Named = { readonly name: string } | { readonly problem: string };

const escapedByte = (byte: number): string => {
  const character = String.fromCharCode(byte).toLowerCase();
  return /^[a-z0-9_-]$/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
};

/**
 * The name as Route 53 stores and lists it, or why it is none. Bytes outside the printable ones and a dot inside a
 * label must arrive escaped; everything outside `[a-z0-9_-]` leaves escaped [DG:DomainNameFormat].
 */
export const canonicalName = (text: string): Named => {
  const labels: string[] = [];
  let label = "";
  let labelBytes = 0;
  let nameBytes = 1;
  let labelStart = 0;
  for (let at = 0; at <= text.length; at++) {
    const character = text[at];
    if (character === undefined || character === ".") {
      // One trailing dot is allowed; an empty label anywhere else is not [GH sorah/acmesmith#65].
      if (labelBytes === 0 && (character !== undefined || labels.length === 0)) {
        return { problem: fatal("DomainLabelEmpty (Domain label is empty)", text) };
      }
      // [GH ministryofjustice/cloud-platform#4294]
      if (labelBytes > 63) {
        const long = text.slice(labelStart, at);
        return { problem: fatal("DomainLabelTooLong (Domain label is too long)", long) };
      }
      if (labelBytes > 0) {
        labels.push(label);
        nameBytes += labelBytes + 1;
      }
      label = "";
      labelBytes = 0;
      labelStart = at + 1;
      continue;
    }
    const octal = /^\\([0-3][0-7]{2})/.exec(text.slice(at, at + 4))?.[1];
    if (octal === undefined && !/^[!-[\]-~]$/.test(character)) {
      return {
        problem: fatal("UnsupportedCharacter (Value contains unsupported characters)", text),
      };
    }
    label += escapedByte(octal === undefined ? character.charCodeAt(0) : Number.parseInt(octal, 8));
    labelBytes += 1;
    at += octal === undefined ? 0 : 3;
  }
  // 255 bytes on the wire, length bytes and root included [DG:DomainNameFormat]; wording ours.
  if (nameBytes > 255) {
    return { problem: fatal("DomainNameTooLong (Domain name is too long)", text) };
  }
  return { name: `${labels.join(".")}.` };
};

// Escaped bytes sort as themselves, except those that would read as a separator or an escape.
const sortable = (label: string): string =>
  label.replace(/\\([0-7]{3})/g, (written, octal: string) => {
    const byte = Number.parseInt(octal, 8);
    return byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c
      ? String.fromCharCode(byte)
      : written;
  });

// Reversed labels with a trailing dot, so `com.example.www.` [SDK d.ts].
const nameOrder = (name: string): string =>
  `${name.slice(0, -1).split(".").map(sortable).toReversed().join(".")}.`;

/** Name, type, identifier. The order by identifier is undocumented; code units here. */
const orderOf = (record: Pick<ZoneRecord, "name" | "type" | "setIdentifier">): string =>
  `${nameOrder(record.name)}\0${record.type}\0${record.setIdentifier ?? ""}`;

/** Index of the first entry at or after `order`. */
const positionOf = (entries: readonly Entry[], order: string): number => {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.order ?? "") < order) low = middle + 1;
    else high = middle;
  }
  return low;
};

const recordsNamed = (entries: readonly Entry[], name: string): ZoneRecord[] => {
  const order = nameOrder(name);
  return entries
    .slice(positionOf(entries, `${order}\0`), positionOf(entries, `${order}\u0001`))
    .map(({ record }) => record);
};

/** Everything in the zone, in list order. */
export const recordsOf = (zone: ZoneState): readonly ZoneRecord[] =>
  zone.entries.map(({ record }) => record);

/** A new hosted zone with the NS and SOA sets Route 53 puts at its apex [DG:SOA-NSrecords]. */
export const newZone = (id: string, zoneName: string): ZoneState => {
  const named = canonicalName(zoneName);
  if ("problem" in named) throw new Error(`expected a domain name, got: ${named.problem}`);
  const { name } = named;
  const nameServers = ["ns-0.awsdns-00.com.", "ns-512.awsdns-00.net.", "ns-1024.awsdns-00.org."];
  const last = "ns-1536.awsdns-00.co.uk.";
  const records: ZoneRecord[] = [
    { name, type: "NS", ttlSeconds: 172_800, values: [...nameServers, last] },
    {
      name,
      type: "SOA",
      ttlSeconds: 900,
      values: [`${last} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400`],
    },
  ];
  return { id, name, entries: records.map((record) => ({ order: orderOf(record), record })) };
};

// --- what one value may look like -----------------------------------------------------------------------------------

const isInteger = (text: string, max: number): boolean =>
  /^\d{1,10}$/.test(text) && Number(text) <= max;

/** A name as a value: as a record name, and a lone dot is the root. */
const isTarget = (text: string): boolean => text === "." || !("problem" in canonicalName(text));

const singleField = (type: string, value: string): string | undefined =>
  // [GH danpilch/aws-dyndns#3] for A; the other types by analogy.
  /\s/.test(value) ? `${type}RRDATANotSingleField (Value contains spaces)` : undefined;

const valueProblems: Readonly<Record<string, (value: string) => string | undefined>> = {
  A: (value) =>
    singleField("A", value) ??
    // [GH gomodules/dns#7]
    (isIPv4(value) ? undefined : "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"),
  AAAA: (value) =>
    singleField("AAAA", value) ??
    // [GH sjmayotte/route53-dynamic-dns#45]
    (isIPv6(value) && !value.includes("%")
      ? undefined
      : "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"),
  CNAME: (value) =>
    singleField("CNAME", value) ??
    (isTarget(value) ? undefined : "CNAMERRDATAIllegalName (Value is not a valid domain name)"),
  NS: (value) =>
    singleField("NS", value) ??
    (isTarget(value) ? undefined : "NSRRDATAIllegalName (Value is not a valid domain name)"),
  // `priority weight port target`, the target a name and no address [DG:ResourceRecordTypes]; wording ours.
  SRV: (value) => {
    const [priority = "", weight = "", port = "", target = "", ...rest] = value.split(/[ \t]+/);
    if (target === "" || rest.length > 0)
      return "SRVRRDATANotFourFields (Value is not four fields)";
    if (![priority, weight, port].every((field) => isInteger(field, 65_535))) {
      return "SRVRRDATAIllegalNumber (Value is not between 0 and 65535)";
    }
    return isTarget(target) && !isIPv4(target) && !isIPv6(target)
      ? undefined
      : "SRVRRDATAIllegalTarget (Value is not a valid domain name)";
  },
  // [DG:SOA-NSrecords]; wording ours.
  SOA: (value) => {
    const [master = "", mailbox = "", ...numbers] = value.split(/[ \t]+/);
    return isTarget(master) &&
      isTarget(mailbox) &&
      numbers.length === 5 &&
      numbers.every((field) => isInteger(field, 4_294_967_295))
      ? undefined
      : "SOARRDATAIllegal (Value is not a valid start of authority)";
  },
  // Quoted strings of at most 255 characters [DG:ResourceRecordTypes] [GH boto/boto3#1462]; first wording ours.
  TXT: (value) => {
    if (!/^"(?:[^"\\]|\\.)*"(?:[ \t]+"(?:[^"\\]|\\.)*")*$/.test(value)) {
      return "InvalidCharacterString (Value should be enclosed in quotation marks)";
    }
    const strings = value.match(/"(?:[^"\\]|\\.)*"/g) ?? [];
    const long = strings.some((s) => s.replace(/\\(?:[0-7]{3}|.)/g, "_").length > 255 + 2);
    return long ? "CharacterStringTooLong (Value is too long)" : undefined;
  },
};

// --- what one change may look like ----------------------------------------------------------------------------------

const isAction = (text: string): text is Action =>
  text === "CREATE" || text === "UPSERT" || text === "DELETE";

const within = (n: number, min: number, max: number): boolean =>
  Number.isInteger(n) && n >= min && n <= max;

/** The first reason why a change is malformed in itself; all of these are InvalidInput, whatever the zone holds. */
const malformed = ({ action, record }: ChangeInput): string | undefined => {
  const { name, type, ttlSeconds, values, setIdentifier, weight, multiValueAnswer } = record;
  const where = `in Change with [Action=${action}, Name=${name ?? null}, Type=${type ?? null}, SetIdentifier=${setIdentifier ?? null}]`;
  const constraint = (field: string, got: string | number, expected: string): string =>
    `expected ${field} ${expected}, got '${got}' ${where}`; // wording ours

  if (!isAction(action)) return constraint("Action", action, "CREATE, UPSERT or DELETE"); // [MODEL]
  if (name === undefined) return `Missing field 'Name' ${where}`; // [GH ansible-collections/community.aws#615]
  if (type === undefined) return `Missing field 'Type' ${where}`; // same
  if (name.length > 1024) return constraint("Name", `${name.length} characters`, "<= 1024"); // [MODEL]
  // Refused rather than stored unchecked: this stand-in has no rules for them.
  const [unsupported] = record.unsupported ?? [];
  if (unsupported !== undefined) return `the stand-in does not know ${unsupported} ${where}`;
  if (!knownTypes.has(type)) return `the stand-in does not know Type ${type} ${where}`;
  // A routing field, even MultiValueAnswer=false, needs an identifier
  // [GH DevelopingSpace/starchart#446] [GH boto/boto3#2240].
  if (setIdentifier === undefined && (weight !== undefined || multiValueAnswer !== undefined)) {
    return `Missing field 'SetIdentifier' ${where}`;
  }
  const policies = "[Weight, MultiValueAnswer]";
  if (weight !== undefined && multiValueAnswer !== undefined) {
    return `Expected exactly one of ${policies}, but found more than one ${where}`; // [SDK d.ts]; wording ours
  }
  // A DELETE may omit MultiValueAnswer [GH getmoto/moto#7153], so it names no policy at all.
  if (
    setIdentifier !== undefined &&
    weight === undefined &&
    multiValueAnswer !== true &&
    (action !== "DELETE" || multiValueAnswer === false)
  ) {
    return `Expected exactly one of ${policies}, but found none ${where}`; // [SDK d.ts]; wording ours
  }
  if (setIdentifier !== undefined && !within(setIdentifier.length, 1, 128)) {
    return constraint("SetIdentifier", setIdentifier, "of 1..128 characters"); // [MODEL]
  }
  if (weight !== undefined && !within(weight, 0, 255)) {
    return constraint("Weight", weight, "in 0..255"); // [MODEL]
  }
  // Also for DELETE [MOTO copies AWS's text].
  if (ttlSeconds === undefined || values === undefined || values.length === 0) {
    return `Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none ${where}`;
  }
  if (!within(ttlSeconds, 0, maxTtlSeconds)) {
    return constraint("TTL", ttlSeconds, `in 0..${maxTtlSeconds}`); // [MODEL]
  }
  const long = values.find((value) => value.length > maxValueCharacters);
  if (long !== undefined) {
    return constraint("Value", `${long.length} characters`, `<= ${maxValueCharacters}`); // [MODEL]
  }
  return undefined;
};

interface Wanted {
  readonly action: Action;
  readonly record: ZoneRecord;
  /** What is wrong with the record whatever else the zone holds. */
  readonly problems: readonly string[];
}

/** Only for a change that is not malformed. */
const wantedOf = ({ action, record: input }: ChangeInput): Wanted => {
  const { name = "", type = "", ttlSeconds = 0, values = [] } = input;
  const { setIdentifier, weight, multiValueAnswer } = input;
  const named = canonicalName(name);
  const problems: string[] = "problem" in named ? [named.problem] : [];
  for (const value of values) {
    const problem = valueProblems[type]?.(value);
    if (problem !== undefined) problems.push(`Invalid Resource Record: ${fatal(problem, value)}`);
  }
  // [GH external-dns#6019]
  for (const value of new Set(values.filter((v, index) => values.indexOf(v) !== index))) {
    problems.push(`Duplicate Resource Record: '${value}'`);
  }
  // [DG:DNSLimitations]; text as in [GH rancher/rancher#10253], whose limit was 100.
  if (values.length > maxValuesPerSet) {
    problems.push(`Cannot have more than ${maxValuesPerSet} records in a RRSet`);
  }
  const at = `with DNS name ${"name" in named ? named.name : name}`;
  // [DG:resource-record-sets-values-weighted]; RFC 1035 for SOA; wording ours.
  if (values.length > 1 && (type === "CNAME" || type === "SOA")) {
    problems.push(`RRSet of type ${type} ${at} cannot have more than one value.`);
  }
  // [DG:routing-policy-multivalue]; for NS and SOA a routing policy makes no sense; wording ours.
  const routed = setIdentifier !== undefined;
  if (
    (routed && (type === "NS" || type === "SOA")) ||
    (multiValueAnswer === true && type === "CNAME")
  ) {
    problems.push(`RRSet of type ${type} ${at} cannot have this routing policy.`);
  }
  return {
    action: action as Action,
    problems,
    record: {
      name: "name" in named ? named.name : name,
      type,
      ttlSeconds,
      values,
      ...(setIdentifier === undefined ? {} : { setIdentifier }),
      ...(weight === undefined ? {} : { weight }),
      ...(multiValueAnswer === undefined ? {} : { multiValueAnswer }),
    },
  };
};

// --- what a change may do to the zone -------------------------------------------------------------------------------

/** How messages name a set [GH barnybug/cli53#317]: a hyphen, and nothing for a simple set. */
const quoted = ({ name, type, setIdentifier }: ZoneRecord): string =>
  `[name='${name}', type='${type}'${setIdentifier === undefined ? "" : `, set-identifier='${setIdentifier}'`}]`;

const policyOf = ({ weight, setIdentifier }: ZoneRecord): "simple" | "weighted" | "multivalue" => {
  if (setIdentifier === undefined) return "simple";
  return weight === undefined ? "multivalue" : "weighted";
};

const inZone = (zone: ZoneState, name: string): boolean =>
  name === zone.name || name.endsWith(`.${zone.name}`);

/** Order of values does not count [GH floci-io/floci#3565]. */
const sameContent = (asked: ZoneRecord, current: ZoneRecord): boolean => {
  const values = current.values.toSorted();
  return (
    asked.ttlSeconds === current.ttlSeconds &&
    asked.weight === current.weight &&
    // [GH getmoto/moto#7153]: leaving MultiValueAnswer out is accepted.
    (asked.multiValueAnswer ?? current.multiValueAnswer) === current.multiValueAnswer &&
    asked.values.length === values.length &&
    asked.values.toSorted().every((value, index) => value === values[index])
  );
};

/** The exact set, or nothing: a DELETE is a compare-and-swap. */
const removal = (current: ZoneRecord | undefined, record: ZoneRecord): string | undefined => {
  // [GH aws/aws-sdk-kotlin#1433], [GH cli53#70]
  if (current === undefined) {
    return `Tried to delete resource record set ${quoted(record)} but it was not found`;
  }
  // [GH kubernetes-sigs/external-dns#732]
  if (!sameContent(record, current)) {
    return `Tried to delete resource record set ${quoted(record)} but the values provided do not match the current values`;
  }
  return undefined;
};

const placement = (
  zone: ZoneState,
  entries: readonly Entry[],
  current: ZoneRecord | undefined,
  { action, record }: Wanted,
): string | undefined => {
  const { name, type, setIdentifier } = record;
  const rrset = `RRSet with DNS name ${name}, type ${type}`;
  const typed = `RRSet of type ${type} with DNS name ${name}`;
  // [GH cloudfoundry/bosh-bootloader#310]
  if (type === "CNAME" && name === zone.name) {
    return `${typed} is not permitted at apex in zone ${zone.name}`;
  }
  // One SOA, at the apex [DG:SOA-NSrecords]; wording ours.
  if (type === "SOA" && name !== zone.name) {
    return `${typed} is not permitted in zone ${zone.name}`;
  }
  // [GH barnybug/cli53#317]
  if (action === "CREATE" && current !== undefined) {
    return `Tried to create resource record set ${quoted(record)} but it already exists`;
  }
  const atName = recordsNamed(entries, name);
  // [GH cds-snc/dns#226]
  const rival = atName.find((r) => r.type !== type && (type === "CNAME" || r.type === "CNAME"));
  if (rival !== undefined) {
    return `${typed} is not permitted because a conflicting RRSet of type ${rival.type} with the same DNS name already exists in zone ${zone.name}`;
  }
  const group = atName.filter((r) => r.type === type);
  const policy = policyOf(record);
  if (group.some((r) => policyOf(r) !== policy)) {
    switch (policy) {
      case "simple": // [GH external-dns#4058], [GH chef-boneyard/route53#100]
        return `${rrset} cannot be created as other RRSets exist with the same name and type.`;
      case "weighted": // [GH external-dns#1411, #4345]
        return `${rrset}, SetIdentifier ${setIdentifier} cannot be created as a non-weighted set exists with the same name and type.`;
      case "multivalue": // [GH cert-manager/cert-manager#5388]
        return `${rrset}, SetIdentifier ${setIdentifier} cannot be created because a non multivalue answer rrset exists with the same name and type.`;
    }
  }
  if (current === undefined && policy !== "simple" && group.length >= maxSetsPerGroup) {
    // [DG:DNSLimitations], text [GH airbnb/zonify#16]; for multivalue by analogy.
    const kind = policy === "weighted" ? "weighted" : "multivalue answer";
    return `Exceeded limit on number of ${kind} RRSets for ${name}, type ${type} in this zone.`;
  }
  // [DG:DNSLimitations], text [GH DNSControl/dnscontrol#908]
  if (current === undefined && entries.length >= maxSetsPerZone) {
    return `Exceeded limit MAX_RRSETS_BY_ZONE for zone: ${zone.id}`;
  }
  return undefined;
};

/**
 * One TTL per weighted group, looked at when the whole batch is done: all members in one batch may change it
 * [GH aws/aws-sdk-go-v2#518], [GH hashicorp/terraform#5312].
 */
const ttlProblems = (
  entries: readonly Entry[],
  applied: readonly AppliedChange[],
): readonly string[] => {
  const touched = applied.filter(
    ({ action, record }) => action !== "DELETE" && policyOf(record) === "weighted",
  );
  const groups = Map.groupBy(touched, ({ record }) => `${record.name} ${record.type}`);
  return [...groups.values()].flatMap((changes) => {
    const [first] = changes;
    if (first === undefined) return [];
    const { name, type } = first.record;
    const written = new Set(changes.map(({ record }) => record));
    const untouched = recordsNamed(entries, name).find((r) => r.type === type && !written.has(r));
    const { ttlSeconds } = untouched ?? first.record;
    return changes
      .filter(({ record }) => record.ttlSeconds !== ttlSeconds)
      .map(
        ({ record }) =>
          `RRSet with DNS name ${name} and type ${type}, SetIdentifier ${record.setIdentifier} cannot be created as weighted sets must contain the same TTL.`,
      );
  });
};

/** The apex keeps its NS and SOA [GH airbnb/zonify#1]; the SOA text by analogy. */
const apexProblems = (zone: ZoneState, entries: readonly Entry[]): readonly string[] => {
  const types = new Set(recordsNamed(entries, zone.name).map(({ type }) => type));
  return [
    ...(types.has("NS")
      ? []
      : ["A HostedZone must contain at least one NS record for the zone itself."]),
    ...(types.has("SOA") ? [] : ["A HostedZone must contain exactly one SOA record."]),
  ];
};

/** Sets touched twice. Only DELETE then CREATE, the way to replace a set, is a valid pair [SDK d.ts]. */
const contested = (wanted: readonly Wanted[]): ReadonlyMap<string, ZoneRecord> => {
  const bySet = Map.groupBy(wanted, ({ record }) => orderOf(record));
  const contests = new Map<string, ZoneRecord>();
  for (const [order, changes] of bySet) {
    const actions = changes.map(({ action }) => action).join(" ");
    const [first] = changes;
    if (first !== undefined && changes.length > 1 && actions !== "DELETE CREATE") {
      contests.set(order, first.record);
    }
  }
  return contests;
};

const requestLimits = (changes: readonly ChangeInput[]): readonly string[] => {
  let elements = 0;
  let characters = 0;
  for (const { action, record } of changes) {
    const times = action === "UPSERT" ? 2 : 1;
    for (const value of record.values ?? []) {
      elements += times;
      characters += times * value.length;
    }
  }
  return [
    // [DG:DNSLimitations], text [GH DNSControl/dnscontrol#1114]
    ...(elements > maxElementsPerRequest
      ? [`Number of records limit of ${maxElementsPerRequest} exceeded.`]
      : []),
    // [DG:DNSLimitations], text [GH external-dns#515]
    ...(characters > maxValueCharactersPerRequest
      ? [`RDATA character limit of ${maxValueCharactersPerRequest} exceeded.`]
      : []),
  ];
};

/**
 * The zone after the whole batch, or the zone's reasons against it: all or nothing [SDK d.ts]. Changes take effect in
 * the order given, so a DELETE makes room only for what follows it.
 */
export const applyBatch = (
  zone: ZoneState,
  changes: readonly ChangeInput[],
):
  | { readonly ok: true; readonly zone: ZoneState; readonly applied: readonly AppliedChange[] }
  | Refused => {
  if (changes.length === 0) {
    return invalidInput("Invalid request: expected Changes of at least 1 member, got 0"); // [MODEL]; wording ours
  }
  const malformations = changes.map(malformed).filter((text) => text !== undefined);
  if (malformations.length > 0) {
    return invalidInput(`Invalid request: ${malformations.join(", ")}`);
  }
  const limits = requestLimits(changes);
  if (limits.length > 0) return invalidBatch(limits);

  const wanted = changes.map(wantedOf);
  const problems: string[] = wanted.flatMap((change) => change.problems);
  const contests = contested(wanted);
  for (const { type, name } of contests.values()) {
    // [GH cli53#81], [GH external-dns#4241]
    problems.push(
      `The request contains an invalid set of changes for a resource record set '${type} ${name}'`,
    );
  }

  const entries = [...zone.entries];
  const applied: AppliedChange[] = [];
  for (const change of wanted) {
    const { action, record } = change;
    const order = orderOf(record);
    if (change.problems.length > 0 || contests.has(order)) continue;
    // [GH amazon-archives/service-discovery-ecs-dns#3]
    if (!inZone(zone, record.name)) {
      problems.push(`RRSet with DNS name ${record.name} is not permitted in zone ${zone.name}`);
      continue;
    }
    const at = positionOf(entries, order);
    const found = entries[at];
    const current = found?.order === order ? found.record : undefined;
    const problem =
      action === "DELETE" ? removal(current, record) : placement(zone, entries, current, change);
    if (problem !== undefined) {
      problems.push(problem);
      continue;
    }
    const next = action === "DELETE" ? [] : [{ order, record }];
    entries.splice(at, current === undefined ? 0 : 1, ...next);
    applied.push({ action, record, ...(current === undefined ? {} : { previous: current }) });
  }
  problems.push(...ttlProblems(entries, applied), ...apexProblems(zone, entries));
  return problems.length > 0
    ? invalidBatch(problems)
    : { ok: true, zone: { ...zone, entries }, applied };
};

// --- listing --------------------------------------------------------------------------------------------------------

/** Where a page starts; all three together point inside a weighted group [SDK d.ts]. */
export interface Cursor {
  readonly name?: string;
  readonly type?: string;
  readonly identifier?: string;
}

export interface Page {
  readonly records: readonly ZoneRecord[];
  /** The cap that was in force. */
  readonly maxItems: number;
  /** Absent on the last page. */
  readonly next?: Cursor;
}

/** One page of record sets from the cursor on; 300 at most, and when `maxItems` is left out [SDK d.ts]. */
export const listPage = (
  zone: ZoneState,
  start: Cursor,
  maxItems = maxPage,
): { readonly ok: true; readonly page: Page } | Refused => {
  if (!within(maxItems, 1, Number.MAX_SAFE_INTEGER)) {
    return invalidInput(`Invalid request: expected MaxItems >= 1, got ${maxItems}`); // wording ours
  }
  if (start.name === undefined && start.type !== undefined) {
    return invalidInput("Invalid request: StartRecordType needs StartRecordName"); // [SDK d.ts]; wording ours
  }
  if (start.type === undefined && start.identifier !== undefined) {
    return invalidInput("Invalid request: StartRecordIdentifier needs StartRecordType"); // by analogy
  }
  let order = "";
  if (start.name !== undefined) {
    const named = canonicalName(start.name);
    if ("problem" in named) return invalidInput(named.problem); // [GH sorah/acmesmith#65]
    order = nameOrder(named.name);
    if (start.type !== undefined) order += `\0${start.type}\0${start.identifier ?? ""}`;
  }
  const cap = Math.min(maxItems, maxPage);
  const from = positionOf(zone.entries, order);
  const after = zone.entries[from + cap]?.record;
  return {
    ok: true,
    page: {
      records: zone.entries.slice(from, from + cap).map(({ record }) => record),
      maxItems: cap,
      ...(after === undefined
        ? {}
        : {
            next: {
              name: after.name,
              type: after.type,
              ...(after.setIdentifier === undefined ? {} : { identifier: after.setIdentifier }),
            },
          }),
    },
  };
};
