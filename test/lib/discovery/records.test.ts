import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Endpoint } from "../../../lib/discovery/endpoint.ts";
import { possibleKeys, recordsOf, srvNames } from "../../../lib/discovery/records.ts";
import { isOwn } from "../../../lib/route53/own-record.ts";
import { keyOf } from "../../../lib/route53/record-set.ts";
import { owner, record, task, ZONE } from "../../support/build.ts";

const V6 = "2001:db8::1";
const name = `web.${ZONE}`;
const rules = { instance: owner.instance, ttlSeconds: 10, weight: 1, srvNames: "plain" } as const;
const endpoint = (over: Partial<Endpoint> = {}): Endpoint => ({
  kind: "endpoint",
  source: "ecs",
  holder: { task: task(1) },
  ipv4: "10.0.0.1",
  ...over,
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

  it("are SRV under _service._tcp where RFC 2782's names are asked for, for every name", () => {
    const srv = (at: string) => {
      const made = recordsOf(at, endpoint({ port: 8080 }), { ...rules, srvNames: "rfc2782" });
      return made.filter(({ type }) => type === "SRV").map((one) => [one.name, ...one.values]);
    };
    expect(srv(name)).toEqual([[`_web._tcp.${ZONE}`, `1 1 8080 ${task(1)}.${name}`]]);
    expect(srv(`v2.api.${ZONE}`)).toEqual([
      [`_v2._tcp.api.${ZONE}`, `1 1 8080 ${task(1)}.v2.api.${ZONE}`],
    ]);
    // With the underscore it would be 64 characters.
    expect(srv(`${"a".repeat(63)}.${ZONE}`)).toEqual([]);
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
      fc.property(
        wanted,
        fc.integer({ min: 1, max: 63 }),
        fc.constantFrom(...srvNames),
        (over, length, srv) => {
          const made = endpoint(over);
          const at = `${"a".repeat(length)}.${"b".repeat(63)}.${"c".repeat(63)}.${ZONE}`;
          const named = { ...rules, srvNames: srv };
          const keys = new Set(possibleKeys(at, made.holder, named));
          for (const one of recordsOf(at, made, named)) {
            expect(keys.has(keyOf(one))).toBe(true);
            expect(isOwn(one, ZONE, owner.instance)).toBe(true);
            expect(one.name.length).toBeLessThanOrEqual(253);
          }
        },
      ),
    );
  });
});
