import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { Socket } from "node:net";
import type { ProxyLab } from "./proxy-lab.ts";

/** Answers "ws", and, once a connection is a WebSocket, sends back whatever it gets. */
export function echoServer(): Server {
  const server = createServer((_, response) => response.end("ws"));
  server.on("upgrade", ({ headers }, socket: Socket) => {
    // RFC 6455 4.2.2.
    const accept = createHash("sha1")
      .update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("data", (data) => socket.write(data));
    socket.on("error", () => {});
  });
  return server;
}

export interface OpenSocket extends AsyncDisposable {
  echo(text: string): Promise<string>;
  isCut(): boolean;
}

/** A WebSocket to the name, through the proxy. */
export async function webSocket(lab: ProxyLab, host: string): Promise<OpenSocket> {
  const sent = request({
    host: lab.address,
    port: 80,
    agent: false,
    headers: {
      host,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
    },
  });
  sent.end();
  const [, socket] = (await once(sent, "upgrade")) as [unknown, Socket];
  let isCut = false;
  socket.once("close", () => {
    isCut = true;
  });
  return {
    async echo(text) {
      socket.write(text);
      const [data] = (await once(socket, "data")) as [Buffer];
      return data.toString();
    },
    isCut: () => isCut,
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}
