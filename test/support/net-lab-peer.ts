import { connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { type FleetStandIn, fleetStandIn } from "../../lib/standins/ecs/service-api.ts";
import type { FleetState } from "../../lib/standins/ecs/service-rules.ts";
import type { ClassicBalancer } from "../../lib/standins/elb/classic-state.ts";
import { type ElbStandIn, elbStandIn } from "../../lib/standins/elb/server.ts";
import { metadataStandIn } from "../../lib/standins/metadata/server.ts";

// A process of net-lab.ts in a network namespace: one question a line in, one answer a line out.

/** So many connects, so many a second at most, or so many at a time. */
export interface Load {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly perSecond?: number;
  readonly atOnce?: number;
}

export interface Asked {
  /** How often each task answered. */
  readonly names: Readonly<Record<string, number>>;
  /** Errors' codes, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly medianMs: number;
}

interface Question {
  readonly id: number;
  readonly act:
    | "serve"
    | "end"
    | "fleet"
    | "ask"
    | "hold"
    | "holdMany"
    | "half"
    | "say"
    | "get"
    | "metadata"
    | "elb";
  readonly name?: string;
  readonly host?: string;
  readonly port?: number;
  readonly text?: string;
  readonly count?: number;
  readonly state?: FleetState;
  readonly load?: Load;
  readonly values?: Readonly<Record<string, string>>;
  readonly balancer?: ClassicBalancer;
}

const LIMIT_MS = 10_000;
const servers = new Map<number, { readonly server: Server; readonly sockets: Set<Socket> }>();
let fleet: FleetStandIn | undefined;
let elb: ElbStandIn | undefined;
let state: FleetState = { clusters: [] };
let held: { readonly socket: Socket; received: string; ended?: string } | undefined;

async function answer(question: Question): Promise<unknown> {
  const { name = "", host = "", port = 0, text = "" } = question;
  switch (question.act) {
    case "serve":
      return serve(name, port);
    case "end":
      return end(port);
    case "fleet":
      state = question.state ?? state;
      fleet ??= await fleetStandIn(() => state);
      return fleet.url;
    case "metadata":
      return (await metadataStandIn(question.values ?? {})).url;
    case "elb": {
      elb ??= await elbStandIn();
      if (question.balancer !== undefined) elb.add(question.balancer);
      const writes = elb.requests.filter(({ operation }) => !operation.startsWith("Describe"));
      const at = name === "" ? undefined : elb.balancer(name);
      return { url: elb.url, writes: writes.length, balancer: at };
    }
    case "ask":
      return question.load && load(question.load);
    case "holdMany":
      return holdMany(host, port, question.count ?? 0);
    case "half":
      return half(host, port, text);
    case "get":
      return (await fetch(text)).text();
    case "hold": {
      const socket = connect(port, host);
      const one: NonNullable<typeof held> = { socket, received: "" };
      held = one;
      socket.setEncoding("utf8");
      socket.on("data", (chunk: string) => {
        one.received += chunk;
      });
      socket.on("error", (error: NodeJS.ErrnoException) => {
        one.ended = error.code ?? "error";
      });
      socket.on("close", () => {
        one.ended ??= "closed";
      });
      await until(() => one.received.includes("\n") || one.ended !== undefined);
      return one.ended ?? one.received.trim();
    }
    case "say": {
      const one = held;
      if (one === undefined) throw new Error("nothing is held");
      one.received = "";
      if (one.ended !== undefined) return one.ended;
      one.socket.write(text);
      await until(() => one.received.length >= text.length || one.ended !== undefined);
      return one.ended ?? one.received;
    }
  }
}

let many: readonly Socket[] = [];

async function holdMany(host: string, port: number, count: number): Promise<void> {
  for (const socket of many) socket.destroy();
  many = Array.from({ length: count }, () => connect(port, host));
  await Promise.all(
    many.map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          socket.once("connect", resolve);
          socket.once("error", reject);
        }),
    ),
  );
}

/** Sends this, ends its own half, and gives all that still came until the other half ended; or an error's code. */
function half(host: string, port: number, sent: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, allowHalfOpen: true }, () => socket.end(sent));
    let received = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      received += chunk;
    });
    socket.on("end", () => resolve(received));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
  });
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (!done()) {
    if (performance.now() > endMs) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function serve(name: string, port: number): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  servers.set(port, { server, sockets });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "::", backlog: 4_096 }, () => resolve());
  });
}

async function end(port: number): Promise<void> {
  const found = servers.get(port);
  if (found === undefined) return;
  servers.delete(port);
  const closed = new Promise((resolve) => found.server.close(resolve));
  for (const socket of found.sockets) socket.resetAndDestroy();
  await closed;
}

async function load({ host, port, count, perSecond, atOnce = 20 }: Load): Promise<Asked> {
  const names: Record<string, number> = {};
  const failures: Record<string, number> = {};
  const times: number[] = [];
  const one = async (): Promise<void> => {
    const startMs = performance.now();
    const how = await greeting(host, port);
    times.push(performance.now() - startMs);
    const where = how.name === undefined ? failures : names;
    const key = how.name ?? how.problem ?? "?";
    where[key] = (where[key] ?? 0) + 1;
  };
  if (perSecond === undefined) {
    let left = count;
    const worker = async () => {
      while (left > 0) {
        left -= 1;
        await one();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  } else {
    const startMs = performance.now();
    const all: Promise<void>[] = [];
    for (let sent = 0; sent < count; ) {
      const due = Math.min(
        count,
        Math.floor(((performance.now() - startMs) / 1000) * perSecond) + 1,
      );
      for (; sent < due; sent += 1) all.push(one());
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(all);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return {
    names,
    failures,
    slowestMs: sorted.at(-1) ?? 0,
    medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0,
  };
}

function greeting(host: string, port: number): Promise<{ name?: string; problem?: string }> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    let received = "";
    const timer = setTimeout(() => {
      socket.destroy();
      resolve({ problem: "no answer" });
    }, LIMIT_MS);
    const finish = (how: { name?: string; problem?: string }) => {
      clearTimeout(timer);
      resolve(how);
      socket.destroy();
    };
    socket.on("data", (chunk) => {
      received += chunk.toString();
      if (received.includes("\n")) finish({ name: received.trim() });
    });
    socket.on("error", (error: NodeJS.ErrnoException) =>
      finish({ problem: error.code ?? "error" }),
    );
    socket.on("end", () => finish({ problem: "ended" }));
  });
}

createInterface(process.stdin).on("line", (line) => {
  const question = JSON.parse(line) as Question;
  answer(question).then(
    (result) => process.stdout.write(`${JSON.stringify({ id: question.id, result })}\n`),
    (error: unknown) =>
      process.stdout.write(`${JSON.stringify({ id: question.id, error: String(error) })}\n`),
  );
});
