import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "@jest/globals";
import Docker from "dockerode";
import {
  type ContainerSpec,
  type ContainerView,
  DOCKER_API_VERSIONS,
  type DockerApiVersion,
  type DockerStandIn,
  type DockerStandInOptions,
  dockerStandIn,
} from "../../../../lib/standins/docker/engine.ts";

interface SeenEvent {
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Record<string, string> };
  readonly scope: string;
  readonly time: number;
  readonly timeNano: number;
}

const label = "discovery.service.name";
const filtered = (filters: Record<string, string[]>) => ({ filters: JSON.stringify(filters) });

let folder: string;
let opened: DockerStandIn[];
let version: DockerApiVersion;

/** Tests of what engines of all API versions have in common. */
const describeEach = (what: string, tests: () => void) =>
  describe.each(DOCKER_API_VERSIONS)(`API %s: ${what}`, (apiVersion) => {
    beforeEach(() => {
      version = apiVersion;
    });
    tests();
  });

beforeEach(async () => {
  version = "1.52";
  folder = await mkdtemp(join(tmpdir(), "docker-"));
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((engine) => engine.close()));
  await rm(folder, { recursive: true });
});

const engineOf = async (options: Omit<DockerStandInOptions, "socketPath"> = {}) => {
  const socketPath = join(folder, `${opened.length}.sock`);
  const engine = await dockerStandIn({ socketPath, apiVersion: version, ...options });
  opened.push(engine);
  return { engine, docker: new Docker({ socketPath }) };
};

/** The types know `since` and `until` as numbers only; the engine reads fractions, too. */
const eventStream = (docker: Docker, options: object) =>
  docker.getEvents(options as Docker.GetEventsOptions);

const textOf = async (stream: AsyncIterable<unknown>): Promise<string> => {
  let whole = "";
  for await (const chunk of stream) whole += String(chunk);
  return whole;
};

const eventsOf = async (stream: AsyncIterable<unknown>): Promise<readonly SeenEvent[]> =>
  (await textOf(stream))
    .split("\n")
    .filter((line) => line !== "")
    .map((line): SeenEvent => JSON.parse(line));

/** Everything a stream of this engine shows while `drive` runs. */
const watch = async (
  { engine, docker }: Awaited<ReturnType<typeof engineOf>>,
  filters: Record<string, string[]>,
  drive: () => void,
): Promise<readonly SeenEvent[]> => {
  const stream = await eventStream(docker, filtered(filters));
  await engine.untilStreams(1);
  drive();
  engine.cutStreams("end");
  return eventsOf(stream);
};

/** `kill(15)`, `die(0)`, `network connect`, `start`. */
const named = ({ Type, Action, Actor: { Attributes } }: SeenEvent): string => {
  const detail = Attributes["signal"] ?? Attributes["exitCode"];
  const action = detail === undefined ? Action : `${Action}(${detail})`;
  return Type === "container" ? action : `${Type} ${action}`;
};

const rejectionOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a rejection");
};

/** Status and body of one bare request. */
const ask = (socketPath: string, path: string, method = "GET") =>
  new Promise<{ status: number; type: string; body: string }>((resolve, reject) => {
    const asked = request({ socketPath, path, method, agent: false }, (response) => {
      const type = response.headers["content-type"] ?? "";
      textOf(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, type, body }),
        reject,
      );
    });
    asked.on("error", reject);
    asked.end();
  });

