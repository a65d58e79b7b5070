import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** What every stand-in that speaks HTTP has in common: where it listens, what a defect looks like, how it ends. */
export interface HttpStandIn {
  /** `http://address:port` without a trailing slash; "" on a unix socket. */
  readonly url: string;
  readonly server: Server;
  /** Aborts at `close`. */
  closing(): AbortSignal;
  /** Breaks every connection; nothing listens any more. */
  close(): Promise<void>;
  /** After `close`: listens again at the same place. */
  reopen(): Promise<void>;
}

export interface HttpStandInOptions {
  /** Answers one request. */
  readonly serve: (message: IncomingMessage, response: ServerResponse) => void | Promise<void>;
  /** Default: any free port of the loopback address. */
  readonly at?: { readonly host?: string; readonly port?: number } | { readonly path: string };
}

/**
 * Listens once resolved; rejects with the listen error, such as EADDRINUSE. Where `serve` fails because the client has
 * gone or the stand-in is closing, the connection ends. Any other failure is a defect of the stand-in, or of the state
 * that a test gave it: it is answered with status 500 and its text, so that it is seen.
 */
export async function httpStandIn({ serve, at = {} }: HttpStandInOptions): Promise<HttpStandIn> {
  let closing = new AbortController();
  const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      await serve(message, response);
    } catch (error) {
      if (message.socket.destroyed || closing.signal.aborted || response.headersSent) {
        response.destroy();
      } else {
        response.writeHead(500).end(String(error));
      }
    }
  };
  const server = createServer((message, response) => void answer(message, response));
  const listen = (place: object): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(place, () => {
        server.off("error", reject);
        resolve();
      });
    });

  await listen("path" in at ? at : { host: at.host ?? "127.0.0.1", port: at.port ?? 0 });
  const bound = server.address();
  if (bound === null) throw new Error("expected an address");
  return {
    url: typeof bound === "string" ? "" : `http://${hostOf(bound)}:${bound.port}`,
    server,
    closing: () => closing.signal,
    async close() {
      closing.abort(new Error("the stand-in closed"));
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
    async reopen() {
      closing = new AbortController();
      await listen(
        typeof bound === "string" ? { path: bound } : { host: bound.address, port: bound.port },
      );
    },
  };
}

const hostOf = ({ address, family }: { readonly address: string; readonly family: string }) =>
  family === "IPv6" ? `[${address}]` : address;

/** AWS's form of a request id, the same for the same number, so that a run can be repeated. */
export const requestId = (count: number): string =>
  `00000000-0000-4000-8000-${String(count).padStart(12, "0")}`;
