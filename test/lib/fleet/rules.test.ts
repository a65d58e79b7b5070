import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { fenceName, isFenceRefusal, moveOf, parseFence } from "../../../lib/fleet/fence.ts";
import { verdictOf } from "../../../lib/fleet/sender.ts";
import { holdOf } from "../../../lib/fleet/shrink.ts";
import { fromWire, toWire } from "../../../lib/fleet/wire.ts";
import { keyOf, type RecordSet } from "../../../lib/route53/record-set.ts";
import type { WireSet } from "../../../lib/sqs/message.ts";
import { instance, owner, record, task, ZONE } from "../../support/build.ts";

describe("the hold of an owner that shrinks", () => {
  const keys = (...numbers: readonly number[]) => numbers.map((n) => keyOf(record(n)));
  const setOf = (numbers: readonly number[], drain = false) => ({
    records: new Map(numbers.map((n) => [keyOf(record(n)), record(n)])),
    keeps: new Set<never>(),
    drain,
  });
  const six = [1, 2, 3, 4, 5, 6];

  test.each([
    ["removes nothing", six, six, false, undefined, 0],
    ["removes two of two", [1, 2], [], false, undefined, 0],
    ["removes half", six, [1, 2, 3], false, undefined, 0],
    ["removes more than half", six, [1, 2], false, undefined, 4],
    ["removes all", six, [], false, undefined, 6],
    ["removes all, and means it", six, [], true, undefined, 0],
    ["still does 9.999 s later", six, [], false, 1_000 - 9_999, 6],
    ["still does 10 s later", six, [], false, 1_000 - 10_000, 0],
    ["replaces all", six, [7, 8, 9, 10, 11, 12], false, undefined, 6],
  ])("a set that %s", (_, published, asked, drain, sinceMs, held) => {
    const before = sinceMs === undefined ? undefined : { keys: new Set(keys(...six)), sinceMs };
    const hold = holdOf({
      published: keys(...published),
      set: setOf(asked, drain),
      sentMs: 1_000,
      before,
    });
    expect(hold?.keys.size ?? 0).toBe(held);
  });

  it("does not hold what the set keeps", () => {
    const set = { ...setOf([]), keeps: new Set(keys(...six)) };
    expect(holdOf({ published: keys(...six), set, sentMs: 1, before: undefined })).toBeUndefined();
  });
});

describe("who may speak for an owner", () => {
  const EC2 = "i-0123456789abcdef0";
  const SSM = "mi-0123456789abcdef0";
  const role = (session: string) => ({ role: "AROAHOSTS", session });
  const nothing = { ec2Instance: undefined, taskInstance: undefined };

  test.each([
    ["its own instance", role(EC2), { ...nothing, ec2Instance: EC2 }, "owner"],
    ["its own instance outside of EC2", role(SSM), { ...nothing, ec2Instance: SSM }, "owner"],
    ["another instance", role(EC2), { ...nothing, ec2Instance: "i-0fedcba9876543210" }, "liar"],
    ["an instance, for an owner that ECS does not know", role(EC2), nothing, "unknown"],
    ["a task on it", role(task(1)), { ...nothing, taskInstance: instance(1) }, "owner"],
    ["a task elsewhere", role(task(1)), { ...nothing, taskInstance: instance(2) }, "liar"],
    ["a task that ECS does not know", role(task(1)), nothing, "unknown"],
    ["a session that somebody has named", role("deploy"), nothing, "unknown"],
    // What ECS says of an instance is nothing to a session that only looks a little like one.
    ["a session like an instance's", role(`${EC2}x`), { ...nothing, ec2Instance: EC2 }, "unknown"],
    ["no role", undefined, { ec2Instance: EC2, taskInstance: instance(1) }, "unknown"],
  ] as const)("%s", (_, sender, facts, kind) => {
    expect(verdictOf(sender, owner.instance, facts)).toMatchObject({ kind });
  });
});

