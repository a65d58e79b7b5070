import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import {
  commandsBetween,
  deletionsIn,
  EMPTY,
  type Layout,
  nextLayout,
  without,
} from "../../../lib/web/layout.ts";
import { type Claim, virtualHosts } from "../../../lib/web/virtual-hosts.ts";
import { claim } from "../../support/claims.ts";

const fresh = (claims: readonly Claim[], ports: readonly number[] = [80]): Layout =>
  nextLayout(EMPTY, virtualHosts(claims), ports).layout;
const step = (before: Layout, claims: readonly Claim[], ports: readonly number[] = [80]) =>
  nextLayout(before, virtualHosts(claims), ports);

describe("commands", () => {
  it("are none when nothing changes", () => {
    const layout = fresh([claim(1, "a.x.com"), claim(2, "*.x.com")]);
    expect(
      commandsBetween(layout, step(layout, [claim(2, "*.x.com"), claim(1, "a.x.com")]).layout),
    ).toEqual([]);
  });

  it("add a server before anything leads to it", () => {
    const before = fresh([claim(1, "a.x.com")]);
    const { layout, reload } = step(before, [claim(1, "a.x.com"), claim(2, "b.x.com")]);
    expect(reload).toBeUndefined();
    const words = commandsBetween(before, layout).map((command) =>
      command.split(" ").slice(0, 3).join(" "),
    );
    expect(words).toEqual([
      "add server s1/c000000000000-172.17.0.4-80",
      "enable server s1/c000000000000-172.17.0.4-80",
      "add map plain-80.map",
      "add map hosts-80.map",
      "add map hosts-80.map",
      "add map paths-80.map",
    ]);
  });

  it("lead nowhere any more before a server goes, and delete it only later", () => {
    const before = fresh([claim(1, "a.x.com"), claim(2, "b.x.com")]);
    const { layout } = step(before, [claim(1, "a.x.com")]);
    const commands = commandsBetween(before, layout);
    expect(commands.at(-1)).toMatch(/^set server s1\/\S+ state maint$/);
    expect(commands.slice(0, -1).every((command) => command.startsWith("del map "))).toBe(true);
    const [leaver] = deletionsIn(layout);
    expect(leaver?.command).toMatch(/^del server s1\//);
    expect(deletionsIn(without(layout, leaver ? [leaver] : []))).toEqual([]);
  });

  it("take a new request from a container that drains", () => {
    const before = fresh([claim(1, "a.x.com"), claim(2, "a.x.com")]);
    const { layout } = step(before, [
      claim(1, "a.x.com", { state: "draining" }),
      claim(2, "a.x.com"),
    ]);
    expect(commandsBetween(before, layout)).toEqual([expect.stringMatching(/ state drain$/)]);
  });

  it("replace wildcards whole, the longest first", () => {
    const before = fresh([claim(1, "*.x.com")]);
    const { layout } = step(before, [claim(1, "*.x.com"), claim(2, "*.a.x.com")]);
    const commands = commandsBetween(before, layout).filter((command) => command.includes("wild"));
    expect(commands).toEqual([
      "prepare map wild-80.map",
      "add map @1 wild-80.map .a.x.com *.a.x.com",
      "add map @1 wild-80.map .x.com *.x.com",
      "commit map @1 wild-80.map",
    ]);
  });
});

/** A host with labels beside its name. */
const withOptions = (number: number, name: string, options: Partial<Claim["options"]>): Claim => ({
  ...claim(number, name),
  options: { ...claim(number, name).options, ...options },
});

describe("a request needs but one look-up", () => {
  test.each<[string, readonly Claim[], readonly string[]]>([
    ["for a host of which there is no more to know", [claim(1, "a.x.com")], ["a.x.com"]],
    [
      "whatever the size of its bodies",
      [withOptions(1, "a.x.com", { uploadBytes: 1 })],
      ["a.x.com"],
    ],
    ["not where the path decides", [claim(1, "a.x.com"), claim(2, "a.x.com", { path: "/p" })], []],
    ["not for a wildcard", [claim(1, "*.x.com")], []],
    ["not where an answer has its own time", [withOptions(1, "a.x.com", { timeoutMs: 1 })], []],
    [
      "not where clients are sent elsewhere",
      [withOptions(1, "a.x.com", { redirect: "https" })],
      [],
    ],
  ])("%s", (_, claims, keys) => {
    expect([...(fresh(claims).maps.get("plain-80.map")?.keys() ?? [])]).toEqual(keys);
  });

  it("by the host as clients write it: with the port, where the scheme does not say it", () => {
    const { maps } = fresh([claim(1, "a.x.com", { listen: 8080 })], [8080]);
    expect([...(maps.get("plain-8080.map") ?? [])]).toEqual([["a.x.com:8080", "s0"]]);
  });
});

describe("the files are read anew", () => {
  it("for another listen port", () => {
    expect(step(fresh([]), [claim(1, "a.x.com", { listen: 81 })], [80, 81]).reload).toBe(
      "another listen port",
    );
  });

  it("when no backend is free: then there are twice as many", () => {
    const before = fresh(Array.from({ length: 64 }, (_, n) => claim(n + 1, `n${n}.x.com`)));
    expect(before.counts.s).toBe(64);
    const next = step(
      before,
      Array.from({ length: 65 }, (_, n) => claim(n + 1, `n${n}.x.com`)),
    );
    expect(next.reload).toBe("no free backend");
    expect(next.layout.counts.s).toBe(128);
  });

  it("for a pool that is sticky by cookie", () => {
    const cookie = {
      ...claim(1, "a.x.com"),
      options: { ...claim(1, "").options, sticky: "cookie" as const },
    };
    expect(step(fresh([]), [cookie]).reload).toBe("sticky by cookie");
    expect(step(fresh([cookie]), [cookie]).reload).toBeUndefined();
  });

  it("not for a backend whose servers only wait for their end: nobody else gets that one", () => {
    const before = fresh([claim(1, "a.x.com")]);
    const gone = step(before, []).layout;
    const next = step(gone, [claim(2, "b.x.com")]).layout;
    expect(next.slots.get("80 b.x.com")).toBe("s1");
  });
});

/** What the engine holds after the commands, by the same words that it would read. */
function obey(
  layout: Layout,
  commands: readonly string[],
): { readonly maps: unknown; readonly ready: unknown } {
  const maps = new Map([...layout.maps].map(([name, entries]) => [name, new Map(entries)]));
  const pending = new Map<string, Map<string, string>>();
  const servers = new Map<string, string>(
    [...layout.members].flatMap(([slot, members]) =>
      [...members.values()].map(({ name, state }) => [`${slot}/${name}`, state] as const),
    ),
  );
  for (const command of commands) {
    const [verb, noun, ...words] = command.split(" ") as [string, string, ...string[]];
    const [first = "", second = "", third = "", fourth = ""] = words;
    if (noun === "server") {
      if (verb === "add") servers.set(first, "maint");
      else if (verb === "enable") servers.set(first, "ready");
      else if (second === "state") servers.set(first, third);
      continue;
    }
    const map = first.startsWith("@") ? second : first;
    const entries = maps.get(map) ?? new Map<string, string>();
    maps.set(map, entries);
    if (verb === "prepare") pending.set(map, new Map());
    else if (verb === "commit") maps.set(map, pending.get(map) ?? new Map());
    else if (first.startsWith("@")) pending.get(map)?.set(third, fourth);
    else if (verb === "add" && entries.has(second))
      throw new Error(`${second} would be there twice`);
    else if (verb === "set" && !entries.has(second)) throw new Error(`${second} is not there`);
    else if (verb === "del") entries.delete(second);
    else entries.set(second, third);
  }
  return {
    maps: Object.fromEntries(
      [...maps].map(([name, entries]) => [name, Object.fromEntries(entries)]),
    ),
    ready: [...servers]
      .filter(([, state]) => state === "ready")
      .map(([name]) => name)
      .toSorted(),
  };
}

it("whatever comes and goes, the commands make the engine what the layout says", () => {
  const claims = fc.array(
    fc.record({
      number: fc.integer({ min: 1, max: 12 }),
      name: fc.constantFrom("a.x.com", "b.x.com", "*.x.com", "*.b.x.com", "c", "www.c.org"),
      path: fc.constantFrom("", "/api"),
      state: fc.constantFrom("serving" as const, "draining" as const, "unhealthy" as const),
    }),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(fc.array(claims, { minLength: 2, maxLength: 6 }), (rounds) => {
      let layout = fresh([]);
      for (const round of rounds) {
        const asked = round.map(({ number, name, ...more }) => claim(number, name, more));
        const next = step(layout, asked);
        expect(next.reload).toBeUndefined();
        expect(obey(layout, commandsBetween(layout, next.layout))).toEqual(obey(next.layout, []));
        layout = next.layout;
      }
    }),
    { numRuns: 300 },
  );
});
