import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { asContainerId, type ContainerId } from "../../../../lib/docker/container.ts";
import {
  type DockerEngine,
  dockerEngine,
  type EngineEvent,
} from "../../../../lib/docker/io/engine.ts";
import { causes } from "../../../../lib/kit/failure.ts";
import { DOCKER_API_VERSIONS, dockerStandIn } from "../../../../lib/standins/docker/engine.ts";
import { rawServer } from "../../../fuzz/raw-server.ts";
import { engineLab, NAME_LABEL } from "../../../support/lab.ts";

const idOf = ({ id }: { readonly id: string }) => asContainerId(id) as ContainerId;

const V4 = "172.17.0.2";

/** Reads until it has as many events. */
async function take(events: AsyncIterable<EngineEvent>, count: number) {
  const taken: EngineEvent[] = [];
  for await (const event of events) if (taken.push(event) === count) break;
  return taken;
}

const readAll = (events: AsyncIterable<EngineEvent>) => take(events, Number.POSITIVE_INFINITY);

describe("a real engine", () => {
  it("says its version", async () => {
    await using lab = await engineLab();
    const { Version, ApiVersion } = await lab.docker.version();
    expect(await dockerEngine().version()).toEqual({ engine: Version, api: ApiVersion });
  });

  it("tells starts and ends of labelled containers, and nothing else", async () => {
    await using lab = await engineLab();
    const stop = new AbortController();
    const label = `${NAME_LABEL}=web-${lab.id}`;
    const events = await dockerEngine().events(label, stop.signal);
    await lab.run({ label: "other" });
    await lab.run({});
    const web = await lab.run({ label: `web-${lab.id}` });
    await web.restart();
    await web.pause();
    await web.unpause();
    await web.kill({ signal: "SIGHUP" });
    const term = { kind: "signal", signal: 15 };
    const told = [
      { kind: "start" },
      term,
      { kind: "die" },
      { kind: "start" },
      { kind: "pause" },
      { kind: "unpause" },
      { kind: "signal", signal: 1 },
    ];
    expect(await take(events, told.length)).toEqual(
      told.map((event) => ({ kind: "container", id: web.id, event })),
    );
    stop.abort();
  });

  it("ends the stream quietly when it is stopped", async () => {
    const stop = new AbortController();
    const events = await dockerEngine().events("eda-test=none", stop.signal);
    const read = readAll(events);
    stop.abort();
    expect(await read).toEqual([]);
  });

  it("lists the running containers with the label", async () => {
    await using lab = await engineLab();
    const label = `${NAME_LABEL}=web-${lab.id}`;
    const [first, second, over] = await Promise.all([
      lab.run({ label: `web-${lab.id}` }),
      lab.run({ label: `web-${lab.id}` }),
      lab.run({ label: `web-${lab.id}` }),
      lab.run({ label: "other" }),
      lab.run({}),
    ]);
    await over.kill();
    expect((await dockerEngine().running(label)).toSorted()).toEqual(
      [first.id, second.id].toSorted(),
    );
  });

  it("shows a container that runs, has ended, is removed", async () => {
    await using lab = await engineLab();
    const { inspect } = dockerEngine();
    const web = await lab.run({ label: "web", labels: { ["__proto__"]: "x" }, name: "web" });
    const { NetworkSettings } = await web.inspect();
    const address = NetworkSettings.Networks[lab.named("network")]?.IPAddress;
    const seen = await inspect(idOf(web));
    expect(seen).toMatchObject({
      id: web.id,
      name: lab.named("web"),
      running: true,
      networkMode: lab.named("network"),
      addresses: [address],
    });
    expect([...(seen?.labels ?? [])]).toContainEqual([NAME_LABEL, "web"]);

    const sharing = await lab.run({ networkMode: `container:${web.id}` });
    expect(await inspect(idOf(sharing))).toMatchObject({
      networkMode: `container:${web.id}`,
      addresses: [],
    });

    await web.kill();
    expect(await inspect(idOf(web))).toMatchObject({ running: false, addresses: [] });
    await web.remove();
    expect(await inspect(idOf(web))).toBeUndefined();
  });

  it("calls a container that waits for its restart policy not running", async () => {
    await using lab = await engineLab();
    const fails = await lab.run({
      command: ["sh", "-c", "exit 1"],
      restartPolicy: { Name: "on-failure" },
    });
    // Docker doubles the delay each time, so in the end one is long enough for three looks.
    for (;;) {
      const before = await fails.inspect();
      const seen = await dockerEngine().inspect(idOf(fails));
      const after = await fails.inspect();
      if (!before.State.Restarting || before.RestartCount !== after.RestartCount) continue;
      if (!after.State.Restarting) continue;
      expect(before.State.Running).toBe(true);
      expect(seen).toMatchObject({ running: false });
      break;
    }
  });
});

