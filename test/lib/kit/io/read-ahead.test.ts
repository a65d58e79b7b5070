import { describe, expect, it } from "@jest/globals";
import { readAhead } from "../../../../lib/kit/io/read-ahead.ts";

/** A source that gives what it is told, and knows how much of it has been taken. */
function told() {
  const { promise: over, resolve: end, reject: fail } = Promise.withResolvers<void>();
  const items: (number | "end")[] = [];
  let more = Promise.withResolvers<void>();
  const source = async function* () {
    for (;;) {
      for (const item of items.splice(0)) {
        if (item === "end") return await over;
        yield item;
      }
      await more.promise;
    }
  };
  return {
    source: source(),
    give(...given: readonly (number | "end")[]) {
      items.push(...given);
      more.resolve();
      more = Promise.withResolvers<void>();
    },
    end,
    fail,
    /** Once all that can happen by itself has happened. */
    rest: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
}

const ahead = (source: AsyncIterable<number>, limit = 1000) => {
  const closed: string[] = [];
  const items = readAhead(source, { limit, instead: -1, close: () => void closed.push("closed") });
  return { items, closed };
};

async function all(items: AsyncIterable<number>) {
  const taken: number[] = [];
  for await (const item of items) taken.push(item);
  return taken;
}

describe("readAhead", () => {
  it("gives everything in its order, read before anybody takes it and after", async () => {
    const { source, give, end, rest } = told();
    const { items, closed } = ahead(source);
    give(1, 2, 3);
    await rest();
    const taken = all(items);
    give(4, 5);
    await rest();
    give(6, "end");
    end();
    expect(await taken).toEqual([1, 2, 3, 4, 5, 6]);
    expect(closed).toEqual(["closed"]);
  });

  it("keeps as many as the limit says, and of more only that there were more", async () => {
    for (const [count, expected] of [
      [3, [1, 2, 3]],
      [4, [-1]],
      [6, [-1, 5, 6]],
      [7, [-1]],
    ] as const) {
      const { source, give, end, rest } = told();
      const { items } = ahead(source, 3);
      give(...Array.from({ length: count }, (_, n) => n + 1), "end");
      end();
      await rest();
      expect(await all(items)).toEqual(expected);
    }
  });

  it("counts none that is taken at once", async () => {
    const { source, give, end, rest } = told();
    const { items } = ahead(source, 1);
    const taken = all(items);
    for (let n = 1; n <= 5; n += 1) {
      give(n);
      await rest();
    }
    give("end");
    end();
    expect(await taken).toEqual([1, 2, 3, 4, 5]);
  });

  it("fails as its source does, after what was read before, however late somebody takes it", async () => {
    const { source, give, fail, rest } = told();
    const { items } = ahead(source);
    give(1, 2, "end");
    fail(new Error("cut"));
    await rest();
    const taken: number[] = [];
    const take = async () => {
      for await (const item of items) taken.push(item);
    };
    await expect(take()).rejects.toThrow("cut");
    expect(taken).toEqual([1, 2]);
  });

  it("closes its source when nobody takes any more, though that waits", async () => {
    const { source, give, rest } = told();
    const { items, closed } = ahead(source);
    give(1, 2);
    await rest();
    for await (const item of items) if (item === 1) break;
    expect(closed).toEqual(["closed"]);
  });
});
