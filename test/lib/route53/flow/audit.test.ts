import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { audit } from "../../../../lib/route53/flow/audit.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

describe("the audit", () => {
  it("comes to each name once an interval at the latest, never twice within half of one, and not in the first minute", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 120_000, max: 900_000 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        async (count, intervalMs, chances) => {
          const clock = fakeClock(0);
          const looks = audit({ clock, intervalMs, random: () => chances.next().value ?? 0.5 });
          const names = Array.from({ length: count }, (_, n) => `name-${n}`);
          const seen = new Map(names.map((name) => [name, [0]]));
          for (let n = 0; n < 3 * count; n += 1) {
            const next = looks.next(names);
            if (next === undefined) throw new Error("nothing to look at");
            await clock.advance(Math.max(0, next.atMs - clock.now()));
            seen.get(next.name)?.push(clock.now());
            looks.seen(next.name);
          }
          for (const moments of seen.values()) {
            for (const [index, atMs] of moments.slice(1).entries()) {
              const gapMs = Math.round(atMs - (moments[index] ?? 0));
              expect(gapMs).toBeLessThanOrEqual(intervalMs);
              expect(gapMs).toBeGreaterThanOrEqual(Math.min(60_000, Math.floor(intervalMs / 2)));
            }
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it("forgets a name that is no longer asked for", () => {
    const looks = audit({ clock: fakeClock(), random: () => 0, intervalMs: 1_000 });
    looks.next(["a", "b"]);
    expect(looks.next(["b"])?.name).toBe("b");
    expect(looks.next([])).toBeUndefined();
  });

  it("with an interval of 0 never comes", () => {
    const looks = audit({ clock: fakeClock(), random: () => 0, intervalMs: 0 });
    expect(looks.next(["a"])).toBeUndefined();
  });
});
