import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { KubeError } from "../../../../lib/kubernetes/api.ts";
import { kubeClient, kubeConnection } from "../../../../lib/kubernetes/io/client.ts";

let folder: string;
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const seen: IncomingMessage[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kube-client-"));
  seen.length = 0;
  server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

/** A kubeconfig for the server, with this user. */
function kubeconfig(user: object): string {
  const { port } = server.address() as AddressInfo;
  const file = join(folder, "config");
  const content = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    clusters: [
      {
        name: "c",
        cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true },
      },
    ],
    users: [{ name: "u", user }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace: "shop" } }],
  };
  writeFileSync(file, JSON.stringify(content));
  return file;
}

const client = (user: object = { token: "t" }) => kubeClient(kubeConnection(kubeconfig(user)));
const refused = async (call: Promise<unknown>): Promise<KubeError> => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof KubeError)) throw new Error(`expected a KubeError, got ${String(error)}`);
  return error;
};

describe("a call", () => {
  it("bears the user's token, its query, and its body in the form of its kind", async () => {
    answer = (_, response) => response.end('{"ok": true}');
    const got = await client().call({
      method: "PATCH",
      path: "/a/b",
      query: { force: "true" },
      patch: "apply",
      body: { x: 1 },
    });
    expect(got).toEqual({ ok: true });
    expect(seen[0]?.url).toBe("/a/b?force=true");
    expect(seen[0]?.headers).toMatchObject({
      authorization: "Bearer t",
      "content-type": "application/apply-patch+yaml",
    });
  });

  it("says what the API server said instead", async () => {
    answer = (_, response) => {
      response.statusCode = 409;
      response.end('{"kind": "Status", "reason": "Conflict", "message": "changed"}');
    };
    const error = await refused(client().call({ method: "GET", path: "/x" }));
    expect([error.status, error.reason]).toEqual([409, "Conflict"]);
    expect(error.message).toBe("Kubernetes did not take GET /x: changed");
  });

  it("has the status 0 where nobody answers, or with no JSON", async () => {
    answer = (request) => request.socket.destroy();
    expect((await refused(client().call({ method: "GET", path: "/x" }))).status).toBe(0);
    answer = (_, response) => response.end("<html>");
    expect((await refused(client().call({ method: "GET", path: "/x" }))).status).toBe(0);
  });
});

describe("credentials of an exec plugin", () => {
  /** Counts its runs, and gives a token that bears the count. */
  const plugin = () => {
    const script = join(folder, "plugin");
    const count = join(folder, "count");
    writeFileSync(
      script,
      `#!/bin/sh\necho x >> ${count}\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"token-'$(wc -l < ${count} | tr -d ' ')'"}}'\n`,
    );
    chmodSync(script, 0o755);
    return {
      exec: {
        apiVersion: "client.authentication.k8s.io/v1",
        command: script,
        interactiveMode: "Never",
      },
    };
  };

  it("are asked for once, and again when they are refused", async () => {
    answer = ({ headers }, response) => {
      response.statusCode =
        headers.authorization === "Bearer token-1" && seen.length > 2 ? 401 : 200;
      response.end("{}");
    };
    const { call } = client(plugin());
    const get = { method: "GET", path: "/x" };
    await call(get);
    await call(get);
    expect((await refused(call(get))).status).toBe(401);
    await call(get);
    expect(seen.map(({ headers }) => headers.authorization)).toEqual([
      "Bearer token-1",
      "Bearer token-1",
      "Bearer token-1",
      "Bearer token-2",
    ]);
    expect(readFileSync(join(folder, "count"), "utf8")).toBe("x\nx\n");
  });

  it("that can't be had are told, and end nothing", async () => {
    const error = await refused(
      client({ exec: { command: "/nowhere/plugin" } }).call({ method: "GET", path: "/x" }),
    );
    expect([error.status, error.message]).toEqual([0, expect.stringContaining("no credentials")]);
  });
});

describe("a watch", () => {
  it("gives one line for each object, wherever the chunks are cut, and ends with the server", async () => {
    answer = (_, response) => {
      response.write('{"a": 1}\n{"b"');
      setImmediate(() => response.end(': 2}\n{"cut'));
    };
    const lines: string[] = [];
    const { signal } = new AbortController();
    for await (const line of client().watch("/w", { watch: "1" }, signal)) lines.push(line);
    expect(lines).toEqual(['{"a": 1}', '{"b": 2}']);
  });

  it("is ended by its signal", async () => {
    answer = (_, response) => void response.write('{"a": 1}\n');
    const stop = new AbortController();
    const watching = async () => {
      for await (const _ of client().watch("/w", {}, stop.signal)) stop.abort();
    };
    expect((await refused(watching())).status).toBe(0);
  });

  it("that is answered with 410 says so", async () => {
    answer = (_, response) => {
      response.statusCode = 410;
      response.end('{"reason": "Expired", "message": "too old"}');
    };
    const watching = async () => {
      for await (const _ of client().watch("/w", {}, new AbortController().signal)) break;
    };
    expect((await refused(watching())).status).toBe(410);
  });
});
