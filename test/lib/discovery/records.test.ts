import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Endpoint } from "../../../lib/discovery/endpoint.ts";
import { possibleKeys, recordsOf } from "../../../lib/discovery/records.ts";
import { isOwn } from "../../../lib/route53/own-record.ts";
import { keyOf } from "../../../lib/route53/record-set.ts";
import { owner, record, task, ZONE } from "../../support/build.ts";

const V6 = "2001:db8::1";
const name = `web.${ZONE}`;
const rules = { instance: owner.instance, ttlSeconds: 10, weight: 1 };
const endpoint = (over: Partial<Endpoint> = {}): Endpoint => ({
  kind: "endpoint",
  source: "ecs",
  holder: { task: task(1) },
  ipv4: "10.0.0.1",
  ...over,
});

describe("a name as RFC 2782 has it", () => {
  it.each([
    ["of an SRV record is one of ours", "_web._tcp", "SRV", true],
    ["with more parts", "_v2._tcp.api", "SRV", true],
    ["of another type is none", "_web._tcp", "A", false],
    ["of another protocol is none", "_web._udp", "SRV", false],
    ["without a protocol is none", "_web", "SRV", false],
    ["of what is no service name is none", "_my_web._tcp", "SRV", false],
    ["of nothing is none", "_._tcp", "SRV", false],
    ["twice over is none", "__web._tcp", "SRV", false],
  ])("%s", (_, label, type, expected) => {
    const one = { ...record(1), name: `${label}.${ZONE}`, type };
    expect(isOwn(one, ZONE, owner.instance)).toBe(expected);
  });
});

describe("the records of a name", () => {
  it("are A and AAAA for what addresses there are", () => {
    expect(recordsOf(name, endpoint(), rules)).toEqual([record(1)]);
    const both = recordsOf(name, endpoint({ ipv6: V6 }), rules);
    expect(both).toEqual([record(1), record(1, { type: "AAAA", values: [V6] })]);
    const { ipv4: _, ...only6 } = endpoint({ ipv6: V6 });
    expect(recordsOf(name, only6, rules)).toEqual([record(1, { type: "AAAA", values: [V6] })]);
  });

  it("are SRV, too, where a port is known, with a target of its own that resolves", () => {
    const target = `${task(1)}.${name}`;
    expect(recordsOf(name, endpoint({ port: 8080 }), rules)).toEqual([
      record(1),
      record(1, { name: target }),
      record(1, { type: "SRV", values: [`1 1 8080 ${target}`] }),
    ]);
  });

  it("have their SRV record under the name that RFC 2782 gives it, where that is asked for", () => {
    const of = (service: string) =>
      recordsOf(`${service}.${ZONE}`, endpoint({ port: 8080 }), { ...rules, srvNames: "rfc2782" });
    const target = `${task(1)}.${name}`;
    expect(of("web")).toEqual([
      record(1),
      record(1, { name: target }),
      record(1, { name: `_web._tcp.${ZONE}`, type: "SRV", values: [`1 1 8080 ${target}`] }),
    ]);
    // Of a name with dots the first part is the service, the rest its domain.
    expect(of("v2.api").map((one) => one.name)).toContain(`_v2._tcp.api.${ZONE}`);
    // 64 characters between dots are one too many.
    const long = of("a".repeat(63));
    expect(long.map(({ type }) => type)).toEqual(["A"]);
  });

  it("are multivalue answers without a weight", () => {
    const [only] = recordsOf(name, endpoint(), { ...rules, weight: undefined });
    expect(only).not.toHaveProperty("weight");
  });

  it("are all among the keys that the holder may have, and all the owner's own", () => {
    const wanted = fc.record(
      {
        ipv6: fc.constant(V6),
        port: fc.integer({ min: 1, max: 65_535 }),
        holder: fc.constantFrom({ task: task(7) }, { task: task(7), container: "0123456789ab" }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(wanted, fc.integer({ min: 1, max: 63 }), fc.boolean(), (over, length, isRfc) => {
        const made = endpoint(over);
        const srvNames = isRfc ? ("rfc2782" as const) : ("plain" as const);
        const at = `${"a".repeat(length)}.${"b".repeat(63)}.${"c".repeat(63)}.${ZONE}`;
        const keys = new Set(possibleKeys(at, made.holder, owner.instance));
        for (const one of recordsOf(at, made, { ...rules, srvNames })) {
          expect(keys.has(keyOf(one))).toBe(true);
          expect(isOwn(one, ZONE, owner.instance)).toBe(true);
          expect(one.name.length).toBeLessThanOrEqual(253);
        }
      }),
    );
  });
});
