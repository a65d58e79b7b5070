import { connect, type Socket } from "node:net";
import type { Clock } from "../../kit/flow/clock.ts";
import { type Backend, endpointOf } from "../backend.ts";
import { proxyHeader } from "../proxy-protocol.ts";
import type { BackendTable, Known } from "./backend-table.ts";
import { type Deadlines, deadlines } from "./deadlines.ts";

/** How many backends a connection is tried with. */
const TRIES = 3;
/** From this age on a connection is asked for signs of life: a peer that has lost its power never says good-bye. */
const KEEP_ALIVE_MS = 15_000;
/** Codes that tell of this process, not of the backend. */
const OWN_FAULTS = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];

interface Options {
  readonly table: BackendTable;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs?: number;
  readonly proxyProtocol?: boolean;
  readonly onFailure?: (backend: Backend, problem: string) => void;
  readonly onGivenUp?: (problem: string) => void;
  /** A connection has ended. */
  readonly onEnd: () => void;
}

/** The connections of one port. */
export interface Relays {
  /** Takes a client, paused, with both ends allowed to be half open. */
  start(client: Socket): void;
  /** A client could not even be accepted. */
  lost(): void;
  size(): number;
  counts(): { readonly accepted: number; readonly givenUp: number; readonly rescued: number };
  cut(): void;
  /** Ends every timer; nothing is open. */
  rest(): void;
}

/** One client and the backend that it talks to. */
interface Connection {
  readonly port: Port;
  readonly client: End;
  /** The one that is dialled or connected; those before it are no longer listened to. */
  server: End | undefined;
  backend: Known | undefined;
  /** Those that did not take it. */
  tried: readonly Known[];
  isConnected: boolean;
  /** A byte of the client has gone to the backend: no other one may get the rest. */
  hasSent: boolean;
}

/** What the connections of one port have in common. */
interface Port extends Options {
  readonly open: Set<Connection>;
  readonly counts: { accepted: number; givenUp: number; rescued: number };
  readonly dialling: Deadlines<Connection>;
  readonly young: Deadlines<Connection>;
  readonly idle: Deadlines<Connection> | undefined;
}

/** The listeners are one function each for all connections, and find theirs by this: closures would cost memory. */
const CONNECTION = Symbol("connection");
interface End extends Socket {
  [CONNECTION]: Connection;
}

const NOBODY: readonly Known[] = [];

export function relays(options: Options): Relays {
  const { clock, connectTimeoutMs, idleTimeoutMs } = options;
  const port: Port = {
    ...options,
    open: new Set(),
    counts: { accepted: 0, givenUp: 0, rescued: 0 },
    dialling: deadlines({
      clock,
      limitMs: connectTimeoutMs,
      onDue(connection) {
        connection.server?.destroy();
        failed(connection, `no answer within ${connectTimeoutMs} ms`, false);
      },
    }),
    young: deadlines({
      clock,
      limitMs: KEEP_ALIVE_MS,
      onDue({ client, server }) {
        client.setKeepAlive(true, KEEP_ALIVE_MS);
        server?.setKeepAlive(true, KEEP_ALIVE_MS);
      },
    }),
    idle:
      idleTimeoutMs === undefined
        ? undefined
        : deadlines({ clock, limitMs: idleTimeoutMs, onDue: reset }),
  };
  const { open, counts } = port;

  return {
    start: (client) => start(port, client as End),
    lost() {
      counts.givenUp += 1;
      options.onGivenUp?.(
        "a connection could not be accepted: file descriptors or memory are short",
      );
    },
    size: () => open.size,
    counts: () => counts,
    cut() {
      for (const connection of [...open]) reset(connection);
    },
    rest() {
      for (const limit of [port.dialling, port.young, port.idle]) limit?.clear();
    },
  };
}

function start(port: Port, client: End): void {
  const connection: Connection = {
    port,
    client,
    server: undefined,
    backend: undefined,
    tried: NOBODY,
    isConnected: false,
    hasSent: false,
  };
  client[CONNECTION] = connection;
  port.counts.accepted += 1;
  port.open.add(connection);
  client.on("data", onClientData);
  client.on("end", onClientEnd);
  client.on("drain", onClientDrain);
  client.on("error", onClientError);
  client.on("close", onClientClose);
  dial(connection);
}

function dial(connection: Connection): void {
  const backend = connection.port.table.pick(connection.tried);
  if (backend === undefined) {
    giveUp(connection, "no task is there");
    return;
  }
  backend.open += 1;
  const { address: host, port } = backend;
  const server = connect({ host, port, allowHalfOpen: true, noDelay: true }) as End;
  server[CONNECTION] = connection;
  connection.backend = backend;
  connection.server = server;
  server.on("connect", onServerConnect);
  server.on("data", onServerData);
  server.on("end", onServerEnd);
  server.on("drain", onServerDrain);
  server.on("error", onServerError);
  server.on("close", onServerClose);
  connection.port.dialling.add(connection);
}

