import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { faultList } from "../../../lib/standins/faults.ts";
import { metadataStandIn } from "../../../lib/standins/metadata/server.ts";
import { MOST_REQUESTS, requestLog } from "../../../lib/standins/request-log.ts";
import { s3StandIn } from "../../../lib/standins/s3/server.ts";

describe("a log of requests", () => {
  it("remembers at least the latest ones it was asked to, and at most twice as many", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 200 }), (most, came) => {
        const log = requestLog<number>(most);
        for (let n = 1; n <= came; n++) log.note(n);
        expect(log.count()).toBe(came);
        expect(log.requests.length).toBeGreaterThanOrEqual(Math.min(most, came));
        expect(log.requests.length).toBeLessThanOrEqual(2 * most);
        expect(log.requests).toEqual(
          Array.from({ length: log.requests.length }, (_, n) => came - log.requests.length + 1 + n),
        );
      }),
    );
  });

  it("is bounded where nobody says how long it may be", () => {
    const log = requestLog<number>();
    for (let n = 0; n < 3 * MOST_REQUESTS; n++) log.note(n);
    expect(log.requests.length).toBeLessThanOrEqual(2 * MOST_REQUESTS);
    expect(log.requests.at(-1)).toBe(3 * MOST_REQUESTS - 1);
  });

  it("tells each listener of each request, until it leaves", () => {
    const log = requestLog<number>();
    const heard: number[] = [];
    const leave = log.onRequest((request) => heard.push(request));
    log.note(1);
    leave();
    log.note(2);
    expect(heard).toEqual([1]);
  });
});

describe("a list of faults", () => {
  it("uses the first that fits, as often as it says, and forgets it then", () => {
    const faults = faultList<{ readonly times?: number; readonly at: string }>();
    faults.add({ at: "a", times: 2 });
    faults.add({ at: "b" });
    const next = (at: string) => faults.next((fault) => fault.at === at)?.at;
    expect([next("a"), next("b"), next("a"), next("a"), next("b")]).toEqual([
      "a",
      "b",
      "a",
      undefined,
      "b",
    ]);
    faults.clear();
    expect(next("b")).toBeUndefined();
  });

  it("uses one that says nothing as often as its stand-in says", () => {
    const faults = faultList<{ readonly times?: number }>({ times: 1 });
    faults.add({});
    expect([faults.next(() => true), faults.next(() => true)]).toEqual([{}, undefined]);
  });
});

test.each([
  ["S3", s3StandIn, "/bucket/key"],
  ["instance metadata", () => metadataStandIn({}), "/latest/meta-data/instance-id"],
] as const)("%s forgets its oldest requests, and serves on", async (_name, start, path) => {
  const standIn = await start();
  try {
    expect(new URL(standIn.url).hostname).toBe("127.0.0.1");
    const many = standIn.requests as unknown[];
    many.push(...Array.from({ length: 2 * MOST_REQUESTS - 1 }, () => "before"));
    const answer = await fetch(`${standIn.url}${path}`);
    await answer.arrayBuffer();
    expect(many).toHaveLength(MOST_REQUESTS);
    expect(many.at(-1)).not.toBe("before");
  } finally {
    await standIn.close();
  }
});