describe("the fence", () => {
  const fences = fc.record({
    writer: fc.constantFrom("0123456789abcdef", "fedcba9876543210"),
    count: fc.nat(),
    horizonMs: fc.nat(),
    atMs: fc.nat(),
  });

  it("is read as it was written, with or without Route 53's quotation marks", () => {
    fc.assert(
      fc.property(fences, (fence) => {
        const { after } = moveOf(fenceName(ZONE), undefined, fence);
        expect(parseFence(after)).toEqual(fence);
        expect(parseFence(`"${after}"`)).toEqual(fence);
      }),
    );
  });

  test.each([
    "",
    "v=spf1 -all",
    "ecs-discovery-writer-2 0123456789abcdef 1 2 3",
    "ecs-discovery-writer-1 0123456789abcdef 1 2 -3",
    "ecs-discovery-writer-1 0123456789abcdef 1 2",
  ])("is nobody else's text: %j", (text) => {
    expect(parseFence(text)).toBeUndefined();
  });

  test.each([
    [
      `Tried to delete resource record set [name='_writer.${ZONE}.', type='TXT'] but it was not found`,
      true,
    ],
    [`[name='web.${ZONE}.', type='A'] was not found`, false],
    [`[name='a_writer.${ZONE}.', type='TXT'] was not found`, false],
  ])("is what this refusal is about: %s %s", (message, isIt) => {
    expect(isFenceRefusal(message, fenceName(ZONE))).toBe(isIt);
  });
});

describe("a set on the wire", () => {
  const head = {
    zone: "Z1",
    zoneName: ZONE,
    owner: owner.instance,
    cluster: "prod",
    epoch: 1,
    seq: 1,
    upMs: 0,
    drain: false,
    leaves: false,
    direct: false,
  };
  const zone = { id: "Z1", name: ZONE };
  const srv = record(3, { type: "SRV", values: [`1 1 80 task.web.${ZONE}`] });
  const wire = (over: Partial<WireSet> = {}): WireSet => ({
    ...toWire(head, ZONE, [record(1)], []),
    ...over,
  });

  it("comes back as it was sent", () => {
    const records: readonly RecordSet[] = [
      record(1),
      record(2, { type: "AAAA", values: ["fd00::2"] }),
      srv,
    ];
    const read = fromWire(toWire(head, ZONE, records, [keyOf(record(4))]), zone);
    expect(read).toMatchObject({ ok: true, owner: owner.instance });
    if (!read.ok) return;
    expect([...read.set.records.values()]).toEqual(records);
    expect([...read.set.keeps]).toEqual([keyOf(record(4))]);
  });

  it("can name no other owner's records", () => {
    const [one] = wire().records;
    const theirs = `${instance(2)}/${task(1)}`;
    for (const h of [theirs, `../${theirs}`, `${task(1)}/../${instance(2)}`]) {
      const read = fromWire(wire({ records: one === undefined ? [] : [{ ...one, h }] }), zone);
      expect(read).toMatchObject({
        ok: false,
        problem: expect.stringContaining("expected a record"),
      });
    }
  });

  test.each([
    ["another zone", { zone: "Z2" }, "expected the zone Z1"],
    ["another zone's name", { zoneName: "other.internal" }, "expected the zone Z1"],
    ["an owner that is none", { owner: "everybody" }, "expected a container instance's id"],
  ])("is refused for %s", (_, over, problem) => {
    expect(fromWire(wire(over), zone)).toMatchObject({
      ok: false,
      problem: expect.stringContaining(problem),
    });
  });

  test.each([
    ["a type of its own", { t: "CNAME" }],
    ["a text", { t: "TXT", v: ['"x"'] }],
    ["no address", { v: ["10.0.0.256"] }],
    ["the same address twice", { v: ["10.0.0.1", "10.0.0.1"] }],
    ["too long a TTL", { ttl: 2_147_483_648 }],
    ["too great a weight", { w: 256 }],
    ["the writer's own name", { n: "_writer" }],
    ["the zone's own name", { n: "" }],
    ["a wildcard", { n: "*" }],
  ])("is refused whole for one record with %s", (_, over) => {
    const [one] = wire().records;
    const records = one === undefined ? [] : [one, { ...one, h: task(2), ...over }];
    expect(fromWire(wire({ records }), zone).ok).toBe(false);
  });
});
