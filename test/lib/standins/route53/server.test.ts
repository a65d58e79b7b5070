import {
  type Change,
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  GetHostedZoneCommand,
  ListHostedZonesByNameCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { afterEach, describe, expect, it, test } from "@jest/globals";
import type { ZoneRecord } from "../../../../lib/standins/route53/rules.ts";
import {
  type LandedChange,
  type RequestPhase,
  type Route53StandIn,
  type Route53StandInOptions,
  route53StandIn,
} from "../../../../lib/standins/route53/server.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const zoneId = "Z0123456789";
const zoneName = "example.internal.";
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const start = async (
  options: Partial<Route53StandInOptions> = {},
): Promise<{ standIn: Route53StandIn; client: Route53Client }> => {
  const standIn = await route53StandIn({
    zones: [{ id: zoneId, name: zoneName, privateZone: true }],
    ...options,
  });
  cleanups.push(() => standIn.close());
  expect(new URL(standIn.url).hostname).toBe("127.0.0.1");
  const client = new Route53Client({
    endpoint: standIn.url,
    region: "us-east-1",
    credentials: { accessKeyId: "none", secretAccessKey: "none" },
    maxAttempts: 1,
  });
  cleanups.push(() => client.destroy());
  return { standIn, client };
};

const set = (name: string, over: Partial<ResourceRecordSet> = {}): ResourceRecordSet => ({
  Name: `${name}.${zoneName}`,
  Type: "A",
  TTL: 60,
  ResourceRecords: [{ Value: "10.0.0.1" }],
  ...over,
});
const member = (SetIdentifier: string): ResourceRecordSet =>
  set("web", { SetIdentifier, Weight: 1 });
const record = (name: string, over: Partial<ZoneRecord> = {}): ZoneRecord => ({
  name: `${name}.${zoneName}`,
  type: "A",
  ttlSeconds: 60,
  values: ["10.0.0.1"],
  ...over,
});

const changing = (Action: Change["Action"], ...sets: ResourceRecordSet[]) =>
  new ChangeResourceRecordSetsCommand({
    HostedZoneId: zoneId,
    ChangeBatch: { Changes: sets.map((ResourceRecordSet) => ({ Action, ResourceRecordSet })) },
  });
const listing = new ListResourceRecordSetsCommand({ HostedZoneId: zoneId });

const times = <Item>(count: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** Resolves at the next request of that phase. */
const nextRequest = (standIn: Route53StandIn, phase: RequestPhase): Promise<void> =>
  new Promise((resolve) => {
    const stop = standIn.onRequest((_, heard) => {
      if (heard !== phase) return;
      stop();
      resolve();
    });
  });

describe("through the AWS SDK", () => {
  it("creates, lists, replaces and deletes a weighted set", async () => {
    const { standIn, client } = await start();
    const landed: LandedChange[] = [];
    standIn.onLanded((changes) => landed.push(...changes));
    const odd = `discovery/"<&>'é\u0020x`;
    const created = await client.send(changing("CREATE", member(odd)));
    expect(created.ChangeInfo).toMatchObject({ Status: "PENDING" });

    const { ResourceRecordSets, IsTruncated, MaxItems } = await client.send(listing);
    expect(ResourceRecordSets?.map(({ Type }) => Type)).toEqual(["NS", "SOA", "A"]);
    expect(ResourceRecordSets?.[2]).toEqual(member(odd));
    expect({ IsTruncated, MaxItems }).toEqual({ IsTruncated: false, MaxItems: 300 });

    await client.send(changing("UPSERT", { ...member(odd), Weight: 0 }));
    await client.send(changing("DELETE", { ...member(odd), Weight: 0 }));
    expect(standIn.records(zoneId)).toHaveLength(2);
    expect(landed.map(({ action, previous }) => [action, previous?.weight])).toEqual([
      ["CREATE", undefined],
      ["UPSERT", 1],
      ["DELETE", 0],
    ]);
    expect(new Set(landed.map(({ requestId }) => requestId)).size).toBe(3);
  });

  it("escapes names and keeps TXT values to the byte", async () => {
    const { client } = await start();
    const text = {
      ...set("*"),
      Type: "TXT" as const,
      ResourceRecords: [{ Value: "\"a <b> & 'c'\"" }],
    };
    await client.send(changing("CREATE", text));
    const { ResourceRecordSets } = await client.send(listing);
    expect(ResourceRecordSets?.[2]).toEqual({ ...text, Name: `\\052.${zoneName}` });
  });

  it("keeps multivalue sets apart", async () => {
    const { client } = await start();
    const many = set("web", { SetIdentifier: "a", MultiValueAnswer: true });
    await client.send(changing("CREATE", many));
    const { ResourceRecordSets } = await client.send(listing);
    expect(ResourceRecordSets?.[2]).toEqual(many);
  });

  type Asking = (client: Route53Client) => Promise<unknown>;
  const errors: [string, Asking, number, string, string][] = [
    [
      "InvalidChangeBatch",
      (client) => client.send(changing("DELETE", set("web"), set("other"))),
      400,
      "InvalidChangeBatch",
      `[Tried to delete resource record set [name='web.${zoneName}', type='A'] but it was not found, Tried to delete resource record set [name='other.${zoneName}', type='A'] but it was not found]`,
    ],
    [
      "a missing field",
      (client) => client.send(changing("UPSERT", set("web", { Weight: 1 }))),
      400,
      "InvalidInput",
      `Invalid request: Missing field 'SetIdentifier' in Change with [Action=UPSERT, Name=web.${zoneName}, Type=A, SetIdentifier=null]`,
    ],
    [
      "a field without rules here",
      (client) => client.send(changing("CREATE", set("web", { HealthCheckId: "h" }))),
      400,
      "InvalidInput",
      `Invalid request: the stand-in does not know HealthCheckId in Change with [Action=CREATE, Name=web.${zoneName}, Type=A, SetIdentifier=null]`,
    ],
    [
      "a zone that is not there",
      (client) => client.send(new ListResourceRecordSetsCommand({ HostedZoneId: "ZNONE" })),
      404,
      "NoSuchHostedZone",
      "No hosted zone found with ID: ZNONE",
    ],
    [
      "a change that is not there",
      (client) => client.send(new GetChangeCommand({ Id: "/change/CNONE" })),
      404,
      "NoSuchChange",
      "Could not find resource with ID: CNONE",
    ],
  ];
  test.each(errors)("says %s as Route 53 does [EXP t1]", async (_, ask, status, name, message) => {
    const { client, standIn } = await start();
    await expect(ask(client)).rejects.toMatchObject({
      name,
      message,
      $metadata: { httpStatusCode: status },
    });
    expect(standIn.requests.map(({ result }) => result)).toEqual([name]);
  });

  it("pages over 402 sets with all three cursors", async () => {
    const { standIn, client } = await start({ rate: "unlimited" });
    standIn.seed(zoneId, [
      ...times(299, (n) => record(`a${n}`)),
      ...times(100, (n) => record("web", { setIdentifier: `s${n}`, weight: 1 })),
      record("zzz"),
    ]);
    const pages: ResourceRecordSet[][] = [];
    let cursor: Partial<ListResourceRecordSetsCommand["input"]> | undefined = {};
    const identifiers: (string | undefined)[] = [];
    while (cursor !== undefined) {
      const command: ListResourceRecordSetsCommand = new ListResourceRecordSetsCommand({
        HostedZoneId: zoneId,
        MaxItems: pages.length === 0 ? 1000 : 60,
        ...cursor,
      });
      const page = await client.send(command);
      pages.push(page.ResourceRecordSets ?? []);
      identifiers.push(page.NextRecordIdentifier);
      cursor = page.IsTruncated
        ? {
            StartRecordName: page.NextRecordName,
            StartRecordType: page.NextRecordType,
            ...(page.NextRecordIdentifier === undefined
              ? {}
              : { StartRecordIdentifier: page.NextRecordIdentifier }),
          }
        : undefined;
    }
    expect(pages.map((page) => page.length)).toEqual([300, 60, 42]);
    expect(identifiers).toEqual([undefined, "s62", undefined]);
    expect(pages.flat().map(({ Name, SetIdentifier }) => [Name, SetIdentifier])).toEqual(
      standIn.records(zoneId).map(({ name, setIdentifier }) => [name, setIdentifier]),
    );
  });

  it("describes private and public zones, and finds them by name", async () => {
    const zones = [
      { id: "ZA", name: "b.example", privateZone: true },
      { id: "ZB", name: "a.example" },
    ];
    const { client } = await start({ zones });
    const closed = await client.send(new GetHostedZoneCommand({ Id: "ZA" }));
    expect(closed.HostedZone).toMatchObject({
      Id: "/hostedzone/ZA",
      Name: "b.example.",
      ResourceRecordSetCount: 2,
      Config: { PrivateZone: true },
    });
    expect(closed.VPCs).toHaveLength(1);
    const open = await client.send(new GetHostedZoneCommand({ Id: "/hostedzone/ZB" }));
    expect(open.DelegationSet?.NameServers).toHaveLength(4);
    const found = await client.send(
      new ListHostedZonesByNameCommand({ DNSName: "a.example", MaxItems: 1 }),
    );
    expect(found.HostedZones?.map(({ Name }) => Name)).toEqual(["a.example."]);
    expect(found).toMatchObject({ IsTruncated: true, NextDNSName: "b.example." });
  });

  it("takes both spellings of the path, and no others", async () => {
    const { standIn } = await start();
    const status = async (path: string, method = "GET") =>
      (await fetch(`${standIn.url}${path}`, { method })).status;
    expect(await status(`/2013-04-01/hostedzone/${zoneId}/rrset/`)).toBe(200);
    expect(await status(`/2013-04-01/hostedzone/${zoneId}/rrset?maxitems=1`)).toBe(200);
    expect(await status(`/2013-04-01/hostedzone/${zoneId}`, "DELETE")).toBe(404);
    expect(await status("/latest/meta-data")).toBe(404);
    expect(standIn.requests.map(({ operation }) => operation)).toEqual([
      "ListResourceRecordSets",
      "ListResourceRecordSets",
      "unknown",
      "unknown",
    ]);
  });

  test.each([
    ["no XML", "InvalidInput"],
    ["<a><b></a>", "InvalidInput"],
    ['<!DOCTYPE x [<!ENTITY e "e">]><x>&e;</x>', "InvalidInput"],
    ["<ChangeBatch/>", "MalformedInput"],
    ["<ChangeResourceRecordSetsRequest/>", "InvalidInput"],
  ])("refuses the body %s", async (body, code) => {
    const { standIn } = await start();
    const url = `${standIn.url}/2013-04-01/hostedzone/${zoneId}/rrset`;
    const answer = await fetch(url, { method: "POST", body });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain(`<Code>${code}</Code>`);
  });
});

describe("pace", () => {
  it("lets a burst pass, then ten a second [THR]", async () => {
    const clock = fakeClock();
    const { client, standIn } = await start({ clock });
    for (let n = 0; n < 50; n++) await client.send(listing);
    await expect(client.send(listing)).rejects.toMatchObject({
      name: "Throttling",
      message: "Rate exceeded",
      $metadata: { httpStatusCode: 400 },
    });
    await clock.advance(100);
    await client.send(listing);
    await expect(client.send(listing)).rejects.toMatchObject({ name: "Throttling" });
    standIn.set({ rate: "unlimited" });
    await client.send(listing);
  });

  it("counts single changes in a bucket of their own [CBT]", async () => {
    const clock = fakeClock();
    const changeRate = { perSecond: 2, burst: 4 };
    const { client } = await start({ clock, changeRate });
    await client.send(changing("UPSERT", set("a"), set("b"), set("c")));
    const two = changing("UPSERT", set("a"), set("b"));
    await expect(client.send(two)).rejects.toMatchObject({ name: "Throttling" });
    await clock.advance(500);
    await client.send(two);
  });

  it("keeps a zone busy until its change is answered [DG:DNSLimitations]", async () => {
    const clock = fakeClock();
    const { client, standIn } = await start({ clock, latencyMs: 100 });
    const arrived = nextRequest(standIn, "arrived");
    const first = client.send(changing("CREATE", set("a")));
    await arrived;
    standIn.set({ latencyMs: 0 });
    await expect(client.send(changing("CREATE", set("b")))).rejects.toMatchObject({
      name: "PriorRequestNotComplete",
      $metadata: { httpStatusCode: 400 },
    });
    await client.send(listing);
    await clock.advance(50);
    await first;
    await client.send(changing("CREATE", set("b")));
    expect(standIn.records(zoneId)).toHaveLength(4);
  });

  it("keeps a zone busy for applyMs, and other zones free", async () => {
    const clock = fakeClock();
    const zones = [
      { id: zoneId, name: zoneName },
      { id: "ZOTHER", name: zoneName },
    ];
    const { client } = await start({ clock, applyMs: 1000, zones });
    await client.send(changing("CREATE", set("a")));
    const next = changing("CREATE", set("b"));
    await expect(client.send(next)).rejects.toMatchObject({ name: "PriorRequestNotComplete" });
    const { ChangeBatch } = next.input;
    await client.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: "ZOTHER", ChangeBatch }));
    await clock.advance(1000);
    await client.send(next);
  });

  it("applies a change halfway through the latency", async () => {
    const clock = fakeClock();
    const { client, standIn } = await start({ clock, latencyMs: 100 });
    const arrived = nextRequest(standIn, "arrived");
    const sent = client.send(changing("CREATE", set("a")));
    await arrived;
    expect(standIn.records(zoneId)).toHaveLength(2);
    await clock.advance(50);
    await standIn.until(zoneId, (records) => records.length === 3);
    expect(standIn.requests.at(-1)?.result).toBe("pending");
    await clock.advance(50);
    await sent;
  });

  it("says PENDING for insyncAfterMs, then INSYNC", async () => {
    const clock = fakeClock();
    const { client } = await start({ clock, insyncAfterMs: 1000 });
    const { ChangeInfo } = await client.send(changing("CREATE", set("a")));
    const status = async () =>
      (await client.send(new GetChangeCommand({ Id: ChangeInfo?.Id }))).ChangeInfo?.Status;
    expect(await status()).toBe("PENDING");
    await clock.advance(1000);
    expect(await status()).toBe("INSYNC");
  });
});

