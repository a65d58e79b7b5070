import { createHash } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, test } from "@jest/globals";
import { metrics } from "../../../agent/page/metrics.ts";
import { type StatusServerOptions, statusServer } from "../../../agent/page/status-server.ts";
import { readExposition } from "../../support/exposition.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { changes } from "../../support/wait.ts";

const PAGE = "<!doctype html><style>p{}</style><p>page</p><script>let a = 1;</script>";

async function bench(over: Partial<StatusServerOptions> = {}) {
  const problems: string[] = [];
  const state = { asked: 0, text: "" };
  const server = await statusServer({
    host: "127.0.0.1",
    port: 0,
    health: async () => problems,
    readiness: () => ["not yet"],
    metrics: async () => ({ contentType: "text/plain; version=0.0.4", body: "a 1\n" }),
    state: async () => {
      state.asked += 1;
      return { n: state.asked, text: state.text };
    },
    page: PAGE,
    ...over,
  });
  const { port } = new URL(server.url);
  return {
    ...server,
    problems,
    state,
    port: Number(port),
    async get(path: string, { method = "GET", host = `127.0.0.1:${port}` } = {}) {
      const sent = httpRequest({ port, path, method, agent: false, headers: { host } });
      sent.end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      const { statusCode: status, headers } = response;
      return { status, headers, body: await text(response) };
    },
    [Symbol.asyncDispose]: server.close,
  };
}

describe("what is served", () => {
  it("is health by its problems, with the reasons, to GET and HEAD", async () => {
    await using server = await bench();
    expect(await server.get("/healthz")).toMatchObject({
      status: 200,
      body: '{"ok":true,"problems":[]}\n',
    });
    server.problems.push("it is ill");
    const { status, body, headers } = await server.get("/healthz?a=b");
    expect([status, body]).toEqual([503, '{"ok":false,"problems":["it is ill"]}\n']);
    expect(headers["cache-control"]).toBe("no-store");
    expect(await server.get("/healthz", { method: "HEAD" })).toMatchObject({
      status: 503,
      body: "",
    });
    expect((await server.get("/readyz")).status).toBe(503);
    expect(await server.get("/metrics")).toMatchObject({ status: 200, body: "a 1\n" });
    expect(await server.get("/v1/state")).toMatchObject({ status: 200, body: '{"n":1,"text":""}' });
  });

  it("is the page, whose own script and style may run, and nothing else", async () => {
    await using server = await bench();
    const { body, headers } = await server.get("/");
    expect(body).toBe(PAGE);
    const hash = (source: string) => createHash("sha256").update(source).digest("base64");
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`script-src 'sha256-${hash("let a = 1;")}'`);
    expect(policy).toContain(`style-src 'sha256-${hash("p{}")}'`);
    expect(policy).not.toContain("unsafe");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  test.each(["/v1", "/toString", "/__proto__", "//", "/healthz/", "/../etc/passwd"])(
    "%s is nothing",
    async (path) => {
      await using server = await bench();
      expect((await server.get(path)).status).toBe(404);
    },
  );

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])(
    "%s changes nothing anywhere",
    async (method) => {
      await using server = await bench();
      const { status, headers } = await server.get("/v1/state", { method });
      expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
      expect(server.state.asked).toBe(0);
    },
  );

  it("fails alone: an error of one answer is that answer's", async () => {
    await using server = await bench({ state: () => Promise.reject(new Error("broken")) });
    expect(await server.get("/v1/state")).toMatchObject({ status: 500 });
    expect((await server.get("/healthz")).status).toBe(200);
  });
});

describe("the Host header", () => {
  test.each([
    ["127.0.0.1", 200],
    ["127.0.0.1:51680", 200],
    ["10.0.0.5:80", 200],
    ["[::1]:51680", 200],
    ["LocalHost:1", 200],
    ["evil.example", 421],
    ["evil.example:51680", 421],
    ["127.0.0.1.evil.example", 421],
    ["localhost.evil.example", 421],
    ["[evil.example]", 421],
    ["localhost@evil.example", 421],
  ])("%j is answered with %d", async (host, status) => {
    await using server = await bench();
    expect((await server.get("/v1/state", { host })).status).toBe(status);
  });

  it("must be there", async () => {
    await using server = await bench();
    const socket = connect(server.port, "127.0.0.1");
    socket.end("GET /v1/state HTTP/1.0\r\n\r\n");
    expect(await text(socket)).toMatch(/^HTTP\/1\.[01] 421 /);
  });

  it("may be the configured name", async () => {
    await using server = await bench({ host: "localhost" });
    expect((await server.get("/healthz", { host: "localhost:80" })).status).toBe(200);
  });
});

