import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import {
  hostedZone,
  type OwnedZone,
  type RequestWatch,
  type ZoneCursor,
} from "../../../../lib/route53/io/zone.ts";
import type { RecordSet } from "../../../../lib/route53/record-set.ts";
import type { ZoneRecord } from "../../../../lib/standins/route53/rules.ts";
import { type Fault, route53StandIn } from "../../../../lib/standins/route53/server.ts";
import { del, instance, owner, record, task, upsert, ZONE } from "../../../support/build.ts";

const ID = "Z00TEST";
const other = `ecs-discovery-1/${instance(2)}`;

const weighted = (name: string, setIdentifier: string): ZoneRecord => ({
  name: `${name}.`,
  type: "A",
  ttlSeconds: 10,
  values: ["10.9.9.9"],
  weight: 1,
  setIdentifier,
});
/** A record of ours as the stand-in holds it. */
const held = (one: ReturnType<typeof record>): ZoneRecord => ({ ...one, name: `${one.name}.` });

/** The zone as the agent's code sees it, and the stand-in behind it. */
async function zoneOf(records: readonly ZoneRecord[] = []) {
  const route53 = await route53StandIn({ zones: [{ id: ID, name: ZONE }], rate: "unlimited" });
  route53.seed(ID, records);
  const of = (zoneId: string, watch?: RequestWatch) => {
    expect(new URL(route53.url).hostname).toBe("127.0.0.1");
    // The SDK reads it when a client is made.
    process.env["AWS_ENDPOINT_URL_ROUTE_53"] = route53.url;
    return hostedZone({ zoneId, region: "eu-west-1", ...(watch && { watch }) });
  };
  const owned = (zoneId: string) => of(zoneId).as(owner.instance, ZONE);
  return { route53, of, owned, zone: owned(ID), [Symbol.asyncDispose]: () => route53.close() };
}

/** Every record of the owner, page by page. */
async function ownRecords(zone: OwnedZone): Promise<readonly RecordSet[]> {
  const own: RecordSet[] = [];
  let cursor: ZoneCursor | undefined;
  do {
    const page = await zone.page(cursor);
    own.push(...page.own);
    cursor = page.next;
  } while (cursor !== undefined);
  return own;
}

const environment: Readonly<Record<string, string>> = {
  AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
};
const before = new Map(Object.keys(environment).map((name) => [name, process.env[name]]));
beforeAll(() => void Object.assign(process.env, environment));
afterAll(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

describe("facts", () => {
  it("are the zone's name, without the trailing dot, and how many record sets it holds", async () => {
    await using one = await zoneOf([held(record(1))]);
    expect(await one.of(ID).facts()).toEqual({ name: ZONE, size: 3, isPrivate: false });
  });

  it("let whoever watches hear where a request goes, and the time at the other end", async () => {
    await using one = await zoneOf();
    const heard: unknown[] = [];
    const zone = one.of(ID, {
      asks: (origin) => heard.push(origin),
      answered: (date) => heard.push(Number.isFinite(Date.parse(date ?? ""))),
    });
    await zone.facts();
    expect(heard).toEqual([one.route53.url, true]);
  });

  it("throws Fatal for a zone that does not exist", async () => {
    await using one = await zoneOf();
    await expect(one.of("Z00OTHER").facts()).rejects.toMatchObject({
      name: "Fatal",
      message: "Route 53 refused GetHostedZone on zone Z00OTHER",
      cause: { message: "No hosted zone found with ID: Z00OTHER" },
    });
  });
});

describe("page", () => {
  it("finds them all among others' across pages that end within a weighted group", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g"].map((label) => `${label}.${ZONE}`);
    const own = names.flatMap((name, group) =>
      Array.from({ length: 60 }, (_, index) => record(group * 60 + index, { name })),
    );
    const foreign = names.flatMap((name) =>
      Array.from({ length: 40 }, (_, index) => weighted(name, `${other}/${task(index)}`)),
    );
    await using one = await zoneOf([...own.map(held), ...foreign]);
    const found = await ownRecords(one.zone);
    const sorted = (records: readonly { setIdentifier: string }[]) =>
      records.toSorted((a, b) => (a.setIdentifier < b.setIdentifier ? -1 : 1));
    expect(sorted(found)).toEqual(sorted(own));
    expect(one.route53.requests.map(({ operation }) => operation)).toEqual(
      Array.from({ length: 3 }, () => "ListResourceRecordSets"),
    );
  });

  it.each([
    ["another instance's", weighted(`web.${ZONE}`, `${other}/${task(1)}`)],
    ["another format", weighted(`web.${ZONE}`, `ecs-discovery-2/${owner.instance}/${task(1)}`)],
    ["more than the format", weighted(`web.${ZONE}`, `${record(1).setIdentifier}/x`)],
    ["an upper-case id", weighted(`web.${ZONE}`, record(1).setIdentifier.replace(/a/g, "A"))],
    ["our identifier at the apex", weighted(ZONE, record(1).setIdentifier)],
    ["our identifier at a wildcard", weighted(`\\052.${ZONE}`, record(1).setIdentifier)],
    ["our identifier at no service name", weighted(`my_web.${ZONE}`, record(1).setIdentifier)],
    [
      "our identifier on another type",
      {
        ...weighted(`web.${ZONE}`, record(1).setIdentifier),
        type: "CNAME",
        values: ["example.org"],
      },
    ],
    ["a simple record", { name: `web.${ZONE}.`, type: "A", ttlSeconds: 9, values: ["10.0.0.1"] }],
  ])("promise 2: does not take %s for its own", async (_, foreign) => {
    await using one = await zoneOf([foreign]);
    expect(await ownRecords(one.zone)).toEqual([]);
  });
});

