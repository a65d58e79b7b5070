import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { Fatal } from "../../kit/failure.ts";
import { INDEX_HEADERS } from "../index-page.ts";

/**
 * Answers on a Unix socket what the engine sends for names that are not served: `/` with the page, everything else with
 * 404. Throws `Fatal` when another process answers there already, because two would write the same files.
 */
export async function indexServer(
  socketPath: string,
  page: () => string,
): Promise<{ close(): Promise<void> }> {
  if (await isAnswering(socketPath)) {
    throw new Fatal(
      `another proxy works with ${socketPath}: end it, or give this one another --stateDir`,
    );
  }
  await rm(socketPath, { force: true });
  const server = createServer({ keepAliveTimeout: 65_000 }, ({ method, url = "" }, response) => {
    const isPage = url.split("?", 1)[0] === "/";
    const body = isPage ? page() : "not found\n";
    response.writeHead(isPage ? 200 : 404, {
      ...INDEX_HEADERS,
      ...(!isPage && { "Content-Type": "text/plain; charset=utf-8" }),
      "Content-Length": Buffer.byteLength(body),
    });
    response.end(method === "HEAD" ? undefined : body);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(socketPath, () => resolve());
  await promise;
  server.on("error", () => {});
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

const isAnswering = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
