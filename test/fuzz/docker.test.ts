import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ContainerId } from "../../lib/docker/container.ts";
import { lives } from "../../lib/docker/flow/lives.ts";
import { type DockerEngine, dockerEngine, type EngineEvent } from "../../lib/docker/io/engine.ts";
import { containerId } from "../support/build.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { cases, FUZZ_LIMIT_MS } from "./cases.ts";
import { damage, damaged, hostileJson, hostileText, inChunks, mutatedJson } from "./hostile.ts";
import { type RawAnswer, type RawServer, rawServer } from "./raw-server.ts";

const ID = containerId(1);
let server: RawServer;
let engine: DockerEngine;
beforeAll(async (): Promise<void> => {
  server = await rawServer("socket");
  engine = dockerEngine({ socketPath: server.socketPath });
});
afterAll(async () => server[Symbol.asyncDispose]());

const idText = fc.oneof(
  fc.nat(30).map(containerId),
  fc.constantFrom("", "a".repeat(64), "A".repeat(64), "a".repeat(63), "../../etc"),
  hostileText,
);
const action = fc.oneof(
  fc.constantFrom("start", "die", "kill", "pause", "unpause", "exec_create: sh", "destroy"),
  fc.constantFrom(
    "health_status: healthy",
    "health_status: unhealthy",
    "health_status:",
    "toString",
  ),
  hostileText.map((text) => `health_status: ${text}`),
  hostileText,
);
/** As the engine writes them: a container's labels lie flat beside `signal` and `exitCode`, and overwrite them. */
const attributes = fc
  .dictionary(
    fc.oneof(
      fc.constantFrom(
        "signal",
        "exitCode",
        "image",
        "name",
        "__proto__",
        "constructor",
        "toString",
      ),
      hostileText,
    ),
    fc.oneof(hostileText, fc.constantFrom("9", "15", "SIGTERM", "RTMIN+99", "-1", "1e9")),
    { maxKeys: 6 },
  )
  .map((all) => ({ ...all, "discovery.service.name": "web" }));
const event = fc.record(
  {
    Type: fc.constantFrom("container", "container", "network", "__proto__"),
    Action: action,
    Actor: fc.record({ ID: idText, Attributes: attributes }),
    scope: fc.constant("local"),
    time: fc.double(),
    timeNano: fc.constantFrom(1_700_000_000_000_000_000, Number.MAX_VALUE),
    status: hostileText,
    id: idText,
    from: hostileText,
  },
  { requiredKeys: ["Type", "Action", "Actor"] },
);
const line = fc.oneof(
  { arbitrary: event.map((one) => JSON.stringify(one)), weight: 4 },
  mutatedJson(event),
  hostileJson,
  hostileText.map((text) => text.replaceAll("\n", " ")),
  fc.constant('{"Type":"container","Action":"die","Action":"start","Actor":{"ID":"x"}}'),
);
const bytes = fc
  .tuple(fc.array(line, { maxLength: 8 }), damage(3), fc.array(fc.nat(4_000), { maxLength: 6 }))
  .map(([lines, harm, places]) => ({
    lines,
    isWhole: harm.length === 0,
    chunks: inChunks(damaged(lines.map((one) => `${one}\n`).join(""), harm), places),
  }));
const START = JSON.stringify({
  Type: "container",
  Action: "start",
  Actor: { ID, Attributes: { "discovery.service.name": "web" } },
});

/** A whole event of a container with the label. */
function isOfInterest(line: string): boolean {
  try {
    const { Type, Action, Actor } = JSON.parse(line);
    return (
      Type === "container" &&
      typeof Action === "string" &&
      /^[0-9a-f]{64}$/.test(Actor.ID) &&
      typeof Actor.Attributes["discovery.service.name"] === "string"
    );
  } catch {
    return false;
  }
}

/** What the engine's stream says until it ends, which it does by throwing `Unavailable`. */
async function heard(): Promise<readonly EngineEvent[]> {
  const events: EngineEvent[] = [];
  const read = async () => {
    const stream = await engine.events("discovery.service.name", new AbortController().signal);
    for await (const one of stream) events.push(one);
  };
  await expect(read()).rejects.toMatchObject({ name: "Unavailable", system: "Docker" });
  return events;
}

