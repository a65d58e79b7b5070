import { execFile, spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { newSelfSigned } from "../../lib/web/io/self-signed-key.ts";
import { findGo } from "./kubernetes/build.ts";

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL("../acme/", import.meta.url));
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/pebble/", import.meta.url));
const MODULE = "github.com/letsencrypt/pebble/v2/cmd/pebble";

/** A real ACME server that somebody else wrote (Let's Encrypt's Pebble), on this machine alone. */
export interface Pebble extends AsyncDisposable {
  readonly directoryUrl: string;
  /** What a client must trust to talk to it, as a file. */
  readonly trust: string;
  /** What signs its certificates. */
  root(): Promise<X509Certificate>;
}

/** Built from its module once, which takes about a minute, and kept. */
async function pebbleProgram(): Promise<string> {
  const hash = createHash("sha256")
    .update(await readFile(join(SOURCES, "go.sum")))
    .digest("hex");
  const program = join(CACHE, `pebble-${hash.slice(0, 12)}`);
  if (existsSync(program)) return program;
  await mkdir(CACHE, { recursive: true });
  const part = `${program}.${process.pid}`;
  const args = ["build", "-mod=readonly", "-buildvcs=false", "-ldflags=-s -w", "-o", part, MODULE];
  await run(await findGo(), args, { cwd: SOURCES }).catch((error: Error) => {
    throw new Error(`the ACME server can't be built: ${error.message.slice(0, 1_000)}`);
  });
  await rename(part, program);
  return program;
}

/** It asks this name server, and connects to port 80 of whatever that answers. */
export async function pebble({
  dnsServer,
  validitySeconds = 7_776_000,
}: {
  readonly dnsServer: string;
  readonly validitySeconds?: number;
}): Promise<Pebble> {
  const program = await pebbleProgram();
  const folder = await mkdtemp(join(tmpdir(), "eda-pebble-"));
  const [port, management] = [await freePort(), await freePort()];
  const pem = newSelfSigned("localhost");
  const trust = join(folder, "trust.pem");
  await writeFile(trust, pem.slice(pem.indexOf("-----BEGIN CERTIFICATE")));
  await writeFile(join(folder, "key.pem"), pem);
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: trust,
    privateKey: join(folder, "key.pem"),
    httpPort: 80,
    tlsPort: 443,
    retryAfter: { authz: 1, order: 1 },
    profiles: { default: { description: "for tests", validityPeriod: validitySeconds } },
  };
  await writeFile(join(folder, "config.json"), JSON.stringify({ pebble: config }));
  const server = spawn(
    program,
    ["-config", join(folder, "config.json"), "-strict", "-dnsserver", dnsServer],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0" },
    },
  );
  const said: string[] = [];
  for (const stream of [server.stdout, server.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => void said.push(text));
  }
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  const get = (path: string, at: number) => getText(`https://localhost:${at}${path}`, trust);
  for (let tries = 0; ; tries += 1) {
    const isUp = await get("/dir", port).then(
      () => true,
      () => false,
    );
    if (isUp) break;
    if (tries > 300 || server.exitCode !== null)
      throw new Error(`the ACME server did not start: ${said.join("")}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    directoryUrl: `https://localhost:${port}/dir`,
    trust,
    root: async () => new X509Certificate(await get("/roots/0", management)),
    async [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      );
    });
  });

async function getText(url: string, trust: string): Promise<string> {
  const ca = await readFile(trust);
  return new Promise((resolve, reject) => {
    const sent = request(url, { ca, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    sent.on("error", reject);
    sent.end();
  });
}