describeEach("a container's life, as its events tell it", () => {
  test.each<[string, (engine: DockerStandIn) => void, readonly string[]]>([
    ["run", (engine) => void engine.run(), ["create", "start"]],
    [
      "stop",
      (engine) => engine.stop(engine.run()),
      ["create", "start", "kill(15)", "die(0)", "stop"],
    ],
    [
      "stop with a stop signal of its own",
      (engine) => engine.stop(engine.run({ stopSignal: "SIGINT" })),
      ["create", "start", "kill(2)", "die(0)", "stop"],
    ],
    [
      "stop, ignoring TERM",
      (engine) => engine.stop(engine.run(), { ignoresTerm: true }),
      ["create", "start", "kill(15)", "kill(9)", "die(137)", "stop"],
    ],
    [
      "stop of a paused one",
      (engine) => {
        const id = engine.run();
        engine.pause(id);
        engine.stop(id);
      },
      ["create", "start", "pause", "kill(15)", "unpause", "kill(9)", "die(137)", "stop"],
    ],
    ["kill -9", (engine) => engine.kill(engine.run()), ["create", "start", "kill(9)", "die(137)"]],
    [
      "signals it survives",
      (engine) => {
        const id = engine.run();
        engine.kill(id, 1);
        engine.kill(id, 10);
      },
      ["create", "start", "kill(1)", "kill(10)"],
    ],
    [
      "a stop signal that it takes its time for",
      (engine) => {
        const id = engine.run();
        engine.kill(id, 15, { survives: true });
        engine.kill(id, 9, { survives: true });
      },
      ["create", "start", "kill(15)", "kill(9)", "die(137)"],
    ],
    ["crash", (engine) => engine.crash(engine.run(), 3), ["create", "start", "die(3)"]],
    ["oom", (engine) => engine.oom(engine.run()), ["create", "start", "oom", "die(137)"]],
    [
      "restart",
      (engine) => engine.restart(engine.run()),
      ["create", "start", "kill(15)", "die(0)", "stop", "start", "restart"],
    ],
    [
      "a restart policy",
      (engine) => engine.autoRestart(engine.run()),
      ["create", "start", "die(1)", "start"],
    ],
    [
      "rm -f",
      (engine) => engine.remove(engine.run(), { force: true }),
      ["create", "start", "kill(9)", "die(137)", "destroy"],
    ],
    [
      "stop, then rm",
      (engine) => {
        const id = engine.run();
        engine.stop(id);
        engine.stop(id);
        engine.remove(id);
      },
      ["create", "start", "kill(15)", "die(0)", "stop", "destroy"],
    ],
    [
      "health, on transitions only",
      (engine) => {
        const id = engine.run({ healthcheck: true });
        engine.health(id, "healthy");
        engine.health(id, "healthy");
        engine.health(id, "unhealthy");
        engine.restart(id);
        engine.health(id, "healthy");
      },
      [
        "create",
        "start",
        "health_status: healthy",
        "health_status: unhealthy",
        "kill(15)",
        "die(0)",
        "stop",
        "start",
        "restart",
        "health_status: healthy",
      ],
    ],
    [
      "restart with a network of its own",
      (engine) => engine.restart(engine.run({ networkMode: "bridge" })),
      [
        "create",
        "network connect",
        "start",
        "kill(15)",
        "die(0)",
        "network disconnect",
        "stop",
        "network connect",
        "start",
        "restart",
      ],
    ],
    [
      "a restart policy with a network of its own",
      (engine) => engine.autoRestart(engine.run({ networkMode: "bridge" })),
      [
        "create",
        "network connect",
        "start",
        "die(1)",
        "network disconnect",
        "network connect",
        "start",
      ],
    ],
    ["adoption is silent", (engine) => void engine.adopt({ name: "old" }), []],
  ])("%s", async (_, drive, expected) => {
    const given = await engineOf();
    const seen = await watch(given, {}, () => drive(given.engine));
    expect(seen.map(named)).toEqual(expected);
  });

  test.each<[string, (engine: DockerStandIn) => void, string]>([
    [
      "kill of a stopped one",
      (e) => e.kill(e.create()),
      "kill: expected a running container, got created",
    ],
    [
      "rm of a running one",
      (e) => e.remove(e.run()),
      "remove: expected a stopped container or force, got running",
    ],
    [
      "unpause of a running one",
      (e) => e.unpause(e.run()),
      "unpause: expected a paused container, got running",
    ],
    [
      "health without a check",
      (e) => e.health(e.run(), "healthy"),
      "health: expected a container with a health check",
    ],
    [
      "start of a paused one",
      (e) => {
        const id = e.run();
        e.pause(id);
        e.start(id);
      },
      "start: expected a stopped container, got paused",
    ],
    [
      "pause of a stopped one",
      (e) => e.pause(e.create()),
      "pause: expected a running container, got created",
    ],
    [
      "health of a stopped one",
      (e) => e.health(e.create({ healthcheck: true }), "healthy"),
      "health: expected a running container, got created",
    ],
    [
      "an unknown stop signal",
      (e) => e.stop(e.run({ stopSignal: "SIGNONE" })),
      "expected a stop signal, got SIGNONE",
    ],
    ["an unknown id", (e) => e.start("abc"), "expected a container's full id, got abc"],
    ["an id that is none", (e) => void e.run({ id: "abc" }), "expected 64 hex digits, got abc"],
    [
      "a taken name",
      (e) => {
        e.run({ name: "web", id: "a".repeat(64) });
        e.run({ name: "web", id: "b".repeat(64) });
      },
      `expected a new id and name, got ${"b".repeat(64)} web`,
    ],
  ])("refuses %s", async (_, drive, message) => {
    const { engine } = await engineOf();
    expect(() => drive(engine)).toThrow(message);
  });
});

