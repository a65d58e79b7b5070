import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "@jest/globals";
import { proveLogin } from "../../../../lib/registry/io/registry.ts";

const AUTH = Buffer.from("joe:p#ss").toString("base64");
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** A server of this test, as host:port. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const challenging = (challenge: string) =>
  serve((_, response) => response.writeHead(401, { "www-authenticate": challenge }).end());

describe("a login", () => {
  it("is proved with the token of the realm that the registry names", async () => {
    const asked: string[] = [];
    const realm = await serve((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      const isRight = request.headers.authorization === `Basic ${AUTH}`;
      response.writeHead(isRight ? 200 : 401).end('{"token":"t"}');
    });
    const registry = await challenging(`Bearer realm="http://${realm}/token",service="r.io"`);
    expect(await proveLogin(registry, AUTH)).toEqual({ kind: "accepted" });
    expect(asked).toEqual([
      `/token?service=r.io&account=joe&client_id=ecs-discovery-agent Basic ${AUTH}`,
    ]);
    const wrong = Buffer.from("joe:wrong").toString("base64");
    expect(await proveLogin(registry, wrong)).toMatchObject({ kind: "refused" });
  });

  it("never leaves for a realm without TLS elsewhere, or for where an answer leads", async () => {
    const registry = await challenging('Bearer realm="http://192.0.2.1/token"');
    expect(await proveLogin(registry, AUTH)).toMatchObject({
      kind: "unknown",
      why: expect.stringContaining("sends logins to a realm without TLS"),
    });
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(200).end();
    });
    const leading = await serve((_, response) =>
      response.writeHead(307, { location: `http://${other}/v2/` }).end(),
    );
    expect(await proveLogin(leading, AUTH)).toMatchObject({ kind: "unknown" });
    expect(seen).toEqual([]);
  });

  it("is not known where nobody answers, where it is asked for strangely, and needed where nobody asks", async () => {
    expect(await proveLogin("127.0.0.1:9", AUTH)).toMatchObject({ kind: "unknown" });
    expect(await proveLogin(await challenging("Digest x"), AUTH)).toMatchObject({
      kind: "unknown",
    });
    const open = await serve((_, response) => response.writeHead(200).end());
    expect(await proveLogin(open, AUTH)).toEqual({ kind: "accepted" });
    const failing = await serve((_, response) => response.writeHead(500).end());
    const proof = await proveLogin(failing, AUTH);
    expect(proof).toMatchObject({ kind: "unknown", why: expect.stringContaining("status 500") });
    expect(JSON.stringify(proof)).not.toContain(AUTH);
  });
});