const KINDS = ["start", "die", "pause", "unpause", "signal", "health", "other"];

describe("the event stream", () => {
  test(
    "gives one word for each line, whatever its bytes and chunks: a container to look at, or that it can't be read",
    async () => {
      await fc.assert(
        fc.asyncProperty(bytes, fc.boolean(), async ({ lines, isWhole, chunks }, cut) => {
          server.answer = { chunks: [...chunks, "\n", START, "\n"], cut };
          const events = await heard();
          const known = lives({ clock: fakeClock(), stopGraceMs: 1_000, withHealth: true });
          for (const one of events) {
            if (one.kind === "unreadable") {
              expect(one.problem).toMatch(/^a line that is /);
              continue;
            }
            expect(one.id).toMatch(/^[0-9a-f]{64}$/);
            expect(KINDS).toContain(one.event.kind);
            known.hear(one.id, one.event);
            known.see(one.id, undefined);
          }
          // A good line after all that is heard, and none is lost or doubled on the way.
          expect(events.at(-1)).toEqual({ kind: "container", id: ID, event: { kind: "start" } });
          if (!isWhole) return;
          expect(events.length).toBeGreaterThan(lines.filter(isOfInterest).length);
          expect(events.length).toBeLessThanOrEqual(lines.length + 1);
        }),
        cases(0.2),
      );
    },
    FUZZ_LIMIT_MS,
  );

  test("goes on after lines of megabytes and nests of brackets", async () => {
    const huge = `{"Type":"container","Action":"start","Actor":{"ID":"${"a".repeat(3_000_000)}"}}`;
    const deep = "[".repeat(900_000);
    server.answer = {
      chunks: [`${huge}\n${START}\n`, `${deep}\n${deep}${"]".repeat(9)}\n`, `${START}\n`],
    };
    const kinds = (await heard()).map(({ kind }) => kind);
    expect(kinds).toEqual(["unreadable", "container", "unreadable", "unreadable", "container"]);
  });
});

const inspected = fc.record(
  {
    Id: fc.constant<ContainerId>(ID),
    Name: fc.oneof(fc.constant("/web"), hostileText),
    State: fc.record(
      {
        Running: fc.boolean(),
        Paused: fc.boolean(),
        Restarting: fc.boolean(),
        Health: fc.record({
          Status: fc.oneof(fc.constantFrom("healthy", "starting"), hostileText),
        }),
      },
      { requiredKeys: ["Running"] },
    ),
    Config: fc.record(
      {
        Labels: fc.option(
          fc.dictionary(
            hostileText,
            fc.oneof(hostileText, fc.constantFrom<unknown>(7, null, [], {})),
          ),
        ),
        StopSignal: fc.oneof(fc.constantFrom("SIGTERM", "9", "__proto__"), hostileText),
        Env: fc.constant(["DB_PASSWORD=hunter2"]),
      },
      { requiredKeys: ["Labels"] },
    ),
    HostConfig: fc.record({
      NetworkMode: fc.oneof(fc.constantFrom("bridge", "host"), hostileText),
    }),
    NetworkSettings: fc.record({
      Networks: fc.option(
        fc.dictionary(
          fc.oneof(fc.constantFrom("__proto__", "bridge"), hostileText),
          fc.record(
            { IPAddress: hostileText, GlobalIPv6Address: hostileText },
            { requiredKeys: [] },
          ),
        ),
      ),
    }),
  },
  { requiredKeys: ["Id", "Name", "State", "Config", "HostConfig"] },
);
const inPieces = (text: fc.Arbitrary<string>) =>
  fc
    .tuple(text, damage(1), fc.array(fc.nat(2_000), { maxLength: 3 }))
    .map(([whole, harm, places]) => inChunks(damaged(whole, harm), places));