describeEach("GET /events", () => {
  it("shows only what all filters let through", async () => {
    const given = await engineOf();
    let web = "";
    const filters = { type: ["container"], label: [label], event: ["start", "die"] };
    const seen = await watch(given, filters, () => {
      given.engine.run({ name: "plain" });
      web = given.engine.run({ name: "web", labels: { [label]: "web" }, networkMode: "bridge" });
      given.engine.stop(web);
    });
    expect(seen.map(named)).toEqual(["start", "die(0)"]);
    expect(seen.map(({ Actor }) => Actor.ID)).toEqual([web, web]);
  });

  it("replays from `since` on, which is inclusive, then stays open", async () => {
    const { engine, docker } = await engineOf({ wallMs: () => 1_700_000_000_000 });
    const id = engine.run();
    engine.crash(id);
    const since = "1700000000.000001000";
    const stream = await eventStream(docker, { since });
    await engine.untilStreams(1);
    engine.start(id);
    engine.cutStreams("end");
    expect((await eventsOf(stream)).map(named)).toEqual(["start", "die(1)", "start"]);
  });

  it("replays up to a past `until` and ends", async () => {
    let nowMs = 1_700_000_000_000;
    const { engine, docker } = await engineOf({ wallMs: () => nowMs });
    engine.create({ name: "first" });
    nowMs += 5000;
    engine.create({ name: "second" });
    nowMs += 5000;
    const stream = await eventStream(docker, { until: "1700000001" });
    const seen = await eventsOf(stream);
    expect(seen.map(({ Actor }) => Actor.Attributes["name"])).toEqual(["first"]);
    expect(engine.openStreams).toBe(0);
  });

  it("ends at a coming `until`, by its clock", async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const slept: number[] = [];
    const clock = {
      now: () => 0,
      sleep: (ms: number) => {
        slept.push(ms);
        return reached;
      },
    };
    const { engine, docker } = await engineOf({ clock, wallMs: () => 1_700_000_000_000 });
    const stream = await eventStream(docker, { until: "1700000003" });
    await engine.untilStreams(1);
    engine.create();
    reach();
    expect((await eventsOf(stream)).map(named)).toEqual(["create"]);
    expect([slept, engine.openStreams]).toEqual([[3000], 0]);
  });

  it("replays nothing without `since`", async () => {
    const given = await engineOf();
    given.engine.run();
    expect(await watch(given, {}, () => undefined)).toEqual([]);
  });

  it("remembers 256 events of all kinds, before any filter", async () => {
    const { engine, docker } = await engineOf();
    engine.run({ labels: { [label]: "web" } });
    const replay = async () => {
      const stream = await eventStream(docker, { since: "0", ...filtered({ label: [label] }) });
      await engine.untilStreams(1);
      engine.cutStreams("end");
      return (await eventsOf(stream)).map(named);
    };
    for (let count = 0; count < 254; count += 1) engine.create();
    expect(await replay()).toEqual(["create", "start"]);
    engine.create();
    expect(await replay()).toEqual(["start"]);
    engine.create();
    expect(await replay()).toEqual([]);
  });

  it("writes all nanoseconds, and a JSON parser can tell its events apart", async () => {
    const { engine, docker } = await engineOf({ wallMs: () => 1_700_000_000_000 });
    engine.run();
    const stream = await eventStream(docker, { since: "0" });
    await engine.untilStreams(1);
    engine.cutStreams("end");
    const lines = (await textOf(stream)).trim().split("\n");
    expect(lines.map((line) => /"timeNano":(\d+)/.exec(line)?.[1])).toEqual([
      "1700000000000000000",
      "1700000000000001000",
    ]);
    const [first, second] = lines.map((line): SeenEvent => JSON.parse(line));
    expect(first?.timeNano).toBeLessThan(second?.timeNano ?? 0);
  });

  it("carries the recorded events of a real engine through the filters", async () => {
    const recorded = await readFile(new URL("docker-events.jsonl", import.meta.url), "utf8");
    const lines = recorded.trim().split("\n");
    expect(lines).toHaveLength(24);
    const { engine, docker } = await engineOf({ apiVersion: "1.41" });
    const filters = {
      type: ["container"],
      label: [label],
      event: ["start", "die", "kill", "health_status"],
    };
    const stream = await eventStream(docker, filtered(filters));
    await engine.untilStreams(1);
    for (const line of lines) engine.emit(line);
    engine.cutStreams("end");
    const wanted = lines.filter((line) =>
      /"Action":"(start|die|kill|health_status: \w+)"/.test(line),
    );
    expect(wanted).toHaveLength(7);
    expect(await textOf(stream)).toBe(`${wanted.join("\n")}\n`);
  });

  it("emits an object as well, through filters and replay", async () => {
    const given = await engineOf();
    const odd = { Type: "container", Action: "start", Actor: null, extra: [1] };
    expect(await watch(given, { event: ["start"] }, () => given.engine.emit(odd))).toEqual([odd]);
    expect(await watch(given, { event: ["die"] }, () => given.engine.emit(odd))).toEqual([]);
  });

  it("writes raw bytes past the filters, and forgets them", async () => {
    const { engine, docker } = await engineOf();
    const stream = await eventStream(docker, filtered({ event: ["die"] }));
    await engine.untilStreams(1);
    engine.emitLine("{half");
    engine.emitLine(Buffer.from([0xc3, 0x28]));
    engine.cutStreams("end");
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
    expect(Buffer.concat(chunks)).toEqual(Buffer.from([...Buffer.from("{half"), 0xc3, 0x28]));
  });

  it("a cut stream fails at the client, and the next one is a new one", async () => {
    const { engine, docker } = await engineOf();
    const first = await eventStream(docker, {});
    await engine.untilStreams(1);
    engine.cutStreams();
    expect(engine.openStreams).toBe(0);
    expect(await rejectionOf(textOf(first))).toMatchObject({ code: "ECONNRESET" });
    await eventStream(docker, {});
    await engine.untilStreams(1);
  });

  it("notices a client that leaves", async () => {
    const { engine, docker } = await engineOf();
    const counts: number[] = [];
    engine.onStreams((open) => counts.push(open));
    const leave = new AbortController();
    const stream = await eventStream(docker, { abortSignal: leave.signal });
    await engine.untilStreams(1);
    leave.abort();
    await rejectionOf(textOf(stream));
    await engine.untilStreams(0);
    expect(counts).toEqual([1, 0]);
  });

  it("says how much a reader that does not read leaves waiting, and when it has read it", async () => {
    const { engine, docker } = await engineOf();
    const stream = await eventStream(docker, {});
    await engine.untilStreams(1);
    const labels = { big: "x".repeat(1_000_000) };
    for (let count = 0; count < 10; count += 1) engine.run({ labels });
    expect(engine.unreadBytes).toBeGreaterThan(10_000_000);
    const { promise: read, resolve } = Promise.withResolvers<void>();
    const stop = engine.onRead(() => engine.unreadBytes === 0 && resolve());
    const reading = textOf(stream);
    await read;
    stop();
    engine.cutStreams("end");
    expect((await reading).trim().split("\n")).toHaveLength(20);
  });

  it("tells a listener in the process, too", async () => {
    const { engine } = await engineOf();
    const actions: string[] = [];
    const stop = engine.onEvent(({ Action }) => actions.push(Action));
    const id = engine.run();
    stop();
    engine.crash(id);
    expect(actions).toEqual(["create", "start"]);
  });
});