describe("faults", () => {
  it("answers with a chosen error, as often as asked, to the operation asked for", async () => {
    const { client, standIn } = await start();
    const error = { status: 403, code: "AccessDenied", message: "not authorized" };
    standIn.fail({ operation: "ListResourceRecordSets", times: 2, kind: { error } });
    await client.send(changing("CREATE", set("a")));
    for (const _ of [1, 2]) {
      await expect(client.send(listing)).rejects.toMatchObject({
        name: "AccessDenied",
        message: "not authorized",
      });
    }
    await client.send(listing);
    standIn.fail({ times: Number.POSITIVE_INFINITY, kind: { error: { ...error, status: 503 } } });
    await expect(client.send(listing)).rejects.toMatchObject({
      $metadata: { httpStatusCode: 503 },
    });
    await expect(client.send(listing)).rejects.toMatchObject({
      $metadata: { httpStatusCode: 503 },
    });
    standIn.clearFaults();
    await client.send(listing);
  });

  test.each([
    ["reset-before", 2],
    ["reset-after", 3],
  ] as const)("%s leaves %d records", async (kind, records) => {
    const { client, standIn } = await start();
    standIn.fail({ operation: "ChangeResourceRecordSets", kind });
    await expect(client.send(changing("CREATE", set("a")))).rejects.toThrow("ECONNRESET");
    expect(standIn.records(zoneId)).toHaveLength(records);
    expect(standIn.requests.map(({ result }) => result)).toEqual([kind]);
    await client.send(listing);
  });

  it("hangs without an answer and without a change, until it is closed", async () => {
    const { client, standIn } = await start();
    standIn.fail({ kind: "hang" });
    const arrived = nextRequest(standIn, "arrived");
    const sent = client.send(changing("CREATE", set("a")));
    const ended = expect(sent).rejects.toThrow();
    await arrived;
    await client.send(changing("CREATE", set("b")));
    expect(standIn.records(zoneId)).toHaveLength(3);
    expect(standIn.requests.map(({ result }) => result)).toEqual(["hang", "ok"]);
    await standIn.close();
    await ended;
  });

  it("hangs after the change, too, and hears when its client gives up", async () => {
    const { client, standIn } = await start();
    standIn.fail({ kind: "hang-after" });
    const gaveUp = nextRequest(standIn, "given up");
    const patience = new AbortController();
    standIn.onLanded(() => patience.abort());
    const sent = client.send(changing("CREATE", set("a")), { abortSignal: patience.signal });
    await expect(sent).rejects.toThrow("aborted");
    await gaveUp;
    expect(standIn.records(zoneId)).toHaveLength(3);
    // The zone is not busy any more.
    await client.send(changing("CREATE", set("b")));
    expect(standIn.requests.map(({ result }) => result)).toEqual(["hang-after", "ok"]);
  });
});