describe.each(DOCKER_API_VERSIONS)("an engine of API %s", (apiVersion) => {
  const simulated = async () => {
    const folder = await mkdtemp(join(tmpdir(), "eda-test-"));
    const socketPath = join(folder, "docker.sock");
    const standIn = await dockerStandIn({ socketPath, apiVersion });
    return {
      standIn,
      engine: dockerEngine({ socketPath }),
      async [Symbol.asyncDispose]() {
        await standIn.close();
        await rm(folder, { recursive: true });
      },
    };
  };
  const id = "a".repeat(64) as ContainerId;
  const never = new AbortController().signal;
  const calls: readonly [string, (engine: DockerEngine) => Promise<unknown>][] = [
    ["version", (engine) => engine.version()],
    ["events", (engine) => engine.events("label", never)],
    ["container list", (engine) => engine.running("label")],
    ["container", (engine) => engine.inspect(id)],
  ];

  it("is read without a version of the API, so that none is too old or too new", async () => {
    await using one = await simulated();
    const labels = { [NAME_LABEL]: "web" };
    const web = one.standIn.run({ name: "web", labels, networkMode: "bridge", address: V4 });
    const beside = one.standIn.run({
      name: "beside",
      labels,
      networkMode: `container:${web}`,
      healthcheck: true,
      stopSignal: "SIGQUIT",
    });
    expect(await one.engine.version()).toMatchObject({ api: apiVersion });
    expect(await one.engine.running(NAME_LABEL)).toEqual([beside, web]);
    const seen = { running: true, paused: false, labels: new Map([[NAME_LABEL, "web"]]) };
    expect(await one.engine.inspect(web as ContainerId)).toEqual({
      ...seen,
      id: web,
      name: "web",
      health: "none",
      stopSignal: 15,
      networkMode: "bridge",
      addresses: [V4],
      addresses6: [],
      networks: new Map([["bridge", V4]]),
    });
    expect(await one.engine.inspect(beside as ContainerId)).toEqual({
      ...seen,
      id: beside,
      name: "beside",
      health: "starting",
      stopSignal: 3,
      networkMode: `container:${web}`,
      addresses: [],
      addresses6: [],
      networks: new Map(),
    });
    const events = await one.engine.events(NAME_LABEL, never);
    one.standIn.health(beside, "healthy");
    one.standIn.kill(beside, 3, { survives: true });
    one.standIn.crash(web);
    const told = (id: string, event: object) => ({ kind: "container", id, event });
    expect(await take(events, 3)).toEqual([
      told(beside, { kind: "health", health: "healthy" }),
      told(beside, { kind: "signal", signal: 3 }),
      told(web, { kind: "die" }),
    ]);
    expect(one.standIn.requests.map(({ path }) => path.split("?")[0])).toEqual([
      "/version",
      "/containers/json",
      `/containers/${web}/json`,
      `/containers/${beside}/json`,
      "/events",
    ]);
  });

  it.each(calls)("is Unavailable when it fails to answer %s", async (what, call) => {
    await using one = await simulated();
    one.standIn.fail({ path: /./, kind: { status: 500, message: "out of order" } });
    await expect(call(one.engine)).rejects.toMatchObject({
      name: "Unavailable",
      message: `Docker did not answer ${what}`,
      cause: { message: "out of order" },
    });
    one.standIn.clearFaults();
    one.standIn.fail({ path: /./, kind: "reset" });
    await expect(call(one.engine)).rejects.toMatchObject({ name: "Unavailable" });
    await one.standIn.close();
    await expect(call(one.engine)).rejects.toMatchObject({
      name: "Unavailable",
      cause: { code: "ENOENT" },
    });
  });

  it.each(calls)("is Fatal when it refuses %s", async (what, call) => {
    await using one = await simulated();
    one.standIn.fail({ path: /./, kind: { status: 403, message: "not for you" } });
    await expect(call(one.engine)).rejects.toMatchObject({
      name: "Fatal",
      message: `Docker refused ${what} with status 403`,
      cause: { message: "not for you" },
    });
  });

  it.each([408, 429])(
    "is Unavailable when it, or a proxy, asks for patience with %d",
    async (status) => {
      await using one = await simulated();
      one.standIn.fail({ path: /./, kind: { status, message: "later" } });
      for (const [, call] of calls) {
        await expect(call(one.engine)).rejects.toMatchObject({ name: "Unavailable" });
      }
    },
  );

  it.each(calls.filter(([what]) => what !== "events"))(
    "is Unavailable when it answers %s in an unknown shape",
    async (what, call) => {
      await using one = await simulated();
      one.standIn.fail({ path: /./, kind: { status: 200, message: "?" } });
      await expect(call(one.engine)).rejects.toMatchObject({
        name: "Unavailable",
        message: `Docker answered ${what} in an unknown shape`,
      });
    },
  );

  it("is read whatever the case of the label's key, which its own filter would not find", async () => {
    await using one = await simulated();
    const labels = { "Discovery.Service.Name": "web" };
    const listed = one.standIn.run({ labels });
    one.standIn.run({ labels: { "discovery.service.names": "web" } });
    expect(await one.engine.running(NAME_LABEL)).toEqual([listed]);
    const events = await one.engine.events(NAME_LABEL, never);
    const web = one.standIn.run({ labels });
    expect(await take(events, 1)).toEqual([
      { kind: "container", id: web, event: { kind: "start" } },
    ]);
  });

  it("keeps only what is of use of a container, and says so of one that is too long", async () => {
    await using one = await simulated();
    const socketPath = one.standIn.socketPath;
    const engine = dockerEngine({ socketPath, keepsLabel: (key) => key === NAME_LABEL });
    const long = "x".repeat(4_194_304);
    const labelled = one.standIn.run({ labels: { [NAME_LABEL]: "web", long } }) as ContainerId;
    expect((await engine.inspect(labelled))?.labels).toEqual(new Map([[NAME_LABEL, "web"]]));
    expect(await one.engine.inspect(labelled)).toMatchObject({ labels: { size: 2 } });
    const tooLong = one.standIn.run({ labels: { [NAME_LABEL]: "web", a: long, b: long } });
    expect(await engine.inspect(tooLong as ContainerId)).toMatchObject({
      unreadable: "more than 8 MiB",
    });
    expect(await engine.running(NAME_LABEL)).toHaveLength(2);
  });

  it("has no container under an id that it does not know", async () => {
    await using one = await simulated();
    expect(await one.engine.inspect(id)).toBeUndefined();
  });

  it.each([
    ["reset", "Docker cut its event stream"],
    ["end", "Docker ended its event stream"],
  ] as const)("throws Unavailable when its stream ends (%s)", async (how, message) => {
    await using one = await simulated();
    const events = await one.engine.events(NAME_LABEL, never);
    const read = readAll(events);
    one.standIn.cutStreams(how);
    await expect(read).rejects.toMatchObject({ name: "Unavailable", message });
  });

  it("tells what it cannot read, and reads on", async () => {
    await using one = await simulated();
    const events = await one.engine.events(NAME_LABEL, never);
    one.standIn.emitLine("no JSON\n");
    one.standIn.emitLine('{"Type":"network","Action":"connect","Actor":{"ID":"x"}}\n');
    one.standIn.emitLine('{"Type":"container","Action":"start"}\n');
    one.standIn.emitLine(`"${"x".repeat(1_048_576)}"\n`);
    const long = one.standIn.run({ labels: { [NAME_LABEL]: "web", long: "x".repeat(2_097_152) } });
    one.standIn.run({ labels: { other: "web" } });
    const web = one.standIn.run({ labels: { [NAME_LABEL]: "web" } });
    const unreadable = (problem: string) => ({ kind: "unreadable", problem });
    expect(await take(events, 6)).toEqual([
      unreadable("a line that is not JSON"),
      unreadable("a line that is not a container's event"),
      unreadable("a line that is not a container's event"),
      unreadable("a line that is not a container's event"),
      { kind: "container", id: long, event: { kind: "start" } },
      { kind: "container", id: web, event: { kind: "start" } },
    ]);
  });
});