describeEach("GET /containers", () => {
  it("lists running containers by label, newest first", async () => {
    const { engine, docker } = await engineOf();
    const labels = { [label]: "web" };
    const old = engine.run({ labels });
    const young = engine.run({ labels, name: "young", image: "web:2" });
    engine.run();
    engine.stop(engine.run({ labels }));
    const listed = await docker.listContainers(filtered({ label: [label] }));
    expect(listed.map(({ Id }) => Id)).toEqual([young, old]);
    expect(listed[0]).toMatchObject({
      Names: ["/young"],
      Image: "web:2",
      Labels: labels,
      State: "running",
      NetworkSettings: { Networks: {} },
    });
    expect(listed[0]?.HostConfig.NetworkMode).toMatch(/^container:[0-9a-f]{64}$/);
  });

  it("shows stopped ones with all, a status filter or a limit", async () => {
    const { engine, docker } = await engineOf();
    engine.run({ name: "up" });
    engine.stop(engine.run({ name: "down" }));
    const names = async (options: object) =>
      (await docker.listContainers(options)).map(({ Names }) => Names[0]);
    expect(await names({})).toEqual(["/up"]);
    expect(await names({ all: true })).toEqual(["/down", "/up"]);
    expect(await names(filtered({ status: ["exited"] }))).toEqual(["/down"]);
    expect(await names({ limit: 1 })).toEqual(["/down"]);
    expect(await names({ all: false })).toEqual(["/up"]);
  });

  it("follows a container through inspect", async () => {
    let nowMs = Date.UTC(2026, 10, 20);
    const { engine, docker } = await engineOf({ wallMs: () => nowMs });
    const id = engine.create({ name: "web", networkMode: "bridge", address: "172.17.0.2" });
    const look = async () => {
      const { State, NetworkSettings } = await docker.getContainer(id).inspect();
      const { Status, Running, Paused, ExitCode, StartedAt, FinishedAt } = State;
      const address = NetworkSettings.Networks["bridge"]?.IPAddress;
      return { Status, Running, Paused, ExitCode, StartedAt, FinishedAt, address };
    };
    const never = "0001-01-01T00:00:00Z";
    const created = { Status: "created", Running: false, Paused: false, ExitCode: 0, address: "" };
    expect(await look()).toEqual({ ...created, StartedAt: never, FinishedAt: never });
    engine.start(id);
    const StartedAt = "2026-11-20T00:00:00.000Z";
    const running = { ...created, Status: "running", Running: true, address: "172.17.0.2" };
    expect(await look()).toEqual({ ...running, StartedAt, FinishedAt: never });
    engine.pause(id);
    const paused = { ...running, Status: "paused", Paused: true };
    expect(await look()).toEqual({ ...paused, StartedAt, FinishedAt: never });
    engine.unpause(id);
    nowMs += 1000;
    engine.crash(id, 7);
    const exited = { ...created, Status: "exited", ExitCode: 7 };
    expect(await look()).toEqual({ ...exited, StartedAt, FinishedAt: "2026-11-20T00:00:01.000Z" });
    engine.remove(id);
    expect(await rejectionOf(look())).toMatchObject({ statusCode: 404 });
  });

  it("shows health only where there is a check, and starting again after a restart", async () => {
    const { engine, docker } = await engineOf();
    const id = engine.run({ healthcheck: true });
    const health = async (container = id) =>
      (await docker.getContainer(container).inspect()).State.Health?.Status;
    expect(await health(engine.run())).toBeUndefined();
    expect(await health()).toBe("starting");
    engine.health(id, "healthy");
    expect(await health()).toBe("healthy");
    engine.restart(id);
    expect(await health()).toBe("starting");
  });

  it("gives the same to a caller in the process", async () => {
    const { engine } = await engineOf();
    const spec: ContainerSpec = {
      name: "web",
      image: "web:2",
      labels: { [label]: "web" },
      networkMode: "bridge",
      address: "172.17.0.2",
      healthcheck: true,
    };
    const id = engine.run(spec);
    const { healthcheck: _, ...shown } = spec;
    const view: ContainerView | undefined = engine.containers()[0];
    expect(view).toEqual({ ...shown, id, status: "running", running: true, health: "starting" });
    engine.pause(id);
    expect(engine.containers()[0]).toMatchObject({ status: "paused", running: true });
    engine.kill(id);
    expect(engine.containers()[0]).toMatchObject({ status: "exited", running: false });
  });

  it("finds by id, name and unique prefix, and says what it did not find", async () => {
    const { engine, docker } = await engineOf();
    const first = engine.adopt({ id: `ab${"0".repeat(62)}`, name: "web", stopSignal: "SIGINT" });
    const second = engine.adopt({ id: `ac${"0".repeat(62)}`, name: "api" }, false);
    const find = async (reference: string) => docker.getContainer(reference).inspect();
    expect((await find(first)).Config).toMatchObject({ StopSignal: "SIGINT" });
    expect((await find("api")).State.Status).toBe("created");
    expect((await find("ac")).Id).toBe(second);
    expect(await rejectionOf(find("a"))).toMatchObject({ statusCode: 400 });
    expect(await rejectionOf(find("x"))).toMatchObject({
      statusCode: 404,
      json: { message: "No such container: x" },
    });
  });
});

