import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "@jest/globals";
import { systemClock } from "../../../../lib/kit/flow/clock.ts";
import { type Backend, backendKey } from "../../../../lib/net/backend.ts";
import {
  type TcpProxy,
  type TcpProxyOptions,
  tcpProxy,
} from "../../../../lib/net/flow/tcp-proxy.ts";
import { fakeClock } from "../../../support/fake-clock.ts";
import { client, refusingPort, silentPort, task } from "../../../support/tcp-peers.ts";

const started: TcpProxy[] = [];
afterEach(async () => {
  for (const proxy of started.splice(0)) {
    proxy.stopListening();
    proxy.cut();
    await proxy.drained();
  }
});

async function proxyOf(
  backends: readonly Backend[],
  over: Partial<TcpProxyOptions> = {},
): Promise<TcpProxy> {
  const proxy = tcpProxy({
    host: "127.0.0.1",
    port: 0,
    policy: "p2c",
    connectTimeoutMs: 250,
    clock: systemClock,
    random: Math.random,
    ...over,
  });
  proxy.setBackends(backends);
  await proxy.listen();
  started.push(proxy);
  return proxy;
}
const at = (id: string, port: number): Backend => ({ id, address: "127.0.0.1", port, weight: 1 });

describe("bytes", () => {
  it("go both ways unchanged, more than any buffer holds, at the slower side's pace", async () => {
    await using echo = await task("a", (socket) => void socket.pipe(socket));
    const proxy = await proxyOf([echo.backend]);
    const sent = randomBytes(8 * 1_048_576);
    const { socket } = client(proxy.port);
    const hash = createHash("sha256");
    let length = 0;
    socket.removeAllListeners("data");
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      length += text.length;
      hash.update(text, "latin1");
    });
    socket.end(sent);
    await once(socket, "end");
    expect(length).toBe(sent.length);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(sent).digest("hex"));
    const [figures] = proxy.backends();
    await proxy.drained();
    expect(figures).toMatchObject({ connections: 1, failures: 0 });
    expect(proxy.backends()[0]).toMatchObject({
      open: 0,
      bytesSent: sent.length,
      bytesReceived: sent.length,
    });
  });

  it("are held back while the client does not read, so that memory stays bounded", async () => {
    let written = 0;
    await using source = await task("a", (socket) => {
      const chunk = Buffer.alloc(65_536);
      const pump = () => {
        for (;;) {
          written += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on("drain", pump);
      pump();
    });
    const proxy = await proxyOf([source.backend]);
    const { socket } = client(proxy.port);
    await once(socket, "connect");
    socket.pause();
    // Until nothing moves any more: two looks that see the same.
    for (let before = -1; before !== written; ) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const held = written;
    expect(held).toBeLessThan(32 * 1_048_576);
    socket.resume();
    await new Promise<void>((resolve) => {
      let read = 0;
      socket.on("data", (chunk: string) => {
        read += chunk.length;
        if (read > held + 1_048_576) resolve();
      });
    });
    socket.destroy();
  });

  it("still come back after the client has ended its half", async () => {
    await using upper = await task("a", (socket) => {
      let all = "";
      socket.on("data", (chunk: Buffer) => {
        all += chunk.toString();
      });
      socket.on("end", () => socket.end(`you said ${all}`));
    });
    const proxy = await proxyOf([upper.backend]);
    const one = client(proxy.port);
    one.socket.end("good-bye");
    expect(await one.ended).toBe("end");
    expect(one.received).toBe("you said good-bye");
  });

  it("still go up after the task has ended its half", async () => {
    const heard = Promise.withResolvers<string>();
    await using early = await task("a", (socket) => {
      socket.end("done\n");
      let all = "";
      socket.on("data", (chunk: Buffer) => {
        all += chunk.toString();
      });
      socket.on("end", () => heard.resolve(all));
    });
    const proxy = await proxyOf([early.backend]);
    const one = client(proxy.port);
    expect(await one.ended).toBe("end");
    one.socket.end("still here");
    expect(await heard.promise).toBe("still here");
    await proxy.drained();
  });

  it("begin with a PROXY header that names the client, when asked for", async () => {
    const head = Promise.withResolvers<Buffer>();
    await using server = await task("a", (socket) => {
      socket.once("data", (chunk: Buffer) => head.resolve(chunk));
    });
    const proxy = await proxyOf([server.backend], { proxyProtocol: true });
    const one = client(proxy.port);
    await once(one.socket, "connect");
    const { localPort = 0 } = one.socket;
    const got = await head.promise;
    expect(got.subarray(0, 16).toString("hex")).toBe("0d0a0d0a000d0a515549540a2111000c");
    expect([...got.subarray(16, 24)]).toEqual([127, 0, 0, 1, 127, 0, 0, 1]);
    expect([got.readUInt16BE(24), got.readUInt16BE(26)]).toEqual([localPort, proxy.port]);
    one.socket.destroy();
  });
});

