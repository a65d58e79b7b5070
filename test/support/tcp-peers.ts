import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Backend } from "../../lib/net/backend.ts";

/** A task as its clients see it: it says its name and then gives back what it is sent. */
export interface Task extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly backend: Backend;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** How many connections it took, ever. */
  readonly taken: number;
  /** Its end: what is open is cut, what is new is refused. */
  die(): Promise<void>;
}

/** A task on a free port of this machine. `serve` is what it does with a connection; by default it names itself and echoes. */
export async function task(
  name: string,
  serve: (socket: Socket) => void = named(name),
  { host = "127.0.0.1", port = 0 }: { readonly host?: string; readonly port?: number } = {},
): Promise<Task> {
  const sockets = new Set<Socket>();
  let taken = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    taken += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(port, host);
  await once(server, "listening");
  const at = portOf(server);
  const die = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  return {
    name,
    port: at,
    backend: { id: name, address: host, port: at, weight: 1 },
    sockets,
    get taken() {
      return taken;
    },
    die,
    async [Symbol.asyncDispose]() {
      if (server.listening) await die();
    },
  };
}

const named = (name: string) => (socket: Socket) => {
  socket.write(`${name}\n`);
  socket.pipe(socket);
};

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** A port of this machine at which nobody listens: connects are refused. */
export async function refusingPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

/**
 * A port of this machine that answers nothing: its process stands still and its queue of connections is full, so that the
 * system drops every SYN, as a host without power would.
 */
export async function silentPort(): Promise<AsyncDisposable & { readonly port: number }> {
  const code = `const s = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port));`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const port = Number(line);
  child.kill("SIGSTOP");
  const fillers: Socket[] = [];
  const state = await stateOf(child.pid ?? 0);
  if (state !== "T") throw new Error(`expected a process that stands still, got state ${state}`);
  // More than fit: which of them the system still takes is its own affair, the last ones it does not.
  for (let count = 0; count < 4; count += 1) {
    const filler = connect(port, "127.0.0.1");
    filler.on("error", () => {});
    fillers.push(filler);
    if (count < 2) await once(filler, "connect");
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy();
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** Of a process, once it has taken the signal that was sent to it. */
async function stateOf(pid: number): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  for (let tries = 0; tries < 200; tries += 1) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    if (state === "T") return state;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return "?";
}

/** A client's view of one connection. */
export interface Client {
  readonly socket: Socket;
  /** What has come so far. */
  readonly received: string;
  /** The first line, once it is there: who answers. Undefined when the connection ends before. */
  line(): Promise<string | undefined>;
  /** How the connection ended: "end" for an orderly end, otherwise the error's code. */
  readonly ended: Promise<string>;
}

/** Connects; the promise of `ended` tells of a refusal, too. */
export function client(port: number, host = "127.0.0.1"): Client {
  const socket = connect({ port, host, allowHalfOpen: true });
  let received = "";
  let wake = () => {};
  const ended = Promise.withResolvers<string>();
  let over = false;
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    received += text;
    wake();
  });
  const end = (how: string) => {
    over = true;
    ended.resolve(how);
    wake();
  };
  socket.on("end", () => end("end"));
  socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? "error"));
  socket.on("close", () => end("closed"));
  return {
    socket,
    get received() {
      return received;
    },
    async line() {
      while (!received.includes("\n") && !over) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return received.includes("\n") ? received.split("\n", 1)[0] : undefined;
    },
    ended: ended.promise,
  };
}