describe("what is too big", () => {
  test.each([
    ["a URL", `GET /${"a".repeat(2_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, "414"],
    ["headers", `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: ${"a".repeat(20_000)}\r\n\r\n`, "431"],
    ["no request at all", "\x16\x03\x01 hello\r\n\r\n", "400"],
  ])("%s is refused", async (_, bytes, status) => {
    await using server = await bench();
    const socket = connect(server.port, "127.0.0.1");
    socket.end(bytes);
    expect(await text(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

/** A raw connection to the events: what it has read so far, unless it is paused. */
async function listen(port: number) {
  const socket: Socket = connect(port, "127.0.0.1");
  const moved = changes();
  /** The end of it; all of it is long. */
  let read = "";
  let length = 0;
  let closed = false;
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
    moved.tell();
  });
  socket.on("data", (chunk: Buffer) => {
    read = (read + chunk.toString()).slice(-120_000);
    length += chunk.length;
    moved.tell();
  });
  socket.write("GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  const until = (wanted: string) =>
    moved.until(
      () => read.includes(wanted),
      () => read.slice(-2_000),
    );
  await moved.until(
    () => read.includes("\r\n\r\n"),
    () => read,
  );
  return {
    socket,
    until,
    read: () => read,
    length: () => length,
    closed: () =>
      moved.until(
        () => closed,
        () => `open, ${length} bytes`,
      ),
    isClosed: () => closed,
  };
}

describe("/v1/events", () => {
  it("gives the state at once, then what is told, and the newest state after many changes", async () => {
    await using server = await bench();
    const one = await listen(server.port);
    await one.until('event: state\ndata: {"n":1,');
    server.tell("change", 7, { a: "line\nbreak" });
    await one.until('event: change\nid: 7\ndata: {"a":"line\\nbreak"}\n\n');
    for (let n = 0; n < 1_000; n += 1) server.changed();
    await one.until('data: {"n":2,');
    expect(server.state.asked).toBe(2);
    one.socket.destroy();
  });

  it("takes a few listeners, tells the next to come later, and has room again when one leaves", async () => {
    await using server = await bench();
    const all = await Promise.all(Array.from({ length: 8 }, () => listen(server.port)));
    const { status, headers } = await server.get("/v1/events");
    expect([status, headers["retry-after"]]).toEqual([503, "5"]);
    const [first] = all;
    first?.socket.destroy();
    for (;;) {
      const next = await listen(server.port);
      const isTaken = next.read().startsWith("HTTP/1.1 200 ");
      next.socket.destroy();
      if (isTaken) break;
    }
    for (const one of all) one.socket.destroy();
  });

  it("drops a listener that does not read, and nobody else", async () => {
    await using server = await bench();
    server.state.text = "s".repeat(100_000);
    const slow = await listen(server.port);
    const quick = await listen(server.port);
    slow.socket.pause();
    const data = { text: "x".repeat(50_000) };
    // More than the kernel's buffers of both ends and the server's own bound hold.
    for (let n = 0; n < 800; n += 1) {
      server.tell("change", n, data);
      await quick.until(`id: ${n}\n`);
    }
    slow.socket.resume();
    await slow.closed();
    expect(slow.length()).toBeLessThan(quick.length() / 2);
    expect(quick.isClosed()).toBe(false);
    quick.socket.destroy();
  });
});

describe("whoever asks for much", () => {
  /** Connections that say the beginning of a request and no more. */
  const halfOpen = async (port: number, count: number): Promise<readonly Socket[]> =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        await Promise.race([once(socket, "connect"), once(socket, "close")]);
        socket.write("GET /healthz HTTP/1.1\r\nA: ");
        return socket;
      }),
    );

  it("does not keep the health check from its answer: the oldest unfinished connection goes", async () => {
    await using server = await bench();
    const all: Socket[] = [];
    for (let round = 0; round < 10; round += 1) {
      const [sockets, health] = await Promise.all([
        halfOpen(server.port, 300),
        server.get("/healthz"),
      ]);
      all.push(...sockets);
      expect(health.status).toBe(200);
    }
    const open = changes();
    for (const socket of all) socket.on("close", () => open.tell());
    await open.until(
      () => all.filter((socket) => !socket.destroyed).length <= 64,
      () => `${all.filter((socket) => !socket.destroyed).length} open`,
    );
    for (const socket of all) socket.destroy();
  });

  it("keeps no connection that was refused", async () => {
    await using server = await bench();
    for (const [path, host] of [
      ["/nothing", "127.0.0.1"],
      ["/healthz", "evil.example"],
    ]) {
      const { headers } = await server.get(path ?? "", { host: host ?? "" });
      expect(headers.connection).toBe("close");
    }
  });

  it("does not keep those who listen, whose connections are finished", async () => {
    await using server = await bench();
    const one = await listen(server.port);
    const sockets = await halfOpen(server.port, 300);
    server.tell("change", 1, "still here");
    await one.until("still here");
    for (const socket of [one.socket, ...sockets]) socket.destroy();
  });

  it("costs one state in 500 ms, however often it is asked for", async () => {
    const clock = fakeClock();
    await using server = await bench({ clock });
    await Promise.all(Array.from({ length: 50 }, () => server.get("/v1/state")));
    expect(server.state.asked).toBe(1);
    await clock.advance(499);
    expect((await server.get("/v1/state")).body).toContain('"n":1');
    await clock.advance(1);
    expect((await server.get("/v1/state")).body).toContain('"n":2');
  });
});

it("an address in use is the system's error", async () => {
  await using server = await bench();
  await expect(bench({ port: server.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

describe("metrics", () => {
  const table = {
    t_total: { kind: "counter", help: 'how "many"\\\nof', labels: ["a"] },
    t_now: { kind: "gauge", help: "now", labels: ["a"] },
    t_seconds: { kind: "histogram", help: "how long", buckets: [0.1, 1] },
  } as const;

  it("are read as they were counted, whatever a label holds", async () => {
    const { count, set, setEach, observe, text: read } = metrics<keyof typeof table>(table);
    const hostile = 'a"b\\c\nd}{,=\u0000\u2028';
    count("t_total", { a: hostile });
    count("t_total", { a: hostile }, 2);
    setEach("t_now", "a", { x: 1, y: 2 });
    setEach("t_now", "a", { y: 3 });
    set("t_now", 4, { a: "z" });
    for (const seconds of [0.05, 0.5, 5]) observe("t_seconds", seconds);
    const { body, contentType } = await read();
    expect(contentType).toContain("version=0.0.4");
    const { value, samples } = readExposition(body);
    expect(value("t_total", { a: hostile })).toBe(3);
    expect(samples.filter(({ name }) => name === "t_now")).toHaveLength(2);
    expect(value("t_seconds_bucket", { le: "1" })).toBe(2);
    expect(value("t_seconds_sum")).toBeCloseTo(5.55);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
    expect(value("process_cpu_seconds_total")).toBeGreaterThan(0);
  });

  it("refuse to be used as what they are not", () => {
    const { count } = metrics<keyof typeof table>(table);
    expect(() => count("t_now")).toThrow("t_now is not a Counter");
  });
});

describe("a text that is no exposition", () => {
  test.each([
    ["a 1", "does not end"],
    ["a 1\n", "no type"],
    ["# TYPE a gauge\na x\n", "bad value"],
    ['# TYPE a gauge\na{b="c"d="e"} 1\n', "expected"],
    ['# TYPE a gauge\na{b="\\t"} 1\n', "bad label"],
    ["# TYPE a gauge\na 1\na 2\n", "second sample"],
    ["# TYPE a gauge\n# TYPE a gauge\n", "second type"],
    ['# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\n', "do not grow"],
  ])("%j is refused", (lines, problem) => {
    expect(() => readExposition(lines)).toThrow(problem);
  });
});
