import { canonicalName, fatal } from "./names.ts";
import { valueProblems } from "./values.ts";
import { type Action, orderOf, type ZoneRecord } from "./zone.ts";

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

// Limits [DG:DNSLimitations], [MODEL].
const maxElementsPerRequest = 1000;
const maxValueCharactersPerRequest = 32_000;
const maxValuesPerSet = 400;
const maxValueCharacters = 4000;
const maxTtlSeconds = 2_147_483_647;

// The types whose rules are known here. Everything else is refused, never stored unchecked.
const knownTypes = new Set(["A", "AAAA", "CNAME", "NS", "SOA", "SRV", "TXT"]);

const isAction = (text: string): text is Action =>
  text === "CREATE" || text === "UPSERT" || text === "DELETE";

const within = (n: number, min: number, max: number): boolean =>
  Number.isInteger(n) && n >= min && n <= max;

/** The first reason why a change is malformed in itself; all of these are InvalidInput, whatever the zone holds. */
export const malformed = ({ action, record }: ChangeInput): string | undefined => {
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

export interface Wanted {
  readonly action: Action;
  readonly record: ZoneRecord;
  /** What is wrong with the record whatever else the zone holds. */
  readonly problems: readonly string[];
}

/** Only for a change that is not malformed. */
export const wantedOf = ({ action, record: input }: ChangeInput): Wanted => {
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

/** Sets touched twice. Only DELETE then CREATE, the way to replace a set, is a valid pair [SDK d.ts]. */
export const contested = (wanted: readonly Wanted[]): ReadonlyMap<string, ZoneRecord> => {
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

export const requestLimits = (changes: readonly ChangeInput[]): readonly string[] => {
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
