import { describe, expect, it } from "@jest/globals";
import { gather } from "../../../../lib/route53/flow/gather.ts";
import { record, upsert } from "../../../support/build.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const changes = (count: number) => Array.from({ length: count }, (_, n) => upsert(record(n)));

/** A burst whose first request landed just now, so long after the last of its changes had come. */
async function landed({ quietMs }: { readonly quietMs: number }) {
  const clock = fakeClock();
  const cameMs = clock.now();
  await clock.advance(quietMs);
  const burst = gather({ clock, changedAtMs: () => cameMs });
  burst.landed(3);
  return { clock, burst };
}

describe("the rest of a burst", () => {
  it("is over when nothing came for 100 ms, those of a request under way included", async () => {
    const { burst, clock } = await landed({ quietMs: 70 });
    expect(burst.waitMs(changes(57))).toBe(30);
    await clock.advance(30);
    expect(burst.waitMs(changes(57))).toBe(0);
  });

  it("goes at once when it was over before the request landed", async () => {
    const { burst } = await landed({ quietMs: 110 });
    expect(burst.waitMs(changes(57))).toBe(0);
  });

  it("waits on while more comes", async () => {
    const clock = fakeClock();
    const burst = gather({ clock, changedAtMs: clock.now });
    burst.landed(3);
    for (let n = 1; n < 10; n += 1) {
      expect(burst.waitMs(changes(n))).toBe(100);
      await clock.advance(50);
    }
  });
});
