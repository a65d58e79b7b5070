import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { bulkRefusal } from "../../../lib/discovery/bulk-limit.ts";
import { backoffMs } from "../../../lib/kit/backoff.ts";
import { causes, Unavailable } from "../../../lib/kit/failure.ts";
import { quote } from "../../../lib/kit/quote.ts";
import { defaultGateway } from "../../../lib/net/gateway.ts";

describe("promise 10: a plan that would delete most of what the host owns is refused", () => {
  test.each([
    [
      { owned: 44, unconfirmed: 41, tasks: 41 },
      "would delete 41 of 44 owned records (93 %, limit 50 %) of tasks that the ECS agent calls running",
    ],
    [
      { owned: 10, unconfirmed: 6, tasks: 3 },
      "would delete 6 of 10 owned records (60 %, limit 50 %) of tasks that the ECS agent calls running",
    ],
    [
      { owned: 3, unconfirmed: 3, tasks: 3 },
      "would delete 3 of 3 owned records (100 %, limit 50 %) of tasks that the ECS agent calls running",
    ],
    [{ owned: 10, unconfirmed: 5, tasks: 5 }, undefined],
    [{ owned: 0, unconfirmed: 0, tasks: 0 }, undefined],
    // A host's last task or two may well be gone, however many records each of them has.
    [{ owned: 2, unconfirmed: 2, tasks: 2 }, undefined],
    [{ owned: 1, unconfirmed: 1, tasks: 1 }, undefined],
    [{ owned: 10, unconfirmed: 10, tasks: 2 }, undefined],
  ])("%j", (deletes, refusal) => {
    expect(bulkRefusal(deletes)).toBe(refusal);
  });
});

describe("backoff", () => {
  it("lies between 0 and the doubled base, and never past the cap", () => {
    const limits = { baseMs: 100, capMs: 5_000 };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, chance) => {
          const ms = backoffMs(attempt, limits, chance);
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThanOrEqual(Math.min(5_000, 100 * 2 ** (attempt - 1)));
        },
      ),
    );
    expect([1, 2, 3, 9].map((attempt) => backoffMs(attempt, limits, 0.5))).toEqual([
      50, 100, 200, 2_500,
    ]);
  });
});

describe("the default gateway in /proc/net/route", () => {
  const header =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
  test.each([
    [
      "a bridge container's",
      `${header}eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n`,
      "172.17.0.1",
    ],
    [
      "a default route without a gateway",
      `${header}tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n`,
      undefined,
    ],
    [
      "no default route",
      `${header}eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n`,
      undefined,
    ],
    ["nothing", "", undefined],
  ])("%s", (_, table, gateway) => {
    expect(defaultGateway(table)).toBe(gateway);
  });
});

describe("messages", () => {
  it("quoted text is one line of ASCII, however hostile it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(quote(text)).toMatch(/^"[ -~]*"$/);
        expect(quote(text).length).toBeLessThan(600);
      }),
    );
  });

  it("an error's causes are told outermost first, none twice", () => {
    const inner = new Error("connect ECONNREFUSED /var/run/docker.sock");
    const error = new Error("gave up after 60 s", {
      cause: new Unavailable("Docker", "did not answer", { cause: inner }),
    });
    expect(causes(error)).toBe(
      "gave up after 60 s: Docker did not answer: connect ECONNREFUSED /var/run/docker.sock",
    );
    expect(causes(new Error("a", { cause: new Error("a") }))).toBe("a");
    expect(causes("text")).toBe("text");
  });
});
