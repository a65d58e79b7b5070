import type { Server } from "node:http";
import type { Socket } from "node:net";

/** Of connections whose request is not whole yet, or that wait for their next one. */
const MOST_UNFINISHED = 64;
/** Of all: a request that is whole is answered, but its answer may be read slowly. */
const MOST = 128;
/** While many come at once: each has a moment to say its request before an older one must go. */
const MOST_AT_ONCE = 512;

/**
 * Bounds the server's connections, and lets the oldest unfinished one go where there are too many: whoever opens
 * thousands and says nothing drives out themselves, and a health check, which says its request at once, is answered.
 * `isListening` says which ones are answered for as long as they like; their number is bounded elsewhere.
 */
export function boundConnections(
  server: Server,
  { isListening }: { readonly isListening: (socket: Socket) => boolean },
): void {
  /** The oldest first. */
  const unfinished = new Set<Socket>();
  const answered = new Set<Socket>();
  let isTrimming = false;

  const trim = (most: number): void => {
    for (const socket of unfinished) {
      if (unfinished.size <= most) break;
      unfinished.delete(socket);
      socket.destroy();
    }
    for (const socket of answered) {
      if (answered.size + unfinished.size <= MOST) break;
      if (isListening(socket)) continue;
      answered.delete(socket);
      socket.destroy();
    }
  };
  const trimSoon = (): void => {
    if (unfinished.size > MOST_AT_ONCE) trim(MOST_AT_ONCE);
    if (isTrimming || unfinished.size + answered.size <= MOST_UNFINISHED) return;
    isTrimming = true;
    // What was said on a new connection is read in the next round of the event loop.
    setImmediate(() =>
      setImmediate(() => {
        isTrimming = false;
        trim(MOST_UNFINISHED);
      }),
    );
  };

  server.on("connection", (socket: Socket) => {
    unfinished.add(socket);
    socket.once("close", () => {
      unfinished.delete(socket);
      answered.delete(socket);
    });
    trimSoon();
  });
  server.on("request", ({ socket }, response) => {
    unfinished.delete(socket);
    answered.add(socket);
    response.once("close", () => {
      answered.delete(socket);
      if (socket.destroyed) return;
      unfinished.add(socket);
      trimSoon();
    });
  });
}