describe("an engine whose errors are not what they should be", () => {
  const NESTED = `${"[".repeat(200_000)}1${"]".repeat(200_000)}`;
  const id = "a".repeat(64) as ContainerId;
  const never = new AbortController().signal;
  it.each<readonly [string, (engine: DockerEngine) => Promise<unknown>]>([
    ["version", (engine) => engine.version()],
    ["events", (engine) => engine.events("label", never)],
    ["container list", (engine) => engine.running("label")],
    ["container", (engine) => engine.inspect(id)],
  ])("is Unavailable when asked for %s", async (what, ask) => {
    await using server = await rawServer("socket");
    const engine = dockerEngine({ socketPath: server.socketPath });
    for (const body of [NESTED, `{"message":${NESTED}}`, '{"message":{"toString":1}}', "null"]) {
      server.answer = { status: 500, chunks: [body] };
      await expect(ask(engine)).rejects.toMatchObject({
        name: "Unavailable",
        message: `Docker did not answer ${what}`,
      });
      // Not Docker's own words: a proxy before its socket may say better later.
      server.answer = { status: 403, chunks: [body] };
      await expect(ask(engine)).rejects.toMatchObject({
        name: "Unavailable",
        message: `Docker did not answer ${what}`,
        cause: { message: expect.stringMatching(/^status 403/) },
      });
    }
  });

  it("tells no more than the beginning of a long one", async () => {
    await using server = await rawServer("socket");
    server.answer = { status: 500, chunks: Array.from({ length: 64 }, () => "x".repeat(65_536)) };
    const engine = dockerEngine({ socketPath: server.socketPath });
    const refused = await engine.version().catch((error: unknown) => error);
    expect(causes(refused)).toMatch(/^Docker did not answer version: status 500: x{1000}$/);
  });
});

it("is Fatal when DOCKER_HOST is no address", () => {
  const before = process.env["DOCKER_HOST"];
  process.env["DOCKER_HOST"] = "tcp://[";
  try {
    expect(() => dockerEngine()).toThrow(
      expect.objectContaining({
        name: "Fatal",
        message: "DOCKER_HOST: expected unix:///path or tcp://host:port",
      }),
    );
  } finally {
    if (before === undefined) delete process.env["DOCKER_HOST"];
    else process.env["DOCKER_HOST"] = before;
  }
});