describe("of any instance", () => {
  const all = (zone: OwnedZone) => zone.page(undefined);

  it("a page holds every agent's records as they are, and what only looks like one's", async () => {
    const [mine, theirs] = [record(1), record(2, { setIdentifier: `${other}/${task(2)}` })];
    const lookalikes = [
      weighted(`web.${ZONE}`, `ecs-discovery-0/${instance(3)}/${task(3)}`),
      weighted(`web.${ZONE}`, `ecs-discovery-1/${instance(3)}`),
      weighted(`my_web.${ZONE}`, `${other}/${task(4)}`),
    ];
    const foreign = weighted(`web.${ZONE}`, "by-hand");
    await using one = await zoneOf([held(mine), held(theirs), ...lookalikes, foreign]);
    const page = await all(one.of(ID).as("any instance", ZONE));
    const sorted = (records: readonly { readonly setIdentifier?: string }[]) =>
      records.map(({ setIdentifier = "" }) => setIdentifier).toSorted();
    expect(page.own).toEqual(expect.arrayContaining([mine, theirs]));
    expect(page.own).toHaveLength(2);
    expect(sorted(page.strange)).toEqual(sorted(lookalikes));
    // To one owner another's record is nothing strange.
    const own = await all(one.zone);
    expect(own.own).toEqual([mine]);
    expect(sorted(own.strange)).toEqual(sorted(lookalikes));
  });

  it("a group's own are every agent's", async () => {
    const [mine, theirs] = [record(1), record(2, { setIdentifier: `${other}/${task(2)}` })];
    await using one = await zoneOf([held(mine), held(theirs), weighted(`web.${ZONE}`, "by-hand")]);
    const { own } = await one.of(ID).as("any instance", ZONE).group(`web.${ZONE}`);
    expect(own).toHaveLength(2);
    expect(own).toEqual(expect.arrayContaining([mine, theirs]));
  });
});

describe("group", () => {
  it("is what one name holds: ours, how many in all, the others' TTL, and whose they are", async () => {
    const web = Array.from({ length: 60 }, (_, index) => record(index));
    const foreign = Array.from({ length: 40 }, (_, index) =>
      weighted(`web.${ZONE}`, `${other}/${task(index)}`),
    );
    const around = [record(90, { name: `api.${ZONE}` }), record(91, { name: `www.${ZONE}` })];
    await using one = await zoneOf([...web.map(held), ...foreign, ...around.map(held)]);
    const { own, ...group } = await one.zone.group(`web.${ZONE}`);
    expect(own.toSorted((a, b) => (a.setIdentifier < b.setIdentifier ? -1 : 1))).toEqual(web);
    expect(group).toEqual({
      name: `web.${ZONE}`,
      types: new Map([
        ["A", { size: 100, weight: 100, othersTtlSeconds: 10 }],
        ["AAAA", { size: 0 }],
        ["SRV", { size: 0 }],
        ["TXT", { size: 0 }],
      ]),
      instances: expect.arrayContaining([instance(1), instance(2)]),
    });
    expect(await one.zone.group(`www.${ZONE}`)).toEqual({
      name: `www.${ZONE}`,
      own: [around[1]],
      types: expect.any(Map),
      instances: [owner.instance],
    });
    expect(await one.zone.group(`none.${ZONE}`)).toMatchObject({ own: [], instances: [] });
  });

  it("adopts no TTL from a simple record: it is no weighted group", async () => {
    const simple = { name: `web.${ZONE}.`, type: "A", ttlSeconds: 99, values: ["10.0.0.9"] };
    await using one = await zoneOf([simple]);
    expect(await one.zone.group(`web.${ZONE}`)).toEqual({
      name: `web.${ZONE}`,
      own: [],
      types: new Map([
        ["A", { size: 1 }],
        ["AAAA", { size: 0 }],
        ["SRV", { size: 0 }],
        ["TXT", { size: 0 }],
      ]),
      instances: [],
    });
  });
});

