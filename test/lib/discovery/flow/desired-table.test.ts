import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Desired } from "../../../../lib/discovery/desired.ts";
import { desiredTable } from "../../../../lib/discovery/flow/desired-table.ts";
import { keyOf, type RecordSet } from "../../../../lib/route53/record-set.ts";
import { containerId, record } from "../../../support/build.ts";

const serve = (...records: readonly RecordSet[]): Desired => ({
  kind: "serve",
  records,
  source: "ecs",
  well: true,
  problems: [],
});
const sick = (...records: readonly RecordSet[]): Desired => ({
  kind: "serve",
  records,
  source: "ecs",
  well: false,
  problems: [],
});
const absent: Desired = { kind: "absent", reason: "not-running", detail: "" };
const unsure = (...keeps: readonly RecordSet[]): Desired => ({
  kind: "unsure",
  reason: "agent-unavailable",
  detail: "",
  names: keeps.map(({ name }) => name),
  keeps: keeps.map(keyOf),
});

describe("promise 1: one record per task", () => {
  it("two tasks of one service are two record sets", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(1), serve(record(1)));
    table.put(containerId(2), serve(record(2)));
    expect([...table.records().values()]).toEqual([record(1), record(2)]);
  });

  it("two containers of one task are one record set, there while either asks", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(1), serve(record(7)));
    table.put(containerId(2), serve(record(7)));
    expect([...table.records()]).toEqual([[keyOf(record(7)), record(7)]]);
    table.put(containerId(1), absent);
    expect([...table.records().values()]).toEqual([record(7)]);
    table.put(containerId(2), absent);
    expect(table.records().size).toBe(0);
  });

  it("two containers of one task under two names are two record sets", () => {
    const table = desiredTable({ keepUnhealthy: true });
    const api = record(7, { name: "api.example.internal" });
    table.put(containerId(1), serve(record(7)));
    table.put(containerId(2), serve(api));
    expect([...table.records().values()]).toEqual([record(7), api]);
  });

  it("should they ask for different contents, the lowest id decides, in whatever order they came", () => {
    const low = record(7, { values: ["10.0.0.1"] });
    const high = record(7, { values: ["10.0.0.2"] });
    for (const order of [
      [1, 2],
      [2, 1],
    ]) {
      const table = desiredTable({ keepUnhealthy: true });
      for (const n of order) table.put(containerId(n), serve(n === 1 ? low : high));
      expect([...table.records().values()]).toEqual([low]);
      table.put(containerId(1), absent);
      expect([...table.records().values()]).toEqual([high]);
    }
  });
});

describe("a container", () => {
  it("asks for what it was last seen to ask for, and for nothing of before", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(1), serve(record(1), record(2)));
    table.put(containerId(1), serve(record(2, { ttlSeconds: 60 })));
    expect([...table.records().values()]).toEqual([record(2, { ttlSeconds: 60 })]);
  });

  it("is forgotten when it is absent, also when nobody knew it", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(1), serve(record(1)));
    table.put(containerId(2), unsure(record(2)));
    table.put(containerId(3), absent);
    expect(table.ids()).toEqual([containerId(1), containerId(2)]);
    table.put(containerId(1), absent);
    table.put(containerId(2), absent);
    expect(table.ids()).toEqual([]);
    expect(table.kept().size).toBe(0);
  });
});

describe("an unhealthy container with an SRV record", () => {
  const target = (n: number) => `${n}.web.example.internal`;
  const withSrv = (n: number) => [
    record(n),
    record(n, { name: target(n) }),
    record(n, { type: "SRV", values: [`1 1 80 ${target(n)}`] }),
  ];

  it("asks for none of its records, its SRV target's either, while a healthy one serves the name", () => {
    for (const wasWell of [false, true]) {
      const table = desiredTable({ keepUnhealthy: true });
      table.put(containerId(1), serve(...withSrv(1)));
      if (wasWell) table.put(containerId(2), serve(...withSrv(2)));
      table.put(containerId(2), sick(...withSrv(2)));
      expect([...table.records().values()]).toEqual(withSrv(1));
      expect(table.kept().size).toBe(0);
      expect(table.unhealthyNames().size).toBe(0);
    }
  });

  it("keeps them all when no healthy one serves the name, which is told by the service's name", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(2), sick(...withSrv(2)));
    expect(table.kept()).toEqual(new Set(withSrv(2).map(keyOf)));
    expect(table.unhealthyNames()).toEqual(new Set(["web.example.internal"]));
  });
});

describe("a container that is unsure", () => {
  it("asks for nothing, and keeps what it may ask for", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(1), unsure(record(1), record(2)));
    expect(table.records().size).toBe(0);
    expect(table.kept()).toEqual(new Set([keyOf(record(1)), keyOf(record(2))]));
  });

  it("keeps no longer than it is unsure", () => {
    for (const sure of [serve(record(2)), absent]) {
      const table = desiredTable({ keepUnhealthy: true });
      table.put(containerId(1), unsure(record(1)));
      table.put(containerId(1), sure);
      expect(table.kept().size).toBe(0);
    }
  });

  it("takes nothing away from another of its task that is sure", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(1), unsure(record(7)));
    table.put(containerId(2), serve(record(7)));
    expect([...table.records().values()]).toEqual([record(7)]);
  });
});

