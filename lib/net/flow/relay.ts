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
  readonly client: End;
  /** The one that is dialled or connected; those before it are no longer listened to. */
  server: End | undefined;
  backend: Known | undefined;
  /** Those that did not take it. */
  tried: readonly Known[];
  isConnected: boolean;
  /** A byte of the client has gone to the backend: no other one may get the rest. */
  hasSent: boolean;
  readonly owner: Owner;
}

/** What the listeners need, which are one function each for all connections: a closure for each would cost more memory. */
interface Owner {
  readonly touched: (connection: Connection) => void;
  readonly connected: (connection: Connection) => void;
  readonly failed: (connection: Connection, problem: string, own: boolean) => void;
  readonly closed: (connection: Connection) => void;
}

const CONNECTION = Symbol("connection");
interface End extends Socket {
  [CONNECTION]: Connection;
}

const NOBODY: readonly Known[] = [];

export function relays(options: Options): Relays {
  const { table, clock, connectTimeoutMs, idleTimeoutMs } = options;
  const open = new Set<Connection>();
  const counts = { accepted: 0, givenUp: 0, rescued: 0 };

  const dialling = deadlines<Connection>({
    clock,
    limitMs: connectTimeoutMs,
    onDue: (connection) => {
      connection.server?.destroy();
      owner.failed(connection, `no answer within ${connectTimeoutMs} ms`, false);
    },
  });
  const young = deadlines<Connection>({
    clock,
    limitMs: KEEP_ALIVE_MS,
    onDue({ client, server }) {
      client.setKeepAlive(true, KEEP_ALIVE_MS);
      server?.setKeepAlive(true, KEEP_ALIVE_MS);
    },
  });
  const idle: Deadlines<Connection> | undefined =
    idleTimeoutMs === undefined
      ? undefined
      : deadlines<Connection>({ clock, limitMs: idleTimeoutMs, onDue: reset });

  const owner: Owner = {
    touched: (connection) => idle?.add(connection),
    connected(connection) {
      const { client, server, backend, tried } = connection;
      if (server === undefined || backend === undefined) return;
      dialling.remove(connection);
      connection.isConnected = true;
      backend.connections += 1;
      backend.sockets.add(server);
      if (tried.length > 0) counts.rescued += 1;
      young.add(connection);
      idle?.add(connection);
      if (options.proxyProtocol === true) server.write(proxyHeader(endsOf(client)));
      // It ended its half while nobody was there to be told.
      if (client.readableEnded) server.end();
      client.resume();
    },
    failed(connection, problem, own) {
      const { client, backend } = connection;
      dialling.remove(connection);
      release(connection);
      if (backend !== undefined && !own) {
        table.failed(backend, problem);
        options.onFailure?.(backend, problem);
        connection.tried = [...connection.tried, backend];
      }
      if (client.destroyed) {
        owner.closed(connection);
        return;
      }
      client.pause();
      if (own || connection.tried.length >= TRIES) giveUp(connection, problem);
      else dial(connection);
    },
    closed(connection) {
      const { client, server } = connection;
      if (!client.closed || (server !== undefined && !server.closed)) return;
      if (!open.delete(connection)) return;
      release(connection);
      dialling.remove(connection);
      young.remove(connection);
      idle?.remove(connection);
      options.onEnd();
    },
  };

  /** The connection is no longer the backend's. */
  const release = (connection: Connection): void => {
    const { backend, server } = connection;
    connection.backend = undefined;
    connection.server = undefined;
    connection.isConnected = false;
    if (backend === undefined) return;
    backend.open -= 1;
    if (server !== undefined && backend.sockets.delete(server)) {
      backend.bytesSent += server.bytesWritten;
      backend.bytesReceived += server.bytesRead;
    }
    table.left(backend);
  };

  const giveUp = (connection: Connection, problem: string): void => {
    counts.givenUp += 1;
    options.onGivenUp?.(problem);
    connection.client.resetAndDestroy();
  };

  const dial = (connection: Connection): void => {
    const backend = table.pick(connection.tried);
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
    dialling.add(connection);
  };

  return {
    start(socket) {
      const client = socket as End;
      const connection: Connection = {
        client,
        server: undefined,
        backend: undefined,
        tried: NOBODY,
        isConnected: false,
        hasSent: false,
        owner,
      };
      client[CONNECTION] = connection;
      counts.accepted += 1;
      open.add(connection);
      client.on("data", onClientData);
      client.on("end", onClientEnd);
      client.on("drain", onClientDrain);
      client.on("error", onClientError);
      client.on("close", onClientClose);
      dial(connection);
    },
    lost: () => {
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
      for (const limit of [dialling, young, idle]) limit?.clear();
    },
  };
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
  connection.owner.touched(connection);
}

function onServerData(this: Socket, chunk: Buffer): void {
  const connection = (this as End)[CONNECTION];
  if (connection.client.write(chunk) === false) this.pause();
  connection.owner.touched(connection);
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
  if (connection.server === this) connection.owner.connected(connection);
}

function onClientError(this: Socket): void {
  const { server, isConnected } = (this as End)[CONNECTION];
  if (isConnected) server?.resetAndDestroy();
  else server?.destroy();
}

function onServerError(this: Socket, error: NodeJS.ErrnoException): void {
  const connection = (this as End)[CONNECTION];
  if (connection.server !== this) return;
  const { client, owner, isConnected, hasSent, backend } = connection;
  const isLost = isConnected && (hasSent || this.bytesRead > 0);
  if (isLost || client.destroyed) {
    client.resetAndDestroy();
    return;
  }
  const code = error.code ?? "an error without a code";
  const what = isConnected ? "broke the connection off" : "did not take the connection";
  const where = backend === undefined ? "" : ` at ${endpointOf(backend)}`;
  owner.failed(connection, `${what}${where} (${code})`, OWN_FAULTS.includes(code));
}

function onClientClose(this: Socket): void {
  const connection = (this as End)[CONNECTION];
  const { server, isConnected } = connection;
  if (isConnected) server?.destroySoon();
  else server?.destroy();
  connection.owner.closed(connection);
}

function onServerClose(this: Socket): void {
  const connection = (this as End)[CONNECTION];
  if (connection.server !== this) return;
  connection.client.destroySoon();
  connection.owner.closed(connection);
}