const inError = fc.oneof(
  hostileJson,
  hostileText.map((text) => `! ${text}`),
  hostileText.map((message) => JSON.stringify({ message })),
  fc.constantFrom("", "<html>", "{}"),
);
const headers = fc.constantFrom<Record<string, string>>(
  {},
  { "content-type": "application/json" },
  { "content-type": "text/html" },
);
const answer = (good: fc.Arbitrary<unknown>): fc.Arbitrary<RawAnswer> =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        headers,
        chunks: inPieces(
          fc.oneof(
            good.map((json) => JSON.stringify(json)),
            mutatedJson(good),
            hostileJson,
            hostileText,
            fc.constantFrom("", "null", "<html>", "[]", "{}"),
          ),
        ),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        headers,
        status: fc.constantFrom(204, 301, 400, 403, 404, 409, 500, 503),
        chunks: inError.map((text) => [text]),
      }),
    },
  );

/** What the engine answers, or that it does not in a way that the agent can tell. */
async function asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    expect(["Unavailable", "Fatal"]).toContain((error as Error).name);
    return undefined;
  }
}

describe("an engine that stops in the middle of its answer", () => {
  const cut = { chunks: ['{"Version":"1",'], cut: true };
  test.each<[string, (of: DockerEngine) => Promise<unknown>]>([
    ["the version", (of) => of.version()],
    ["the list", (of) => of.running("x")],
    ["a container", (of) => of.inspect(ID)],
  ])("is Unavailable when asked for %s", async (_, ask) => {
    server.answer = cut;
    const soon = dockerEngine({ socketPath: server.socketPath, limitMs: 100 });
    await expect(ask(soon)).rejects.toMatchObject({ name: "Unavailable", system: "Docker" });
  });
});

test("an engine that takes a subscription and says nothing is Unavailable", async () => {
  const silent = createServer();
  const socketPath = `${server.socketPath}.silent`;
  await new Promise<void>((resolve) => void silent.listen(socketPath, resolve));
  const soon = dockerEngine({ socketPath, limitMs: 100 });
  await expect(soon.events("x", new AbortController().signal)).rejects.toMatchObject({
    name: "Unavailable",
    message: "Docker did not answer events",
  });
  silent.close();
});

describe("the answers of the engine are read, or Unavailable or Fatal", () => {
  test(
    "to an inspect",
    async () => {
      let read = 0;
      await fc.assert(
        fc.asyncProperty(answer(inspected), async (raw) => {
          server.answer = raw;
          const container = await asked(() => engine.inspect(ID));
          if (container === undefined) return;
          read += 1;
          expect(container.id).toBe(ID);
          // Nothing of it is kept that was not asked for: no environment, no mounts, no commands.
          if (container.unreadable !== undefined) return;
          expect(Object.keys(container).toSorted()).toEqual([
            "addresses",
            "addresses6",
            "health",
            "id",
            "labels",
            "name",
            "networkMode",
            "networks",
            "paused",
            "running",
            "stopSignal",
          ]);
          expect(JSON.stringify([...container.labels])).not.toContain("hunter2");
          expect(["none", "starting", "healthy", "unhealthy"]).toContain(container.health);
          for (const value of container.labels.values()) expect(typeof value).toBe("string");
        }),
        cases(0.2),
      );
      expect(read).toBeGreaterThan(cases(0.2).numRuns / 20);
    },
    FUZZ_LIMIT_MS,
  );

  test(
    "to a list",
    async () => {
      const listed = fc.array(
        fc.record({
          Id: idText,
          Names: fc.array(hostileText, { maxLength: 1 }),
          Labels: fc.option(fc.dictionary(fc.oneof(fc.constant("x"), hostileText), hostileText)),
        }),
        {
          maxLength: 4,
        },
      );
      await fc.assert(
        fc.asyncProperty(answer(listed), async (raw) => {
          server.answer = raw;
          for (const id of (await asked(() => engine.running("x"))) ?? []) {
            expect(id).toMatch(/^[0-9a-f]{64}$/);
          }
        }),
        cases(0.1),
      );
    },
    FUZZ_LIMIT_MS,
  );

  test(
    "to a question for the version",
    async () => {
      const version = fc.record({ Version: hostileText, ApiVersion: hostileText });
      await fc.assert(
        fc.asyncProperty(answer(version), async (raw) => {
          server.answer = raw;
          const read = await asked(() => engine.version());
          if (read !== undefined)
            expect([typeof read.engine, typeof read.api]).toEqual(["string", "string"]);
        }),
        cases(0.1),
      );
    },
    FUZZ_LIMIT_MS,
  );
});