describe("a task that does not take a connection", () => {
  it("by refusing costs no client its connection, and gets nothing new for two seconds", async () => {
    await using good = await task("good");
    const bad = at("bad", await refusingPort());
    const clock = fakeClock();
    const failures: string[] = [];
    const proxy = await proxyOf([bad, good.backend], {
      clock,
      policy: "random",
      random: () => 0,
      onFailure: ({ id }, problem) => failures.push(`${id}: ${problem}`),
    });
    const names = [];
    for (let count = 0; count < 20; count += 1) {
      const one = client(proxy.port);
      names.push(await one.line());
      one.socket.destroy();
    }
    expect(names).toEqual(Array.from({ length: 20 }, () => "good"));
    expect(failures).toEqual([
      `bad: did not take the connection at 127.0.0.1:${bad.port} (ECONNREFUSED)`,
    ]);
    const states = () => proxy.backends().map(({ id, state }) => `${id} ${state}`);
    expect(states()).toEqual(["bad aside", "good serving"]);
    await clock.advance(2_000);
    expect(states()).toEqual(["bad serving", "good serving"]);
    expect(proxy.figures()).toMatchObject({ accepted: 20, rescued: 1, givenUp: 0 });
  });

  it("by being silent costs its client the connect time-out and no more", async () => {
    await using silent = await silentPort();
    await using good = await task("good");
    const clock = fakeClock();
    const proxy = await proxyOf([at("silent", silent.port), good.backend], {
      clock,
      policy: "random",
      random: () => 0,
      connectTimeoutMs: 250,
    });
    const one = client(proxy.port);
    await once(one.socket, "connect");
    while (clock.sleepers === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(249);
    expect(one.received).toBe("");
    await clock.advance(1);
    expect(await one.line()).toBe("good");
    one.socket.destroy();
  });

  it("by breaking off before a byte went is passed over", async () => {
    await using breaks = await task("breaks", (socket) => void socket.resetAndDestroy());
    await using good = await task("good");
    const proxy = await proxyOf([breaks.backend, good.backend], {
      policy: "random",
      random: () => 0,
    });
    const one = client(proxy.port);
    expect(await one.line()).toBe("good");
    one.socket.destroy();
  });

  it("is never replaced once a byte went: the client is told", async () => {
    await using breaks = await task("breaks", (socket) => {
      socket.on("data", () => socket.resetAndDestroy());
    });
    await using good = await task("good");
    const proxy = await proxyOf([breaks.backend, good.backend], {
      policy: "random",
      random: () => 0,
    });
    const one = client(proxy.port);
    one.socket.write("order one pizza");
    expect(await one.ended).toBe("ECONNRESET");
    expect(good.taken).toBe(0);
  });

  it("like all others resets the client, after three tries", async () => {
    const ports = await Promise.all([
      refusingPort(),
      refusingPort(),
      refusingPort(),
      refusingPort(),
    ]);
    const failures: number[] = [];
    const proxy = await proxyOf(
      ports.map((port, n) => at(`t${n}`, port)),
      { onFailure: ({ port }) => failures.push(port) },
    );
    expect(await client(proxy.port).ended).toBe("ECONNRESET");
    expect(new Set(failures).size).toBe(3);
    expect(proxy.figures()).toMatchObject({ open: 0, givenUp: 1 });
  });

  it("is still tried when nobody else is there, so that it is found again at once", async () => {
    const port = await refusingPort();
    const proxy = await proxyOf([at("a", port)], { clock: fakeClock() });
    expect(await client(proxy.port).ended).toBe("ECONNRESET");
    await using back = await task("back", undefined, { port });
    const one = client(proxy.port);
    expect(await one.line()).toBe("back");
    expect(back.taken).toBe(1);
    one.socket.destroy();
  });
});

describe("new connections", () => {
  it("go to the task with fewer open ones", async () => {
    await using a = await task("a");
    await using b = await task("b");
    const proxy = await proxyOf([a.backend, b.backend]);
    const all = [];
    for (let count = 0; count < 10; count += 1) {
      const one = client(proxy.port);
      await one.line();
      all.push(one);
    }
    expect([a.sockets.size, b.sockets.size]).toEqual([5, 5]);
    for (const { socket } of all) socket.destroy();
  });

  it("pass over a task that is down by its check, unless all are", async () => {
    await using a = await task("a");
    await using b = await task("b");
    const proxy = await proxyOf([a.backend, b.backend]);
    proxy.setDown(new Set([backendKey(a.backend)]));
    for (let count = 0; count < 5; count += 1) {
      const one = client(proxy.port);
      expect(await one.line()).toBe("b");
      one.socket.destroy();
    }
    proxy.setDown(new Set([backendKey(a.backend), backendKey(b.backend)]));
    const one = client(proxy.port);
    expect(["a", "b"]).toContain(await one.line());
    one.socket.destroy();
  });

  it("do not go to a task that has left the list; what is open there stays until it ends", async () => {
    await using a = await task("a");
    await using b = await task("b");
    const proxy = await proxyOf([a.backend]);
    const old = client(proxy.port);
    expect(await old.line()).toBe("a");
    proxy.setBackends([b.backend]);
    const fresh = client(proxy.port);
    expect(await fresh.line()).toBe("b");
    old.socket.write("are you there?\n");
    await once(old.socket, "data");
    expect(old.received).toBe("a\nare you there?\n");
    expect(proxy.backends().map(({ id, state, open }) => [id, state, open])).toEqual([
      ["b", "serving", 1],
      ["a", "leaving", 1],
    ]);
    old.socket.end();
    await old.ended;
    fresh.socket.end();
    await proxy.drained();
    expect(proxy.backends().map(({ id }) => id)).toEqual(["b"]);
  });

  it("are refused once it no longer listens; what is open stays, and can be cut", async () => {
    await using a = await task("a");
    const proxy = await proxyOf([a.backend]);
    const old = client(proxy.port);
    expect(await old.line()).toBe("a");
    proxy.stopListening();
    expect(await client(proxy.port).ended).toBe("ECONNREFUSED");
    old.socket.write("hello\n");
    await once(old.socket, "data");
    expect(old.received).toBe("a\nhello\n");
    proxy.cut();
    expect(await old.ended).toBe("ECONNRESET");
    await proxy.drained();
    expect(a.taken).toBe(1);
  });

  it("at a port that somebody else has are a problem to try again later", async () => {
    await using a = await task("a");
    const owner = createServer().listen(0, "127.0.0.1");
    await once(owner, "listening");
    const { port } = owner.address() as { port: number };
    const proxy = tcpProxy({
      host: "127.0.0.1",
      port,
      policy: "p2c",
      connectTimeoutMs: 250,
      clock: systemClock,
      random: Math.random,
    });
    started.push(proxy);
    proxy.setBackends([a.backend]);
    await expect(proxy.listen()).rejects.toMatchObject({ code: "EADDRINUSE" });
    owner.close();
    await once(owner, "close");
    await proxy.listen();
    const one = client(port);
    expect(await one.line()).toBe("a");
    one.socket.destroy();
  });
});

describe("a connection", () => {
  it("over which nothing goes ends after the idle time-out, and a byte begins it anew", async () => {
    await using a = await task("a");
    const clock = fakeClock();
    const proxy = await proxyOf([a.backend], { clock, idleTimeoutMs: 60_000 });
    const one = client(proxy.port);
    expect(await one.line()).toBe("a");
    await clock.advance(59_000);
    one.socket.write("x");
    await once(one.socket, "data");
    await clock.advance(59_000);
    expect(proxy.figures().open).toBe(1);
    await clock.advance(1_000);
    expect(await one.ended).toBe("ECONNRESET");
    await proxy.drained();
  });

  it("whose client breaks off is broken off at the task, and counts no longer", async () => {
    const broken = Promise.withResolvers<string>();
    await using a = await task("a", (socket) => {
      socket.write("a\n");
      socket.on("error", (error: NodeJS.ErrnoException) => broken.resolve(error.code ?? ""));
    });
    const proxy = await proxyOf([a.backend]);
    const one = client(proxy.port);
    await one.line();
    one.socket.resetAndDestroy();
    expect(await broken.promise).toBe("ECONNRESET");
    await proxy.drained();
    expect(proxy.backends()[0]).toMatchObject({ open: 0 });
  });

  it("is one of two thousand", async () => {
    await using a = await task("a");
    await using b = await task("b");
    const proxy = await proxyOf([a.backend, b.backend]);
    const all = Array.from({ length: 2_000 }, () => client(proxy.port));
    const names = await Promise.all(all.map((one) => one.line()));
    expect(names.filter((name) => name === undefined)).toEqual([]);
    expect(proxy.figures()).toMatchObject({ open: 2_000, givenUp: 0 });
    for (const { socket } of all) socket.destroy();
    await proxy.drained();
    expect(proxy.figures().open).toBe(0);
  });
});