it("what was handed out does not change under its reader", () => {
  const table = desiredTable({ keepUnhealthy: true });
  table.put(containerId(1), serve(record(1)));
  table.put(containerId(2), unsure(record(2)));
  const records = table.records();
  const kept = table.kept();
  table.put(containerId(1), absent);
  table.put(containerId(2), absent);
  expect(records.size).toBe(1);
  expect(kept.size).toBe(1);
});

it("the table follows from what each container was last seen to ask for, not from the order of looks", () => {
  const desired = fc.oneof(
    fc.constant(absent),
    fc
      .array(fc.record({ task: fc.nat(3), weight: fc.nat(2) }), { maxLength: 3 })
      .map((asked) => serve(...asked.map(({ task, weight }) => record(task, { weight })))),
    fc.array(fc.nat(3), { maxLength: 2 }).map((tasks) => unsure(...tasks.map((n) => record(n)))),
  );
  const looks = fc.array(fc.tuple(fc.nat(4), desired), { maxLength: 30 });
  fc.assert(
    fc.property(looks, fc.func(fc.integer()), (all, shuffle) => {
      const table = desiredTable({ keepUnhealthy: true });
      for (const [n, seen] of all) table.put(containerId(n), seen);
      const again = desiredTable({ keepUnhealthy: true });
      const last = [...new Map(all)].toSorted((a, b) => shuffle(a[0]) - shuffle(b[0]));
      for (const [n, seen] of last) again.put(containerId(n), seen);
      expect([...table.records()]).toEqual([...again.records()]);
      expect(table.kept()).toEqual(again.kept());
      expect(table.ids().toSorted()).toEqual(again.ids().toSorted());
    }),
  );
});

describe("unhealthy containers", () => {
  const put = (keepUnhealthy: boolean, ...all: readonly Desired[]) => {
    const table = desiredTable({ keepUnhealthy });
    for (const [index, desired] of all.entries()) table.put(containerId(index + 1), desired);
    return table;
  };
  const other = record(9, { name: "other.example.internal" });

  it("ask for nothing while a healthy one serves the name", () => {
    const table = put(true, serve(record(1)), sick(record(2)));
    expect([...table.records().keys()]).toEqual([keyOf(record(1))]);
    expect(table.kept()).toEqual(new Set());
    expect(table.unhealthyNames()).toEqual(new Set());
  });

  it("keep what is published of them when all of the name are unhealthy, whatever other names do", () => {
    const table = put(true, sick(record(1)), sick(record(2)), serve(other));
    expect([...table.records().keys()]).toEqual([keyOf(other)]);
    expect(table.kept()).toEqual(new Set([keyOf(record(1)), keyOf(record(2))]));
    expect(table.unhealthyNames()).toEqual(new Set([record(1).name]));
  });

  it("serve again when they were healthy before, though they fell ill one after another", () => {
    const table = put(true, serve(record(1)), serve(record(2)), sick(record(3)));
    table.put(containerId(1), sick(record(1)));
    expect([...table.records().keys()]).toEqual([keyOf(record(2))]);
    table.put(containerId(2), sick(record(2)));
    expect([...table.records().keys()]).toEqual([keyOf(record(1)), keyOf(record(2))]);
    expect(table.kept()).toEqual(new Set([keyOf(record(3))]));
  });

  it("are not all of a name while one that is not sure may serve it", () => {
    const table = put(true, sick(record(1)), unsure(record(2)));
    expect(table.unhealthyNames()).toEqual(new Set());
  });

  it("keep nothing where that is not wanted", () => {
    const table = put(false, sick(record(1)));
    expect(table.kept()).toEqual(new Set());
    expect(table.unhealthyNames()).toEqual(new Set([record(1).name]));
  });
});

describe("different wishes for one name", () => {
  it("have the least TTL: a name's record sets must have one", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(1), serve(record(1, { ttlSeconds: 60 })));
    table.put(containerId(2), serve(record(2, { ttlSeconds: 5 })));
    expect([...table.records().values()].map(({ ttlSeconds }) => ttlSeconds)).toEqual([5, 5]);
  });

  it("are over once the table is closed, whatever is put", () => {
    const table = desiredTable({ keepUnhealthy: true });
    table.put(containerId(1), serve(record(1)));
    table.put(containerId(2), unsure(record(2)));
    table.close();
    table.put(containerId(3), serve(record(3)));
    expect(table.records().size + table.kept().size).toBe(0);
  });
});

it("an SRV record under RFC 2782's name, and its target, belong to the service's own name", () => {
  const table = desiredTable({ keepUnhealthy: true });
  const web = (n: number) => {
    const target = record(n, { name: `t${n}.web.example.internal` });
    const values = [`1 1 80 ${target.name}`];
    const srv = record(n, { name: "_web._tcp.example.internal", type: "SRV", values });
    return [record(n), target, srv];
  };
  table.put(containerId(1), serve(...web(1)));
  table.put(containerId(2), sick(...web(2)));
  expect([...table.records().values()]).toEqual(web(1));
  table.put(containerId(1), sick(...web(1)));
  expect([...table.unhealthyNames()]).toEqual(["web.example.internal"]);
});