describe("what differs between engines", () => {
  it.each([
    ["1.41", {}],
    ["1.44", { execDuration: "3" }],
    ["1.52", { execDuration: "3" }],
  ] as const)("API %s tells at its end how long a container ran: %j", async (apiVersion, told) => {
    let nowMs = 1_700_000_000_000;
    const given = await engineOf({ apiVersion, wallMs: () => nowMs });
    const seen = await watch(given, { event: ["die"] }, () => {
      const id = given.engine.run({ name: "web" });
      nowMs += 3999;
      given.engine.crash(id, 5);
    });
    expect(seen[0]?.Actor.Attributes).toEqual({
      ...told,
      exitCode: "5",
      image: "app:1",
      name: "web",
    });
  });

  it("a label named like a detail of the event overwrites it", async () => {
    const given = await engineOf({ apiVersion: "1.41" });
    const seen = await watch(given, { event: ["die"] }, () => {
      given.engine.crash(
        given.engine.run({ labels: { exitCode: "99", name: "x" }, name: "web" }),
        5,
      );
    });
    expect(seen[0]?.Actor.Attributes).toEqual({ exitCode: "99", image: "app:1", name: "web" });
  });

  it.each([
    ["1.41", true],
    ["1.44", true],
    ["1.52", false],
  ] as const)("API %s repeats the old fields: %p", async (apiVersion, legacy) => {
    const given = await engineOf({ apiVersion, wallMs: () => 1_700_000_000_123.5 });
    const seen = await watch(given, {}, () => {
      given.engine.run({ id: "a".repeat(64), name: "web", networkMode: "bridge" });
    });
    const [create, connect] = seen;
    expect(create).toEqual({
      ...(legacy ? { status: "create", id: "a".repeat(64), from: "app:1" } : {}),
      Type: "container",
      Action: "create",
      Actor: { ID: "a".repeat(64), Attributes: { image: "app:1", name: "web" } },
      scope: "local",
      time: 1_700_000_000,
      timeNano: 1_700_000_000_123_500_000,
    });
    expect(Object.keys(connect ?? {})).toEqual([
      "Type",
      "Action",
      "Actor",
      "scope",
      "time",
      "timeNano",
    ]);
  });

  it("an older client gets the old fields from a new engine", async () => {
    let nowMs = 1_700_000_000_000;
    const { engine } = await engineOf({ wallMs: () => nowMs });
    engine.create();
    nowMs += 5000;
    const old = await ask(engine.socketPath, "/v1.44/events?until=1700000001");
    const current = await ask(engine.socketPath, "/v1.52/events?until=1700000001");
    // What a client gets that asks for no type of its own.
    expect([old.type, current.type]).toEqual(["application/json", "application/json"]);
    expect(JSON.parse(old.body)).toMatchObject({ status: "create", ...JSON.parse(current.body) });
    expect(JSON.parse(current.body)).not.toHaveProperty("status");
  });

  it.each([
    ["1.41", "since=5&until=1", 400, "`since` time (5) cannot be after `until` time (1)"],
    ["1.41", "since=abc", 500, 'strconv.ParseInt: parsing "abc": invalid syntax'],
    ["1.41", "since=10m", 500, 'strconv.ParseInt: parsing "10m": invalid syntax'],
    ["1.41", "since=1.", 500, 'strconv.ParseInt: parsing "": invalid syntax'],
    ["1.44", "since=1.x", 500, 'strconv.ParseInt: parsing "x": invalid syntax'],
    ["1.52", "until=x", 500, 'strconv.ParseInt: parsing "x": invalid syntax'],
    ["1.44", "filters=xx", 400, "invalid filter"],
    ["1.52", "filters=xx", 400, "invalid filter"],
    ["1.52", "filters=%7B%22lable%22%3A%5B%5D%7D", 400, "invalid filter 'lable'"],
  ] as const)("API %s refuses ?%s", async (apiVersion, query, status, message) => {
    const { engine } = await engineOf({ apiVersion });
    const answer = await ask(engine.socketPath, `/events?${query}`);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([status, { message }]);
  });

  it.each(["1.41", "1.44"] as const)("API %s ignores an unknown filter", async (apiVersion) => {
    const { engine } = await engineOf({ apiVersion });
    const query = `until=1&filters=${encodeURIComponent('{"lable":["a"]}')}`;
    expect((await ask(engine.socketPath, `/events?${query}`)).status).toBe(200);
  });

  it.each([
    ["1.41", "", "172.17.0.2"],
    ["1.44", "", "172.17.0.2"],
    ["1.52", undefined, undefined],
  ] as const)(
    "API %s: outside of Networks the address is %p, on the default bridge %p",
    async (apiVersion, elsewhere, onBridge) => {
      const { engine, docker } = await engineOf({ apiVersion });
      const address = "172.17.0.2";
      const outside = async (networkMode: string) => {
        const id = engine.run({ networkMode, address });
        const { NetworkSettings } = await docker.getContainer(id).inspect();
        expect(NetworkSettings.Networks[networkMode]?.IPAddress).toBe(address);
        return Reflect.get(NetworkSettings, "IPAddress");
      };
      expect(await outside("own")).toBe(elsewhere);
      expect(await outside("bridge")).toBe(onBridge);
    },
  );

  it.each([
    ["1.41", undefined, []],
    ["1.44", undefined, ["DNSNames"]],
    ["1.52", { Status: "starting", FailingStreak: 0 }, ["DNSNames", "GwPriority"]],
  ] as const)(
    "API %s lists health as %j and networks with %j",
    async (apiVersion, health, more) => {
      const { engine, docker } = await engineOf({ apiVersion });
      engine.run({ networkMode: "bridge", healthcheck: true });
      const [listed] = await docker.listContainers();
      expect(Reflect.get(listed ?? {}, "Health")).toEqual(health);
      expect(Object.keys(listed?.NetworkSettings.Networks["bridge"] ?? {})).toEqual([
        ..."IPAMConfig Links Aliases NetworkID EndpointID Gateway IPAddress IPPrefixLen".split(" "),
        ..."IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen MacAddress DriverOpts".split(" "),
        ...more,
      ]);
    },
  );

  it("an older client gets the fields of the bridge network back from a new engine, and no health", async () => {
    const { engine } = await engineOf({ apiVersion: "1.52" });
    const bridge = engine.run({ networkMode: "bridge", address: "172.17.0.2" });
    const own = engine.run({ networkMode: "own", address: "172.18.0.2" });
    const settings = async (id: string) =>
      JSON.parse((await ask(engine.socketPath, `/v1.44/containers/${id}/json`)).body)
        .NetworkSettings;
    expect(await settings(bridge)).toMatchObject({ IPAddress: "172.17.0.2", IPPrefixLen: 16 });
    expect(await settings(bridge)).not.toHaveProperty("Bridge");
    expect(await settings(own)).not.toHaveProperty("IPAddress");
    const listed = JSON.parse((await ask(engine.socketPath, "/v1.44/containers/json")).body);
    expect(listed[0]).not.toHaveProperty("Health");
  });

  it.each(DOCKER_API_VERSIONS)(
    "API %s tells an ancient client in plain text",
    async (apiVersion) => {
      const { engine } = await engineOf({ apiVersion });
      const answer = await ask(engine.socketPath, "/v1.1/version");
      expect([answer.status, answer.type]).toEqual([400, "text/plain; charset=utf-8"]);
      expect(answer.body).toMatch(/^client version 1\.1 is too old\. .*\n$/);
    },
  );
});

