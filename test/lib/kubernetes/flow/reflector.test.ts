import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { KubeError } from "../../../../lib/kubernetes/api.ts";
import { IDLE_MS, type Reflected, reflector } from "../../../../lib/kubernetes/flow/reflector.ts";
import { ecsDeployments, type KubeObject } from "../../../../lib/kubernetes/object.ts";
import { type FakeClock, fakeClock, settle } from "../../../support/fake-clock.ts";
import { type FakeApi, fakeApi, object } from "./fake-api.ts";

let list: () => unknown;
let api: FakeApi;
let clock: FakeClock;
let copy: Reflected;
let stop: AbortController;
let running: Promise<void>;
const changed: string[] = [];
const problems: string[] = [];

const page = (version: number, ...items: KubeObject[]) => ({
  metadata: { resourceVersion: String(version) },
  items,
});
const lastWatch = () => {
  const watch = api.watches.at(-1);
  if (watch === undefined) throw new Error("nothing is watched");
  return watch;
};
const lists = () => api.calls.filter(({ method }) => method === "GET").length;
const names = () => [...copy.all()].map(({ metadata }) => metadata.name);

beforeEach(async () => {
  changed.length = 0;
  problems.length = 0;
  list = () => page(10, object("a", 1), object("b", 2));
  api = fakeApi(() => list());
  clock = fakeClock();
  stop = new AbortController();
  copy = reflector({
    api,
    resource: ecsDeployments,
    clock,
    random: () => 0.5,
    onChange: ({ metadata }) => changed.push(metadata.name),
    onListed: () => {},
    onProblem: (problem) => problems.push(problem),
  });
  running = copy.run(stop.signal);
  await settle();
});

afterEach(async () => {
  stop.abort();
  await running;
});

it("lists, then watches from where the list was taken", () => {
  expect(names()).toEqual(["a", "b"]);
  expect(copy.isListed).toBe(true);
  expect(lastWatch().version).toBe("10");
  expect(changed).toEqual(["a", "b"]);
});

it("follows what the watch tells, and forgets what is deleted", async () => {
  lastWatch().send("ADDED", object("c", 11));
  lastWatch().send("DELETED", object("a", 12));
  await settle();
  expect(names()).toEqual(["b", "c"]);
  expect(changed.slice(2)).toEqual(["c", "a"]);
});

it("takes up a watch that ended where a bookmark says, without a new list", async () => {
  lastWatch().send("BOOKMARK", { metadata: { resourceVersion: "99" } });
  lastWatch().end();
  await settle();
  expect(lastWatch().version).toBe("99");
  expect(lists()).toBe(1);
  expect(problems).toEqual([]);
});

it("lists again when the server has forgotten the place, and what the new list lacks is gone", async () => {
  list = () => page(50, object("b", 2), object("d", 40));
  lastWatch().send("ERROR", { code: 410, reason: "Expired", message: "too old" });
  await settle();
  await clock.next();
  expect(names()).toEqual(["b", "d"]);
  // b is as it was.
  expect(changed.slice(2)).toEqual(["d", "a"]);
  expect(lastWatch().version).toBe("50");
});

it("lists again when the watch is answered with 410 at once", async () => {
  lastWatch().fail(new KubeError("a watch", 410, "Expired", "too old"));
  await settle();
  await clock.next();
  expect(lists()).toBe(2);
});

it("gives up a watch that says nothing, and takes it up where it was", async () => {
  lastWatch().send("BOOKMARK", { metadata: { resourceVersion: "77" } });
  await settle();
  await clock.advance(IDLE_MS);
  expect(problems[0]).toContain("said nothing for 150 s");
  await clock.advance(1_000);
  expect(lastWatch().version).toBe("77");
  expect(lists()).toBe(1);
});

it("waits longer and longer for a server that is away, and goes on with the old copy", async () => {
  const away = new KubeError("a watch", 0, "", "connection refused");
  lastWatch().fail(away);
  await settle();
  expect(problems).toHaveLength(1);
  expect(names()).toEqual(["a", "b"]);
  await clock.next();
  expect(api.watches).toHaveLength(2);
  expect(lastWatch().version).toBe("10");
});

it("waits before it takes up a watch that ends at once, again and again", async () => {
  let opened = 0;
  api.watch = () => {
    opened += 1;
    if (opened > 1_000) throw new Error("it never waits");
    return Readable.from([]);
  };
  lastWatch().end();
  await settle();
  expect(opened).toBeLessThan(3);
  await clock.advance(60_000);
  expect(opened).toBeLessThan(60);
  expect(lists()).toBe(1);
});

it("goes on from the last event that a broken watch has told", async () => {
  lastWatch().send("MODIFIED", object("a", 44));
  lastWatch().fail(new KubeError("a watch", 0, "", "reset"));
  await settle();
  await clock.next();
  expect(lastWatch().version).toBe("44");
});

it("does not let an older event undo what a write of ours has answered", async () => {
  copy.put(object("a", 30, { spec: { ours: true } }));
  lastWatch().send("MODIFIED", object("a", 20, { spec: { ours: false } }));
  await settle();
  expect(copy.get("n/a")?.spec).toEqual({ ours: true });
});

it("lists page by page", async () => {
  stop.abort();
  await running;
  stop = new AbortController();
  let count = 0;
  list = () => {
    count += 1;
    return count === 1
      ? { metadata: { resourceVersion: "5", continue: "token" }, items: [object("x", 1)] }
      : page(5, object("y", 2));
  };
  running = copy.run(stop.signal);
  await settle();
  expect(names()).toEqual(["x", "y"]);
  expect(api.calls.at(-1)?.query).toMatchObject({ continue: "token" });
});
