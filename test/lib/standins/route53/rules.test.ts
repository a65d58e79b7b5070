import { describe, expect, it, test } from "@jest/globals";
import {
  applyBatch,
  type ChangeInput,
  canonicalName,
  listPage,
  newZone,
  type RecordInput,
  recordsOf,
  type ZoneRecord,
  type ZoneState,
} from "../../../../lib/standins/route53/rules.ts";

const zoneName = "example.internal.";
const empty = newZone("Z1", zoneName);

const simple = (over: Partial<ZoneRecord> = {}): ZoneRecord => ({
  name: "web.example.internal.",
  type: "A",
  ttlSeconds: 60,
  values: ["10.0.0.1"],
  ...over,
});
const weighted = (setIdentifier: string, over: Partial<ZoneRecord> = {}): ZoneRecord => ({
  ...simple(),
  setIdentifier,
  weight: 1,
  ...over,
});
const multivalue = (setIdentifier: string, over: Partial<ZoneRecord> = {}): ZoneRecord => ({
  ...simple(),
  setIdentifier,
  multiValueAnswer: true,
  ...over,
});
const cname = (over: Partial<ZoneRecord> = {}): ZoneRecord =>
  simple({ type: "CNAME", values: ["other.example."], ...over });
const srv = (value: string): ZoneRecord => simple({ type: "SRV", values: [value] });

const create = (record: RecordInput): ChangeInput => ({ action: "CREATE", record });
const upsert = (record: RecordInput): ChangeInput => ({ action: "UPSERT", record });
const remove = (record: RecordInput): ChangeInput => ({ action: "DELETE", record });

const zoneWith = (...records: readonly ZoneRecord[]): ZoneState => {
  let zone = empty;
  for (const record of records) {
    const outcome = applyBatch(zone, [create(record)]);
    if (!outcome.ok) throw new Error(outcome.error.message);
    zone = outcome.zone;
  }
  return zone;
};