describe("the API around it", () => {
  it.each([
    ["1.41", "20.10.24", "1.12"],
    ["1.44", "25.0.0", "1.24"],
    ["1.52", "29.0.0", "1.44"],
  ] as const)(
    "answers ping and version with API %s",
    async (ApiVersion, Version, MinAPIVersion) => {
      const { engine, docker } = await engineOf({ apiVersion: ApiVersion });
      expect(String(await docker.ping())).toBe("OK");
      expect(await docker.version()).toMatchObject({ Version, ApiVersion, MinAPIVersion });
      expect(await ask(engine.socketPath, "/_ping", "HEAD")).toMatchObject({
        status: 200,
        body: "",
      });
    },
  );

  it.each([
    ["1.41", "/v1.41/version", 200, undefined],
    ["1.41", "/v1.12/version", 200, undefined],
    ["1.44", "/v1.24/version", 200, undefined],
    ["1.44", "/v1.44/version", 200, undefined],
    ["1.52", "/v1.44/containers/json", 200, undefined],
    [
      "1.41",
      "/v1.99/version",
      400,
      "client version 1.99 is too new. Maximum supported API version is 1.41",
    ],
    [
      "1.44",
      "/v1.52/_ping",
      400,
      "client version 1.52 is too new. Maximum supported API version is 1.44",
    ],
    [
      "1.52",
      "/v1.41/version",
      400,
      "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version",
    ],
    ["1.52", "/nope", 404, "page not found"],
    ["1.52", "/", 404, "page not found"],
    ["1.52", "/vfoo/version", 404, "page not found"],
    ["1.52", "//version", 404, "page not found"],
  ] as const)("API %s: %s is %i", async (apiVersion, path, status, message) => {
    const { engine } = await engineOf({ apiVersion });
    const answer = await ask(engine.socketPath, path);
    expect(answer.status).toBe(status);
    if (message !== undefined) expect(JSON.parse(answer.body)).toEqual({ message });
  });

  it("refuses everything that is not a read, and remembers it", async () => {
    const { engine, docker } = await engineOf();
    const id = engine.run();
    const container = docker.getContainer(id);
    for (const attempt of [container.stop(), container.remove(), docker.createContainer({})]) {
      expect(await rejectionOf(attempt)).toMatchObject({ statusCode: 403 });
    }
    expect(engine.requests.map(({ method, status }) => [method, status])).toEqual([
      ["POST", 403],
      ["DELETE", 403],
      ["POST", 403],
    ]);
    expect(engine.requests[0]?.path).toBe(`/containers/${id}/stop`);
    expect(engine.containers()[0]?.running).toBe(true);
  });

  it("fails as told, as often as told", async () => {
    const { engine, docker } = await engineOf();
    engine.fail({
      path: /^\/containers\/json/,
      times: 1,
      kind: { status: 500, message: "broken" },
    });
    engine.fail({ path: /^\/containers\/json/, times: 1, kind: "reset" });
    engine.fail({ path: /^\/containers\/json/, kind: "hang" });
    expect(await rejectionOf(docker.listContainers())).toMatchObject({
      statusCode: 500,
      json: { message: "broken" },
    });
    expect(await rejectionOf(docker.listContainers())).toMatchObject({ code: "ECONNRESET" });
    const patience = new AbortController();
    const hanging = rejectionOf(docker.listContainers({ abortSignal: patience.signal }));
    const pinged = await docker.ping();
    expect(String(pinged)).toBe("OK");
    patience.abort();
    expect(await hanging).toMatchObject({ code: "ABORT_ERR" });
    engine.clearFaults();
    expect(await docker.listContainers()).toEqual([]);
    const statuses = engine.requests
      .filter(({ path }) => path.startsWith("/containers/json"))
      .map(({ status }) => status);
    expect(statuses.at(0)).toBe(500);
    expect(statuses.at(-1)).toBe(200);
  });

  it("answers late, by its clock", async () => {
    const asked = Promise.withResolvers<number>();
    const over = Promise.withResolvers<void>();
    const clock = {
      now: () => 0,
      sleep: (ms: number) => {
        asked.resolve(ms);
        return over.promise;
      },
    };
    const { engine, docker } = await engineOf({ clock });
    engine.fail({ path: /json/, times: 1, kind: { delayMs: 700 } });
    const listed = docker.listContainers();
    expect(await asked.promise).toBe(700);
    engine.run({ name: "meanwhile" });
    over.resolve();
    expect((await listed).map(({ Names }) => Names)).toEqual([["/meanwhile"]]);
  });

  it("answers what is true when it is let", async () => {
    const { engine, docker } = await engineOf();
    const { promise, resolve } = Promise.withResolvers<void>();
    engine.fail({ path: /json/, times: 1, kind: { after: promise } });
    const listed = docker.listContainers();
    await docker.ping();
    engine.run({ name: "meanwhile" });
    resolve();
    expect((await listed).map(({ Names }) => Names)).toEqual([["/meanwhile"]]);
  });

  it("goes down while its containers live on, and comes back without a memory of events", async () => {
    const { engine, docker } = await engineOf();
    const stays = engine.run();
    const dies = engine.run();
    const stream = await eventStream(docker, {});
    await engine.down();
    expect(await rejectionOf(textOf(stream))).toMatchObject({ code: "ECONNRESET" });
    expect(await rejectionOf(docker.ping())).toMatchObject({ code: "ENOENT" });
    engine.crash(dies);
    await engine.up();
    expect((await docker.listContainers()).map(({ Id }) => Id)).toEqual([stays]);
    const replay = await eventStream(docker, { since: "0" });
    await engine.untilStreams(1);
    engine.cutStreams("end");
    expect(await eventsOf(replay)).toEqual([]);
  });

  it("does not take over a socket that exists", async () => {
    const { engine } = await engineOf();
    const { socketPath } = engine;
    expect(await rejectionOf(dockerStandIn({ socketPath }))).toMatchObject({ code: "EADDRINUSE" });
  });

  it("is gone once closed", async () => {
    const { engine, docker } = await engineOf();
    const stream = await eventStream(docker, {});
    await engine.close();
    expect(await rejectionOf(textOf(stream))).toMatchObject({ code: "ECONNRESET" });
    expect(await rejectionOf(docker.ping())).toMatchObject({ code: "ENOENT" });
  });
});
