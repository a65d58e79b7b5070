import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { get } from "../../../../lib/kit/io/http-json.ts";

const LIMIT_MS = 10_000;

async function serving(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

describe("get", () => {
  it("gives status and body, on a connection of its own", async () => {
    await using server = await serving((request, response) => {
      response.writeHead(404).end(`${request.method} ${request.headers.connection}`);
    });
    expect(await get(server.url, LIMIT_MS)).toEqual({ status: 404, body: "GET close" });
  });

  it("puts a character together that comes in two chunks", async () => {
    const bytes = Buffer.from("käse");
    await using server = await serving((_, response) => {
      response.write(bytes.subarray(0, 2), () => response.end(bytes.subarray(2)));
    });
    expect(await get(server.url, LIMIT_MS)).toEqual({ status: 200, body: "käse" });
  });

  it("throws when nothing comes within the limit", async () => {
    await using server = await serving(() => {});
    await expect(get(server.url, 50)).rejects.toThrow("no answer within 0.05 s");
  });

  it("throws when only a part of the body comes within the limit", async () => {
    await using server = await serving((_, response) => void response.write("part"));
    await expect(get(server.url, 500)).rejects.toThrow("no answer within 0.5 s");
  });

  it("throws when the connection ends within the body", async () => {
    await using server = await serving((_, response) => {
      response.writeHead(200, { "Content-Length": 100 });
      response.write("part", () => response.socket?.destroy());
    });
    await expect(get(server.url, LIMIT_MS)).rejects.toThrow("aborted");
  });

  it("throws when the body is longer than 16 MiB", async () => {
    await using server = await serving((_, response) => {
      response.end(Buffer.alloc(16 * 1_048_576 + 1, "a"));
    });
    await expect(get(server.url, LIMIT_MS)).rejects.toThrow("more than 16777216 bytes");
  });

  it("throws when nobody listens", async () => {
    const server = await serving(() => {});
    await server[Symbol.asyncDispose]();
    await expect(get(server.url, LIMIT_MS)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