describe("a signature's time", () => {
  const hourMs = 3_600_000;
  it.each([
    ["an hour ago", -hourMs, /^Signature expired: \d{8}T\d{6}Z is now earlier than .*- 5 min/],
    [
      "in an hour",
      hourMs,
      /^Signature not yet current: \d{8}T\d{6}Z is still later than .*\+ 5 min/,
    ],
  ])("%s is refused, and the answer's date corrects the client", async (_, offsetMs, message) => {
    const { standIn, client } = await start();
    client.config.systemClockOffset = offsetMs;
    await expect(client.send(listing)).rejects.toMatchObject({
      name: "SignatureDoesNotMatch",
      message: expect.stringMatching(message),
      $metadata: expect.objectContaining({ httpStatusCode: 403 }),
    });
    await client.send(listing);
    expect(standIn.requests.map(({ result }) => result)).toEqual(["SignatureDoesNotMatch", "ok"]);
  });

  it("within five minutes is good enough", async () => {
    const { client } = await start();
    client.config.systemClockOffset = -4 * 60_000;
    await client.send(listing);
  });
});

describe("looking in from outside", () => {
  it("seeds and edits by the same rules, without a request", async () => {
    const { standIn } = await start();
    standIn.seed(zoneId, [record("a"), record("web", { setIdentifier: "x", weight: 1 })]);
    standIn.edit(zoneId, [{ action: "DELETE", record: record("a") }]);
    expect(standIn.records(zoneId).map(({ name }) => name)).toEqual([
      zoneName,
      zoneName,
      `web.${zoneName}`,
    ]);
    expect(() => standIn.seed(zoneId, [record("b"), record("web")])).toThrow(/other RRSets exist/);
    expect(() => standIn.edit(zoneId, [{ action: "DELETE", record: record("a") }])).toThrow(
      /was not found/,
    );
    expect(standIn.records(zoneId)).toHaveLength(3);
    expect(standIn.requests).toEqual([]);
  });

  it("seeds more than one request could carry", async () => {
    const { standIn } = await start();
    standIn.seed(
      zoneId,
      times(2500, (n) => record(`n${n}`)),
    );
    expect(standIn.records(zoneId)).toHaveLength(2502);
  });

  it("until resolves at once, at a landed change, and at an edit", async () => {
    const { client, standIn } = await start();
    const holds = (count: number) => standIn.until(zoneId, (records) => records.length === count);
    await holds(2);
    const three = holds(3);
    const four = holds(4);
    await client.send(changing("CREATE", set("a")));
    expect(await three).toHaveLength(3);
    standIn.edit(zoneId, [{ action: "CREATE", record: record("b") }]);
    expect(await four).toHaveLength(4);
  });

  it("until says what the zone holds when it gives up", async () => {
    const { standIn } = await start();
    standIn.seed(zoneId, [record("a")]);
    await expect(standIn.until(zoneId, () => false, 1)).rejects.toThrow(`"a.${zoneName}"`);
    const waiting = expect(standIn.until(zoneId, () => false)).rejects.toThrow("closed");
    await standIn.close();
    await waiting;
  });

  it("tells when a request arrives and when it is answered", async () => {
    const { client, standIn } = await start();
    const heard: string[] = [];
    standIn.onRequest(({ operation, changes, result }, phase) =>
      heard.push(`${phase} ${operation} ${changes} ${result}`),
    );
    await client.send(changing("CREATE", set("a"), set("b")));
    expect(heard).toEqual([
      "arrived ChangeResourceRecordSets 2 pending",
      "answered ChangeResourceRecordSets 2 ok",
    ]);
    expect(standIn.requests).toMatchObject([{ zoneId, changes: 2, result: "ok" }]);
  });
});
