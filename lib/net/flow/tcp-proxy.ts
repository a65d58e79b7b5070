import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import type { Backend } from "../backend.ts";
import type { Policy } from "../balance.ts";
import { type BackendFigures, backendTable } from "./backend-table.ts";
import { relays } from "./relay.ts";

export interface TcpProxyOptions {
  /** The one address to listen on; all addresses, of both families where there are two, when not given. */
  readonly host?: string;
  /** 0 for any free one. */
  readonly port: number;
  /**
   * The port may be shared with another process of the same user that asks for it in the same way (SO_REUSEPORT), so that
   * one can take it over from another without a moment in which nobody listens. Linux only.
   */
  readonly shared?: boolean;
  readonly policy: Policy;
  /** How long a backend may take to accept a connection, in ms. */
  readonly connectTimeoutMs: number;
  /** A connection over which nothing has gone for this long is closed; never, when not given. */
  readonly idleTimeoutMs?: number;
  /** Whether each connection to a backend begins with a PROXY header of version 2. */
  readonly proxyProtocol?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** A backend refused, was silent or broke off before a byte went; the connection went on to another one, if there was one. */
  readonly onFailure?: (backend: Backend, problem: string) => void;
  /** No backend took a connection: its client was sent a reset. */
  readonly onGivenUp?: (problem: string) => void;
}

export interface TcpProxyFigures {
  /** Connections of clients: open now, and ever. */
  readonly open: number;
  readonly accepted: number;
  /** Those that no backend took. */
  readonly givenUp: number;
  /** Those that an other backend than the first one took. */
  readonly rescued: number;
}

/**
 * A TCP proxy on one port.
 *
 * Promises:
 * - bytes go both ways unchanged, with the sender slowed down to the receiver's pace, and an end of one direction is
 *   handed on while the other goes on;
 * - a backend that refuses, or is silent for the connect time-out, costs the client no more than that: as long as no byte
 *   was sent, up to two others are tried, and it gets nothing new for two seconds unless all are like it;
 * - connections that are open outlive the backend's place in the list, and the listener.
 */
export interface TcpProxy {
  /**
   * Resolves once it listens; rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …), and may be called
   * again then or after `stopListening`.
   */
  listen(): Promise<void>;
  /** Where it listens, or listened last. */
  readonly port: number;
  readonly listening: boolean;
  /** Who gets what is new from now on. What is open stays. */
  setBackends(backends: readonly Backend[]): void;
  /** By `backendKey`: who failed the last check. Nothing new goes to them unless there is nobody else. */
  setDown(keys: ReadonlySet<string>): void;
  /** Those of the list, then those that are only there for connections that are still open. */
  backends(): readonly BackendFigures[];
  figures(): TcpProxyFigures;
  /** Refuses what is new; the port is free at once. What is open goes on. */
  stopListening(): void;
  /** Resolves when no connection is open. */
  drained(): Promise<void>;
  /** Resets every open connection. */
  cut(): void;
}

/** Connections that the system has completed and Node has not yet taken; the system's own limit is `somaxconn`. */
const BACKLOG = 4_096;

export function tcpProxy(options: TcpProxyOptions): TcpProxy {
  const { clock, random, policy } = options;
  const table = backendTable({ clock, random, policy });
  let server: Server | undefined;
  let port = options.port;
  let waiting: (() => void)[] = [];
  const onEnd = (): void => {
    if (all.size() > 0) return;
    for (const resolve of waiting) resolve();
    waiting = [];
    if (server === undefined) rest();
  };
  /** Nothing is open, and nothing can come: no timer is left behind. */
  const rest = (): void => {
    all.rest();
    table.rest();
  };
  const all = relays({ ...options, table, onEnd });

  return {
    get port() {
      return port;
    },
    get listening() {
      return server !== undefined;
    },
    async listen() {
      // Paused until a backend is there: what the client sends early waits in the system's buffer, not in ours.
      const made = createServer(
        { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
        (client: Socket) => all.start(client),
      );
      await new Promise<void>((resolve, reject) => {
        made.once("error", reject);
        const { port: asked, shared = false } = options;
        const at = { port: asked, backlog: BACKLOG, exclusive: true, reusePort: shared };
        made.listen(options.host === undefined ? at : { ...at, host: options.host }, () => {
          made.off("error", reject);
          resolve();
        });
      });
      // A connection that could not be accepted (no file descriptor is left): the next one may be.
      made.on("error", () => all.lost());
      server = made;
      const address = made.address();
      if (address !== null && typeof address !== "string") port = address.port;
    },
    setBackends: table.set,
    setDown: table.setDown,
    backends: table.figures,
    figures: () => ({ open: all.size(), ...all.counts() }),
    stopListening() {
      const made = server;
      server = undefined;
      if (made === undefined) return;
      // `close` calls back when the last connection has ended, too; the port is free at once.
      made.close();
      if (all.size() === 0) rest();
    },
    async drained() {
      if (all.size() === 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      await promise;
    },
    cut: all.cut,
  };
}