const times = <Item>(count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** The zone without its own NS and SOA. */
const added = (zone: ZoneState): readonly ZoneRecord[] =>
  recordsOf(zone).filter(({ name }) => name !== zoneName);

const fatal = (text: string) => `[Invalid Resource Record: FATAL problem: ${text}]`;
const rrset = "RRSet with DNS name web.example.internal., type A";
const set = "[name='web.example.internal.', type='A'";

describe("a batch the zone accepts", () => {
  const hundred = times(100, (n) => weighted(`s${n}`));
  const accepted: [string, ZoneState, ChangeInput[], ZoneRecord[]][] = [
    ["CREATE of a simple set", empty, [create(simple())], [simple()]],
    ["UPSERT creates what is missing", empty, [upsert(simple())], [simple()]],
    [
      "UPSERT replaces TTL and values",
      zoneWith(simple()),
      [upsert(simple({ ttlSeconds: 5, values: ["10.0.0.2"] }))],
      [simple({ ttlSeconds: 5, values: ["10.0.0.2"] })],
    ],
    ["exact DELETE", zoneWith(simple()), [remove(simple())], []],
    [
      "DELETE whatever the order of values [GH floci-io/floci#3565]",
      zoneWith(simple({ values: ["10.0.0.1", "10.0.0.2"] })),
      [remove(simple({ values: ["10.0.0.2", "10.0.0.1"] }))],
      [],
    ],
    [
      "DELETE of a multivalue set may omit MultiValueAnswer [GH getmoto/moto#7153]",
      zoneWith(multivalue("a")),
      [remove({ ...simple(), setIdentifier: "a" })],
      [],
    ],
    [
      "DELETE takes only its own identity (moto deviation 1, 2)",
      zoneWith(weighted("a"), weighted("a", { type: "AAAA", values: ["::1"] }), weighted("b")),
      [remove(weighted("a"))],
      [weighted("b"), weighted("a", { type: "AAAA", values: ["::1"] })],
    ],
    [
      "one identifier at two types [MODEL]",
      empty,
      [create(weighted("a")), create(weighted("a", { type: "AAAA", values: ["::1"] }))],
      [weighted("a"), weighted("a", { type: "AAAA", values: ["::1"] })],
    ],
    [
      "a weighted set with two values [GH hashicorp/terraform-provider-aws#20006]",
      empty,
      [create(weighted("a", { values: ["10.0.0.1", "10.0.0.2"] }))],
      [weighted("a", { values: ["10.0.0.1", "10.0.0.2"] })],
    ],
    [
      "all members in one batch change the TTL [GH hashicorp/terraform#5312]",
      zoneWith(weighted("a"), weighted("b")),
      [upsert(weighted("a", { ttlSeconds: 5 })), upsert(weighted("b", { ttlSeconds: 5 }))],
      [weighted("a", { ttlSeconds: 5 }), weighted("b", { ttlSeconds: 5 })],
    ],
    [
      "the member with the other TTL leaves in the same batch",
      zoneWith(weighted("a")),
      [remove(weighted("a")), create(weighted("b", { ttlSeconds: 5 }))],
      [weighted("b", { ttlSeconds: 5 })],
    ],
    [
      "DELETE then CREATE of one set replaces it [SDK d.ts]",
      zoneWith(simple()),
      [remove(simple()), create(simple({ values: ["10.0.0.9"] }))],
      [simple({ values: ["10.0.0.9"] })],
    ],
    [
      "DELETE first changes the policy [GH external-dns#1411]",
      zoneWith(simple()),
      [remove(simple()), create(weighted("a"))],
      [weighted("a")],
    ],
    [
      "DELETE first makes room for a CNAME",
      zoneWith(simple()),
      [remove(simple()), create(cname())],
      [cname()],
    ],
    [
      "UPSERT of one of 100 members [DG:DNSLimitations]",
      zoneWith(...hundred),
      [upsert(weighted("s0", { weight: 9 }))],
      hundred
        .map((r) => (r.setIdentifier === "s0" ? { ...r, weight: 9 } : r))
        .toSorted((a, b) => ((a.setIdentifier ?? "") < (b.setIdentifier ?? "") ? -1 : 1)),
    ],
    [
      "weight 0 and 255 [MODEL]",
      empty,
      [create(weighted("a", { weight: 0 })), create(weighted("b", { weight: 255 }))],
      [weighted("a", { weight: 0 }), weighted("b", { weight: 255 })],
    ],
    ["TTL 0 [MODEL]", empty, [create(simple({ ttlSeconds: 0 }))], [simple({ ttlSeconds: 0 })]],
    [
      "an identifier of 128 characters, any of them [MODEL]",
      empty,
      [create(weighted(`é/ "<&>${"x".repeat(121)}`))],
      [weighted(`é/ "<&>${"x".repeat(121)}`)],
    ],
    [
      "a name without the dot, in capitals [DG:DomainNameFormat]",
      empty,
      [create(simple({ name: "WEB.Example.Internal" }))],
      [simple()],
    ],
    [
      "a wildcard comes back as \\052 [DG:DomainNameFormat]",
      empty,
      [create(simple({ name: "*.example.internal" }))],
      [simple({ name: "\\052.example.internal." })],
    ],
    [
      "SRV under an underscore name, not escaped [DG:DomainNameFormat]",
      empty,
      [create({ ...srv("1 1 8080 web.example.internal"), name: "_http._tcp.example.internal" })],
      [{ ...srv("1 1 8080 web.example.internal"), name: "_http._tcp.example.internal." }],
    ],
    [
      "TXT in quotes",
      empty,
      [create(simple({ type: "TXT", values: ['"a b" "c"'] }))],
      [simple({ type: "TXT", values: ['"a b" "c"'] })],
    ],
    [
      "1000 CREATEs of one value [DG:DNSLimitations]",
      empty,
      times(1000, (n) => create(simple({ name: `n${1000 + n}.example.internal.` }))),
      times(1000, (n) => simple({ name: `n${1000 + n}.example.internal.` })),
    ],
    [
      "500 UPSERTs of one value [DG:DNSLimitations]",
      empty,
      times(500, (n) => upsert(simple({ name: `n${1000 + n}.example.internal.` }))),
      times(500, (n) => simple({ name: `n${1000 + n}.example.internal.` })),
    ],
  ];
  test.each(accepted)("%s", (_, zone, changes, expected) => {
    const outcome = applyBatch(zone, changes);
    expect(outcome).toMatchObject({ ok: true });
    if (outcome.ok) expect(added(outcome.zone)).toEqual(expected);
  });
});

describe("a batch the zone refuses with InvalidChangeBatch", () => {
  const fiveHundredOne = times(501, (n) => upsert(simple({ name: `n${n}.example.internal.` })));
  const longText = `"${"x".repeat(198)}"`;
  const apexNs = recordsOf(empty)[0] as ZoneRecord;
  const apexSoa = recordsOf(empty)[1] as ZoneRecord;
  const refused: [string, ZoneState, ChangeInput[], string][] = [
    [
      "CREATE of what exists, simple [GH cli53#317]",
      zoneWith(simple()),
      [create(simple({ values: ["10.0.0.9"] }))],
      `[Tried to create resource record set ${set}] but it already exists]`,
    ],
    [
      "CREATE of what exists, weighted [GH cli53#317]",
      zoneWith(weighted("a")),
      [create(weighted("a"))],
      `[Tried to create resource record set ${set}, set-identifier='a'] but it already exists]`,
    ],
    [
      "DELETE of what is not there [GH aws-sdk-kotlin#1433]",
      empty,
      [remove(simple())],
      `[Tried to delete resource record set ${set}] but it was not found]`,
    ],
    [
      "DELETE of another identifier [GH cli53#70]",
      zoneWith(weighted("a")),
      [remove(weighted("b"))],
      `[Tried to delete resource record set ${set}, set-identifier='b'] but it was not found]`,
    ],
    [
      "DELETE without the identifier (moto deviation 2)",
      zoneWith(weighted("a")),
      [remove(simple())],
      `[Tried to delete resource record set ${set}] but it was not found]`,
    ],
    [
      "DELETE with another value [GH external-dns#732]",
      zoneWith(simple()),
      [remove(simple({ values: ["10.0.0.2"] }))],
      `[Tried to delete resource record set ${set}] but the values provided do not match the current values]`,
    ],
    [
      "DELETE with another TTL [GH external-dns#732]",
      zoneWith(simple()),
      [remove(simple({ ttlSeconds: 61 }))],
      `[Tried to delete resource record set ${set}] but the values provided do not match the current values]`,
    ],
    [
      "DELETE with another weight [GH floci-io/floci#3565]",
      zoneWith(weighted("a")),
      [remove(weighted("a", { weight: 2 }))],
      `[Tried to delete resource record set ${set}, set-identifier='a'] but the values provided do not match the current values]`,
    ],
    [
      "DELETE of a weighted set without its weight",
      zoneWith(weighted("a")),
      [remove({ ...simple(), setIdentifier: "a" })],
      `[Tried to delete resource record set ${set}, set-identifier='a'] but the values provided do not match the current values]`,
    ],
    [
      "weighted over simple [GH external-dns#1411]",
      zoneWith(simple()),
      [upsert(weighted("a"))],
      `[${rrset}, SetIdentifier a cannot be created as a non-weighted set exists with the same name and type.]`,
    ],
    [
      "weighted over multivalue [GH external-dns#4345]",
      zoneWith(multivalue("a")),
      [upsert(weighted("a"))],
      `[${rrset}, SetIdentifier a cannot be created as a non-weighted set exists with the same name and type.]`,
    ],
    [
      "simple over weighted [GH external-dns#4058]",
      zoneWith(weighted("a")),
      [upsert(simple())],
      `[${rrset} cannot be created as other RRSets exist with the same name and type.]`,
    ],
    [
      "multivalue over weighted [GH cert-manager#5388]",
      zoneWith(weighted("a")),
      [create(multivalue("b"))],
      `[${rrset}, SetIdentifier b cannot be created because a non multivalue answer rrset exists with the same name and type.]`,
    ],
    [
      "the policy changes only when DELETE comes first [GH external-dns#1411]",
      zoneWith(simple()),
      [create(weighted("a")), remove(simple())],
      `[${rrset}, SetIdentifier a cannot be created as a non-weighted set exists with the same name and type.]`,
    ],
    [
      "another TTL in a weighted group [GH aws-sdk-go-v2#518]",
      zoneWith(weighted("a")),
      [upsert(weighted("b", { ttlSeconds: 5 }))],
      "[RRSet with DNS name web.example.internal. and type A, SetIdentifier b cannot be created as weighted sets must contain the same TTL.]",
    ],
    [
      "two TTLs in a new group",
      empty,
      [create(weighted("a")), create(weighted("b", { ttlSeconds: 5 }))],
      "[RRSet with DNS name web.example.internal. and type A, SetIdentifier b cannot be created as weighted sets must contain the same TTL.]",
    ],
    [
      "one member changes the TTL, another stays [GH terraform-provider-aws#1961]",
      zoneWith(weighted("a"), weighted("b"), weighted("c")),
      [upsert(weighted("a", { ttlSeconds: 5 })), upsert(weighted("b", { ttlSeconds: 5 }))],
      "[RRSet with DNS name web.example.internal. and type A, SetIdentifier a cannot be created as weighted sets must contain the same TTL., RRSet with DNS name web.example.internal. and type A, SetIdentifier b cannot be created as weighted sets must contain the same TTL.]",
    ],
    [
      "the 101st weighted set [DG:DNSLimitations, GH zonify#16]",
      zoneWith(...times(100, (n) => weighted(`s${n}`))),
      [upsert(weighted("one-more"))],
      "[Exceeded limit on number of weighted RRSets for web.example.internal., type A in this zone.]",
    ],
    [
      "A beside a CNAME [GH cds-snc/dns#226]",
      zoneWith(cname()),
      [create(simple())],
      `[RRSet of type A with DNS name web.example.internal. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone ${zoneName}]`,
    ],
    [
      "a CNAME beside A [GH cds-snc/dns#226]",
      zoneWith(simple()),
      [create(cname())],
      `[RRSet of type CNAME with DNS name web.example.internal. is not permitted because a conflicting RRSet of type A with the same DNS name already exists in zone ${zoneName}]`,
    ],
    [
      "a CNAME at the apex [GH bosh-bootloader#310]",
      empty,
      [create(cname({ name: zoneName }))],
      `[RRSet of type CNAME with DNS name ${zoneName} is not permitted at apex in zone ${zoneName}]`,
    ],
    [
      "a CNAME with two values [DG:resource-record-sets-values-weighted]",
      empty,
      [create(cname({ values: ["a.example.", "b.example."] }))],
      "[RRSet of type CNAME with DNS name web.example.internal. cannot have more than one value.]",
    ],
    [
      "a multivalue CNAME [DG:routing-policy-multivalue]",
      empty,
      [create({ ...cname(), setIdentifier: "a", multiValueAnswer: true })],
      "[RRSet of type CNAME with DNS name web.example.internal. cannot have this routing policy.]",
    ],
    [
      "a name outside the zone [GH service-discovery-ecs-dns#3]",
      empty,
      [create(simple({ name: "web.example.com" }))],
      `[RRSet with DNS name web.example.com. is not permitted in zone ${zoneName}]`,
    ],
    [
      "a name that only ends alike (moto deviation 10)",
      empty,
      [create(simple({ name: "fooexample.internal" }))],
      `[RRSet with DNS name fooexample.internal. is not permitted in zone ${zoneName}]`,
    ],
    [
      "the apex NS goes [GH zonify#1]",
      empty,
      [remove(apexNs)],
      "[A HostedZone must contain at least one NS record for the zone itself.]",
    ],
    [
      "the apex SOA goes [GH zonify#1]",
      empty,
      [remove(apexSoa)],
      "[A HostedZone must contain exactly one SOA record.]",
    ],
    [
      "a set twice [GH cli53#81]",
      empty,
      [upsert(cname()), upsert(cname())],
      "[The request contains an invalid set of changes for a resource record set 'CNAME web.example.internal.']",
    ],
    [
      "a DELETE twice [SDK d.ts]",
      zoneWith(simple()),
      [remove(simple()), remove(simple())],
      "[The request contains an invalid set of changes for a resource record set 'A web.example.internal.']",
    ],
    [
      "CREATE then DELETE of one set [GH external-dns#4241]",
      empty,
      [create(simple()), remove(simple())],
      "[The request contains an invalid set of changes for a resource record set 'A web.example.internal.']",
    ],
    [
      "a value twice [GH external-dns#6019]",
      empty,
      [create(simple({ values: ["10.0.0.1", "10.0.0.1"] }))],
      "[Duplicate Resource Record: '10.0.0.1']",
    ],
    [
      "401 values [DG:DNSLimitations]",
      empty,
      [create(simple({ values: times(401, (n) => `10.0.${n >> 8}.${n & 255}`) }))],
      "[Cannot have more than 400 records in a RRSet]",
    ],
    [
      "1001 elements, UPSERT twice [GH dnscontrol#1114]",
      empty,
      fiveHundredOne,
      "[Number of records limit of 1000 exceeded.]",
    ],
    [
      "32,001 characters, UPSERT twice [GH external-dns#515]",
      empty,
      times(81, (n) =>
        upsert(simple({ name: `n${n}.example.internal.`, type: "TXT", values: [longText] })),
      ),
      "[RDATA character limit of 32000 exceeded.]",
    ],
    [
      "not IPv4 [GH gomodules/dns#7]",
      empty,
      [create(simple({ values: ["x"] }))],
      fatal("ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with 'x'"),
    ],
    [
      "spaces in A [GH aws-dyndns#3]",
      empty,
      [create(simple({ values: ["10.0.0.1 "] }))],
      fatal("ARRDATANotSingleField (Value contains spaces) encountered with '10.0.0.1 '"),
    ],
    [
      "not IPv6 [GH route53-dynamic-dns#45]",
      empty,
      [create(simple({ type: "AAAA", values: ["10.0.0.1"] }))],
      fatal(
        "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) encountered with '10.0.0.1'",
      ),
    ],
    [
      "SRV of three fields [DG:ResourceRecordTypes]",
      empty,
      [create(srv("1 1 web.example.internal"))],
      fatal(
        "SRVRRDATANotFourFields (Value is not four fields) encountered with '1 1 web.example.internal'",
      ),
    ],
    [
      "SRV port 65536 [DG:ResourceRecordTypes]",
      empty,
      [create(srv("1 1 65536 web.example.internal"))],
      fatal(
        "SRVRRDATAIllegalNumber (Value is not between 0 and 65535) encountered with '1 1 65536 web.example.internal'",
      ),
    ],
    [
      "SRV to an address [DG:ResourceRecordTypes]",
      empty,
      [create(srv("1 1 80 10.0.0.1"))],
      fatal(
        "SRVRRDATAIllegalTarget (Value is not a valid domain name) encountered with '1 1 80 10.0.0.1'",
      ),
    ],
    [
      "TXT without quotes [DG:ResourceRecordTypes]",
      empty,
      [create(simple({ type: "TXT", values: ["x"] }))],
      fatal(
        "InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'x'",
      ),
    ],
    [
      "TXT of 256 characters [GH boto3#1462]",
      empty,
      [create(simple({ type: "TXT", values: [`"${"x".repeat(256)}"`] }))],
      fatal(`CharacterStringTooLong (Value is too long) encountered with '"${"x".repeat(256)}"'`),
    ],
    [
      "a label of 64 bytes [GH cloud-platform#4294]",
      empty,
      [create(simple({ name: `${"x".repeat(64)}.example.internal` }))],
      `[FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '${"x".repeat(64)}']`,
    ],
    [
      "an empty label [GH acmesmith#65]",
      empty,
      [create(simple({ name: "web..example.internal" }))],
      "[FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with 'web..example.internal']",
    ],
    [
      "a space in a name [DG:DomainNameFormat]",
      empty,
      [create(simple({ name: "a b.example.internal" }))],
      "[FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with 'a b.example.internal']",
    ],
    [
      "all problems of a batch at once [EXP t1,t4]",
      empty,
      [remove(simple()), create(simple({ name: "a.b.example.com" }))],
      `[Tried to delete resource record set ${set}] but it was not found, RRSet with DNS name a.b.example.com. is not permitted in zone ${zoneName}]`,
    ],
  ];
  test.each(refused)("%s", (_, zone, changes, message) => {
    expect(applyBatch(zone, changes)).toEqual({
      ok: false,
      error: { status: 400, code: "InvalidChangeBatch", message },
    });
  });

  it("keeps the zone as it was when one of many changes is refused [SDK d.ts]", () => {
    const zone = zoneWith(simple());
    const before = recordsOf(zone);
    const good = create(simple({ name: "new.example.internal." }));
    const bad = remove(simple({ name: "absent.example.internal." }));
    expect(applyBatch(zone, [good, remove(simple()), bad]).ok).toBe(false);
    expect(recordsOf(zone)).toEqual(before);
  });

  it("holds 10,000 sets and no more [DG:DNSLimitations, GH dnscontrol#908]", () => {
    const batches = times(10, (b) =>
      times(b === 9 ? 998 : 1000, (n) => create(simple({ name: `n${b}-${n}.example.internal.` }))),
    );
    let zone = empty;
    for (const batch of batches) {
      const outcome = applyBatch(zone, batch);
      if (!outcome.ok) throw new Error(outcome.error.message);
      zone = outcome.zone;
    }
    expect(recordsOf(zone)).toHaveLength(10_000);
    expect(applyBatch(zone, [create(simple())])).toMatchObject({
      error: { message: "[Exceeded limit MAX_RRSETS_BY_ZONE for zone: Z1]" },
    });
  });
});

describe("a change Route 53 refuses with InvalidInput whatever the zone holds", () => {
  const where = (id: string, action = "CREATE") =>
    `in Change with [Action=${action}, Name=web.example.internal., Type=A, SetIdentifier=${id}]`;
  const none =
    "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none";
  const policies = "Expected exactly one of [Weight, MultiValueAnswer], but found";
  const malformed: [string, ChangeInput, string][] = [
    [
      "weight without identifier [GH community.aws#615]",
      upsert({ ...simple(), weight: 1 }),
      `Missing field 'SetIdentifier' ${where("null", "UPSERT")}`,
    ],
    [
      "MultiValueAnswer=false on a simple set [GH starchart#446]",
      create({ ...simple(), multiValueAnswer: false }),
      `Missing field 'SetIdentifier' ${where("null")}`,
    ],
    [
      "identifier without a policy [SDK d.ts]",
      create({ ...simple(), setIdentifier: "a" }),
      `${policies} none ${where("a")}`,
    ],
    [
      "two policies [SDK d.ts]",
      create({ ...weighted("a"), multiValueAnswer: true }),
      `${policies} more than one ${where("a")}`,
    ],
    [
      "no TTL [MOTO copies AWS's text]",
      create({ ...simple(), ttlSeconds: undefined }),
      `${none} ${where("null")}`,
    ],
    [
      "DELETE without values [MOTO copies AWS's text]",
      remove({ ...simple(), values: [] }),
      `${none} ${where("null", "DELETE")}`,
    ],
    [
      "weight 256 [MODEL]",
      create(weighted("a", { weight: 256 })),
      `expected Weight in 0..255, got '256' ${where("a")}`,
    ],
    [
      "weight -1 [MODEL]",
      create(weighted("a", { weight: -1 })),
      `expected Weight in 0..255, got '-1' ${where("a")}`,
    ],
    [
      "identifier of 129 characters [MODEL]",
      create(weighted("x".repeat(129))),
      `expected SetIdentifier of 1..128 characters, got '${"x".repeat(129)}' ${where("x".repeat(129))}`,
    ],
    [
      "empty identifier [MODEL]",
      create(weighted("")),
      `expected SetIdentifier of 1..128 characters, got '' ${where("")}`,
    ],
    [
      "TTL 2^31 [MODEL]",
      create(simple({ ttlSeconds: 2 ** 31 })),
      `expected TTL in 0..2147483647, got '${2 ** 31}' ${where("null")}`,
    ],
    [
      "a value of 4001 characters [MODEL]",
      create(simple({ values: ["x".repeat(4001)] })),
      `expected Value <= 4000, got '4001 characters' ${where("null")}`,
    ],
    [
      "an unknown action [MODEL]",
      { action: "MERGE", record: simple() },
      `expected Action CREATE, UPSERT or DELETE, got 'MERGE' ${where("null", "MERGE")}`,
    ],
    [
      "a field without rules here",
      create({ ...simple(), unsupported: ["HealthCheckId"] }),
      `the stand-in does not know HealthCheckId ${where("null")}`,
    ],
  ];
  test.each(malformed)("%s", (_, change, message) => {
    const error = { status: 400, code: "InvalidInput", message: `Invalid request: ${message}` };
    expect(applyBatch(empty, [change])).toEqual({ ok: false, error });
  });

  test.each(["Name", "Type"])("no %s [GH community.aws#615]", (field) => {
    const record = { ...simple(), [field.toLowerCase()]: undefined };
    expect(applyBatch(empty, [create(record)])).toMatchObject({
      error: { code: "InvalidInput", message: expect.stringContaining(`Missing field '${field}'`) },
    });
  });
  it("refuses types it has no rules for", () => {
    expect(applyBatch(empty, [create(simple({ type: "MX" }))])).toMatchObject({
      error: { code: "InvalidInput" },
    });
  });
  it("refuses an empty batch [MODEL]", () => {
    expect(applyBatch(empty, [])).toMatchObject({ error: { code: "InvalidInput" } });
  });
});

describe("a name is stored in one form [DG:DomainNameFormat]", () => {
  test.each([
    ["WWW.Example.com", "www.example.com."],
    ["*.example.com.", "\\052.example.com."],
    ["\\052.example.com.", "\\052.example.com."],
    ["\\101.example.com", "a.example.com."],
    ["a\\056b.example.com", "a\\056b.example.com."],
    ["a\\000b.example.com", "a\\000b.example.com."],
    [`${"x".repeat(63)}.com`, `${"x".repeat(63)}.com.`],
    ["_http._tcp.a-b.com", "_http._tcp.a-b.com."],
  ])("%s", (text, name) => {
    expect(canonicalName(text)).toEqual({ name });
    expect(canonicalName(name)).toEqual({ name });
  });
  test.each([
    "",
    ".",
    "a..b",
    ".a",
    "é.com",
    "a b.com",
    "a\\9.com",
    "a\\400.com",
    "x.".repeat(128),
  ])("not %j", (text) => {
    expect(canonicalName(text)).toHaveProperty("problem");
  });
  it("255 bytes on the wire are the limit", () => {
    expect(canonicalName("x.".repeat(127))).toHaveProperty("name");
  });
});

describe("listing", () => {
  it("orders by reversed labels with the trailing dot, then type, then identifier [SDK d.ts]", () => {
    const names = ["b", "a-b", "x.a", "a", "*.a"].map((label) => `${label}.${zoneName}`);
    const zone = zoneWith(
      ...names.map((name) => simple({ name })),
      weighted("2", { name: `c.${zoneName}`, type: "AAAA", values: ["::1"] }),
      weighted("10", { name: `c.${zoneName}`, type: "AAAA", values: ["::1"] }),
      simple({ name: `c.${zoneName}` }),
    );
    // `-` and `*` sort below and above what a reader expects: both are smaller than the dot.
    expect(
      recordsOf(zone).map((r) => `${r.name} ${r.type} ${r.setIdentifier ?? ""}`.trim()),
    ).toEqual([
      `${zoneName} NS`,
      `${zoneName} SOA`,
      `a-b.${zoneName} A`,
      `a.${zoneName} A`,
      `\\052.a.${zoneName} A`,
      `x.a.${zoneName} A`,
      `b.${zoneName} A`,
      `c.${zoneName} A`,
      `c.${zoneName} AAAA 10`,
      `c.${zoneName} AAAA 2`,
    ]);
  });

  it("pages through a weighted group with all three cursors (moto deviation 4)", () => {
    const group = times(100, (n) => weighted(`s${100 + n}`));
    const zone = zoneWith(...group);
    const first = listPage(zone, {}, 50);
    expect(first).toMatchObject({
      ok: true,
      page: { next: { name: "web.example.internal.", type: "A", identifier: "s148" } },
    });
    const second = first.ok && first.page.next ? listPage(zone, first.page.next, 50) : first;
    expect(second.ok && second.page.records.map((r) => r.setIdentifier)).toEqual(
      times(50, (n) => `s${148 + n}`),
    );
  });

  it("gives 300 at most, and the last page has no cursor [SDK d.ts]", () => {
    const zone = zoneWith(...times(400, (n) => simple({ name: `n${n}.${zoneName}` })));
    const first = listPage(zone, {}, 1000);
    expect(first.ok && first.page.records).toHaveLength(300);
    const second = first.ok && first.page.next ? listPage(zone, first.page.next) : first;
    expect(second.ok && second.page.records).toHaveLength(102);
    expect(second.ok && second.page.next).toBeUndefined();
  });

  it("starts at a name that is not there, in any case", () => {
    const zone = zoneWith(simple({ name: `b.${zoneName}` }));
    const listed = listPage(zone, { name: `A.${zoneName}` });
    expect(listed.ok && listed.page.records.map((r) => r.name)).toEqual([`b.${zoneName}`]);
  });

  test.each([
    ["type without name [SDK d.ts]", { type: "A" }, 1],
    ["identifier without type", { name: zoneName, identifier: "a" }, 1],
    ["no items", {}, 0],
    ["an empty label [GH acmesmith#65]", { name: "example.org.." }, 1],
  ])("refuses %s", (_, cursor, maxItems) => {
    expect(listPage(empty, cursor, maxItems)).toMatchObject({ error: { code: "InvalidInput" } });
  });
});
