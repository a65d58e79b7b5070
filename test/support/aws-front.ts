import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that passed, by its operation. */
interface Passed {
  readonly operation: string;
  readonly isWrite: boolean;
}

/** In front of an emulator of AWS: what is asked is counted by its operation, and the rest passes as it is. */
export interface AwsFront extends AsyncDisposable {
  readonly url: string;
  /** Everything asked since the last call. */
  taken(): { readonly calls: number; readonly writes: readonly string[] };
}

const READS = /^(?:Describe|List|Get)/;

export async function awsFront(target: string): Promise<AwsFront> {
  let passed: Passed[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      const operation = operationOf(incoming.method ?? "", incoming.headers["x-amz-target"], body);
      passed.push({ operation, isWrite: !READS.test(operation) });
      const onwards = request(
        new URL(incoming.url ?? "/", target),
        { method: incoming.method, headers: incoming.headers, agent: false },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        },
      );
      onwards.on("error", () => outgoing.destroy());
      onwards.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    taken() {
      const all = passed;
      passed = [];
      return {
        calls: all.length,
        writes: all.filter(({ isWrite }) => isWrite).map(({ operation }) => operation),
      };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function operationOf(method: string, target: string | string[] | undefined, body: Buffer): string {
  if (typeof target === "string") return target.replace(/^.*\./, "");
  const action = new URLSearchParams(body.toString()).get("Action");
  return action ?? (method === "GET" ? "GetPath" : `${method}Path`);
}
