import { mkdtemp, rm } from "node:fs/promises";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An answer, piece by piece; one that is cut ends in the middle of nowhere, and one that hangs never ends. */
export interface RawAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly chunks: readonly (string | Buffer)[];
  readonly cut?: boolean;
  readonly hangs?: boolean;
}

export interface RawServer extends AsyncDisposable {
  readonly url: string;
  readonly socketPath: string;
  /** Answers every request from now on. */
  answer: RawAnswer | ((path: string) => RawAnswer);
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[];
}

/** An HTTP server that says what it is told, at a loopback port or on a socket of its own. */
export async function rawServer(on: "port" | "socket"): Promise<RawServer> {
  const folder = await mkdtemp(join(tmpdir(), "eda-fuzz-"));
  const socketPath = join(folder, "s.sock");
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? "";
    requests.push({ path, headers: request.headers });
    request.resume();
    const { answer } = one;
    const {
      status = 200,
      headers = {},
      chunks,
      cut,
      hangs,
    } = typeof answer === "function" ? answer(path) : answer;
    response.writeHead(status, headers);
    response.flushHeaders();
    for (const chunk of chunks) {
      response.write(chunk);
      // Or the reader gets them as one.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (hangs === true) return;
    if (cut === true) response.socket?.end();
    else response.end();
  };
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if (on === "port") server.listen(0, "127.0.0.1", resolve);
    else server.listen(socketPath, resolve);
  });
  const one: RawServer = {
    url: on === "port" ? `http://127.0.0.1:${(server.address() as AddressInfo).port}` : "",
    socketPath,
    answer: { chunks: [] },
    requests,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
  return one;
}