describe("submit", () => {
  it("lands a batch, which then reads back as it was", async () => {
    await using one = await zoneOf([held(record(1))]);
    const batch = [
      del(record(1)),
      upsert(record(2)),
      upsert(record(3, { name: `v2.api.${ZONE}` })),
    ];
    expect(await one.zone.submit(batch)).toMatchObject({ kind: "accepted" });
    expect(await ownRecords(one.zone)).toEqual(
      expect.arrayContaining([record(2), record(3, { name: `v2.api.${ZONE}` })]),
    );
    expect(one.route53.requests.map(({ operation }) => operation)).toEqual([
      "ChangeResourceRecordSets",
      "ListResourceRecordSets",
    ]);
  });

  it("gives Route 53's words for a batch that it refuses, of which nothing lands", async () => {
    await using one = await zoneOf();
    expect(await one.zone.submit([upsert(record(1)), del(record(2))])).toEqual({
      kind: "refused",
      message: expect.stringMatching(/^\[Tried to delete .* but it was not found\]$/),
    });
    expect(await ownRecords(one.zone)).toEqual([]);
  });

  it("throws Fatal with the action to allow when it is denied", async () => {
    await using one = await zoneOf();
    const error = { status: 403, code: "AccessDenied", message: "not authorized" };
    one.route53.fail({ kind: { error } });
    await expect(one.zone.submit([upsert(record(1))])).rejects.toMatchObject({
      name: "Fatal",
      message: `Route 53 denied ChangeResourceRecordSets on zone ${ID}: allow route53:ChangeResourceRecordSets in the role of this process`,
    });
  });

  it("throws Fatal for a zone that does not exist", async () => {
    await using one = await zoneOf();
    await expect(one.owned("Z00OTHER").submit([upsert(record(1))])).rejects.toMatchObject({
      name: "Fatal",
      cause: { name: "NoSuchHostedZone" },
    });
  });

  const error = (status: number, code: string): Fault["kind"] => ({
    error: { status, code, message: `${code} it is` },
  });
  it.each<[string, Fault["kind"]]>([
    ["Throttling", error(400, "Throttling")],
    ["PriorRequestNotComplete", error(400, "PriorRequestNotComplete")],
    ["ServiceUnavailable", error(503, "ServiceUnavailable")],
    ["ExpiredToken", error(403, "ExpiredToken")],
    ["a reset before it worked", "reset-before"],
  ])("throws Unavailable for %s beyond the SDK's own retries", async (_, kind) => {
    await using one = await zoneOf();
    one.route53.fail({ kind, times: 100 });
    await expect(one.zone.submit([upsert(record(1))])).rejects.toMatchObject({
      name: "Unavailable",
      message: "Route 53 did not take ChangeResourceRecordSets",
    });
    one.route53.clearFaults();
    expect(await one.zone.submit([upsert(record(1))])).toMatchObject({ kind: "accepted" });
  });

  it("leaves throttling to the caller at once: nothing has landed, and the request was not repeated", async () => {
    await using one = await zoneOf();
    one.route53.fail({ kind: error(400, "Throttling") });
    await expect(one.zone.submit([upsert(record(1))])).rejects.toMatchObject({
      demand: "fewer",
      mayHaveLanded: false,
    });
    expect(one.route53.requests).toHaveLength(1);
  });

  it("lets the SDK repeat what a broken connection cost", async () => {
    await using one = await zoneOf();
    one.route53.fail({ kind: "reset-before", times: 2 });
    expect(await one.zone.submit([upsert(record(1))])).toMatchObject({ kind: "accepted" });
  });

  it("says that a batch may have landed when its answers were lost", async () => {
    await using one = await zoneOf();
    one.route53.fail({ kind: "reset-after", times: 100 });
    await expect(one.zone.submit([upsert(record(1))])).rejects.toMatchObject({
      name: "Unavailable",
      mayHaveLanded: true,
    });
    one.route53.clearFaults();
    expect(await ownRecords(one.zone)).toEqual([record(1)]);
  });

  it("has a lost answer to a DELETE come back as refused: it is gone already", async () => {
    await using one = await zoneOf([held(record(1))]);
    one.route53.fail({ kind: "reset-after" });
    expect(await one.zone.submit([del(record(1))])).toEqual({
      kind: "refused",
      message: expect.stringContaining("but it was not found"),
      // Of the rest of such a batch the words say nothing.
      mayHaveLanded: true,
    });
  });

  it("throws Unavailable when nobody listens", async () => {
    const one = await zoneOf();
    await one.route53.close();
    await expect(one.zone.submit([upsert(record(1))])).rejects.toMatchObject({
      name: "Unavailable",
      cause: expect.stringContaining("ECONNREFUSED"),
    });
  });
});