function connected(connection: Connection): void {
  const { client, server, backend, tried, port } = connection;
  if (server === undefined || backend === undefined) return;
  port.dialling.remove(connection);
  connection.isConnected = true;
  backend.connections += 1;
  backend.sockets.add(server);
  if (tried.length > 0) port.counts.rescued += 1;
  port.young.add(connection);
  port.idle?.add(connection);
  if (port.proxyProtocol === true) server.write(proxyHeader(endsOf(client)));
  // It ended its half while nobody was there to be told.
  if (client.readableEnded) server.end();
  client.resume();
}

/** The backend did not take the connection; `own` says that the fault is this process's. */
function failed(connection: Connection, problem: string, own: boolean): void {
  const { client, backend, port } = connection;
  port.dialling.remove(connection);
  release(connection);
  if (backend !== undefined && !own) {
    port.table.failed(backend, problem);
    port.onFailure?.(backend, problem);
    connection.tried = [...connection.tried, backend];
  }
  if (client.destroyed) {
    closed(connection);
    return;
  }
  client.pause();
  if (own || connection.tried.length >= TRIES) giveUp(connection, problem);
  else dial(connection);
}

function giveUp({ client, port }: Connection, problem: string): void {
  port.counts.givenUp += 1;
  port.onGivenUp?.(problem);
  client.resetAndDestroy();
}

/** The connection is no longer the backend's. */
function release(connection: Connection): void {
  const { backend, server, port } = connection;
  connection.backend = undefined;
  connection.server = undefined;
  connection.isConnected = false;
  if (backend === undefined) return;
  backend.open -= 1;
  if (server !== undefined && backend.sockets.delete(server)) {
    backend.bytesSent += server.bytesWritten;
    backend.bytesReceived += server.bytesRead;
  }
  port.table.left(backend);
}

/** One of its two sockets has closed; with the second one the connection has ended. */
function closed(connection: Connection): void {
  const { client, server, port } = connection;
  if (!client.closed || (server !== undefined && !server.closed)) return;
  if (!port.open.delete(connection)) return;
  release(connection);
  for (const limit of [port.dialling, port.young, port.idle]) limit?.remove(connection);
  port.onEnd();
}

function reset({ client, server, isConnected }: Connection): void {
  client.resetAndDestroy();
  if (isConnected) server?.resetAndDestroy();
  else server?.destroy();
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket) {
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  if (localAddress === undefined || localPort === undefined) return undefined;
  return {
    source: { address: remoteAddress, port: remotePort },
    destination: { address: localAddress, port: localPort },
  };
}

// ── the listeners ──

function onClientData(this: Socket, chunk: Buffer): void {
  const connection = (this as End)[CONNECTION];
  connection.hasSent = true;
  if (connection.server?.write(chunk) === false) this.pause();
  connection.port.idle?.add(connection);
}

function onServerData(this: Socket, chunk: Buffer): void {
  const connection = (this as End)[CONNECTION];
  if (connection.client.write(chunk) === false) this.pause();
  connection.port.idle?.add(connection);
}

function onClientEnd(this: Socket): void {
  const { server, isConnected } = (this as End)[CONNECTION];
  if (isConnected) server?.end();
}

function onServerEnd(this: Socket): void {
  (this as End)[CONNECTION].client.end();
}

function onClientDrain(this: Socket): void {
  (this as End)[CONNECTION].server?.resume();
}

function onServerDrain(this: Socket): void {
  (this as End)[CONNECTION].client.resume();
}

function onServerConnect(this: Socket): void {
  const connection = (this as End)[CONNECTION];
  if (connection.server === this) connected(connection);
}

function onClientError(this: Socket): void {
  const { server, isConnected } = (this as End)[CONNECTION];
  if (isConnected) server?.resetAndDestroy();
  else server?.destroy();
}

function onServerError(this: Socket, error: NodeJS.ErrnoException): void {
  const connection = (this as End)[CONNECTION];
  if (connection.server !== this) return;
  const { client, isConnected, hasSent, backend } = connection;
  const isLost = isConnected && (hasSent || this.bytesRead > 0);
  if (isLost || client.destroyed) {
    client.resetAndDestroy();
    return;
  }
  const code = error.code ?? "an error without a code";
  const what = isConnected ? "broke the connection off" : "did not take the connection";
  const where = backend === undefined ? "" : ` at ${endpointOf(backend)}`;
  failed(connection, `${what}${where} (${code})`, OWN_FAULTS.includes(code));
}

function onClientClose(this: Socket): void {
  const connection = (this as End)[CONNECTION];
  const { server, isConnected } = connection;
  if (isConnected) server?.destroySoon();
  else server?.destroy();
  closed(connection);
}

function onServerClose(this: Socket): void {
  const connection = (this as End)[CONNECTION];
  if (connection.server !== this) return;
  connection.client.destroySoon();
  closed(connection);
}
