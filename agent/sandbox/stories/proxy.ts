import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Fatal } from "../../../lib/kit/failure.ts";
import { type DockerStandIn, dockerStandIn } from "../../../lib/standins/docker/engine.ts";
import { together } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { SandboxConfig } from "../config.ts";

const run = promisify(execFile);
const PORT = 8_080;
const SCENE_MS = 2_500;
const READY = /^\S+ info +the engine read its files /;
const PAGE = /^\S+ info +the status page is served url=(http:\S+)$/;

/**
 * The real proxy and the real engine, in front of containers of a simulated Docker whose web servers are this process's
 * own; with `--engine=docker` in front of this machine's containers. Ends at the stop, or after `--for`.
 */
export async function tell(config: SandboxConfig, surroundings: Surroundings): Promise<void> {
  const { stop, clock, env } = surroundings;
  await needEngine();
  const done = new AbortController();
  const end = AbortSignal.any([stop.signal, done.signal]);
  const startedMs = clock.now();
  const say = (line: string) => {
    const at = ((clock.now() - startedMs) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${at} s  ${line}\n`);
  };
  const folder = await mkdtemp(join(tmpdir(), "eda-px-"));
  const port = await portOf(PORT);
  const docker =
    config.engine === "docker"
      ? undefined
      : await dockerStandIn({ socketPath: join(folder, "d.sock") });
  const agent = startAgent(folder, port, docker?.dockerHost ?? env["DOCKER_HOST"], config);
  const ready = Promise.withResolvers<void>();
  createInterface(agent.stdout as NonNullable<ChildProcess["stdout"]>).on("line", (line) => {
    const page = PAGE.exec(line)?.[1];
    if (page !== undefined) say(`what the proxy thinks: ${page}/`);
    if (READY.test(line)) ready.resolve();
    if (/^\S+ (?:warn|error) /.test(line) || config.logLevel === "debug") say(`proxy: ${line}`);
  });
  const follow = async (): Promise<void> => {
    const [code] = (await once(agent, "exit")) as [number | null];
    ready.resolve();
    if (!end.aborted) throw new Error(`the proxy ended with exit code ${code}`);
  };
  const play = async (): Promise<void> => {
    await ready.promise;
    if (end.aborted) return;
    say(`every container with the label proxy.host is served at http://<name>.localhost:${port}`);
    if (docker === undefined)
      say("label any container: docker run --rm --label proxy.host=hello <image>");
    else await playStory({ docker, port, say, pause: (ms) => clock.sleep(ms, end) });
  };
  const timer = async (): Promise<void> => {
    if (config.for > 0) await clock.sleep(config.for * 1000, end).catch(() => {});
    else if (!end.aborted) await once(end, "abort");
    done.abort();
    agent.kill("SIGTERM");
  };
  const ignoreStop = (error: unknown): void => {
    if (!end.aborted) throw error;
  };
  await together(stop, [follow(), play().catch(ignoreStop), timer()]);
  await docker?.close();
  await rm(folder, { recursive: true, force: true });
}

/** As root on Debian it is installed; anywhere else one line says how to get it. */
async function needEngine(): Promise<void> {
  const isThere = () =>
    run("haproxy", ["-v"]).then(
      () => true,
      () => false,
    );
  if (await isThere()) return;
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    process.stdout.write("HAProxy is not there: installs Debian's package\n");
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "haproxy"], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).catch(() => {});
    if (await isThere()) return;
  }
  throw new Fatal("the demo needs HAProxy: apt-get install haproxy (2.6 or newer)");
}

async function portOf(wanted: number): Promise<number> {
  const listen = async (port: number): Promise<number> => {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    const { port: free } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    return free;
  };
  return listen(wanted).catch(() => listen(0));
}

/** The real agent, with nothing of this environment that could lead it to a real AWS account. */
function startAgent(
  folder: string,
  port: number,
  dockerHost: string | undefined,
  { logLevel }: SandboxConfig,
): ChildProcess {
  const [node, main] = process.argv as [string, string];
  const flags = [
    ...["proxy", "--domain=localhost", "--listenAddress=127.0.0.1", `--listenPorts=${port}`],
    ...[`--stateDir=${folder}`, "--statusAddress=127.0.0.1:0", "--drainTimeout=2"],
    `--logLevel=${logLevel === "debug" ? "debug" : "info"}`,
  ];
  return spawn(node, [main, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"] ?? "",
      ...(dockerHost !== undefined && { DOCKER_HOST: dockerHost }),
      AWS_EC2_METADATA_DISABLED: "true",
    },
  });
}

interface Web {
  readonly id: string;
  readonly server: Server;
}

async function playStory({
  docker,
  port,
  say,
  pause,
}: {
  readonly docker: DockerStandIn;
  readonly port: number;
  readonly say: (line: string) => void;
  /** Rejects at the end. */
  readonly pause: (ms: number) => Promise<void>;
}): Promise<void> {
  const all: Web[] = [];
  const start = async (name: string, host: string): Promise<Web> => {
    const server = createServer((_, response) => response.end(`${host} from ${name}\n`));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port: target } = server.address() as AddressInfo;
    const labels = {
      "proxy.host": host,
      "proxy.ports": `${port}:${target}`,
      "proxy.sticky": "off",
    };
    const web = { id: docker.run({ name, networkMode: "host", labels }), server };
    all.push(web);
    return web;
  };
  const stop = ({ id, server }: Web): void => {
    docker.stop(id);
    server.close();
  };
  const ask = async (host: string): Promise<void> => {
    await pause(SCENE_MS);
    say(`  http://${host}.localhost:${port} says: ${await answerOf(host, port)}`);
  };
  try {
    for (let round = 1; ; round += 1) {
      say("a container starts, with the label proxy.host=hello");
      const red = await start(`red-${round}`, "hello");
      await ask("hello");
      say("a container more of that name, and one of another");
      const blue = await start(`blue-${round}`, "hello");
      const shop = await start(`shop-${round}`, "shop");
      await ask("shop");
      say("the first is stopped: the name is served on");
      stop(red);
      await ask("hello");
      say("all are stopped: who asks gets the page of what is served");
      for (const web of [blue, shop]) stop(web);
      await ask("hello");
    }
  } finally {
    for (const { server } of all) server.close();
  }
}

/** The first line that says something. */
function answerOf(host: string, port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const headers = { host: `${host}.localhost:${port}` };
  const sent = request({ host: "127.0.0.1", port, headers, agent: false }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    response.on("end", () => {
      const title = /<title>(.*)<\/title>/.exec(text)?.[1];
      resolve(`${response.statusCode} ${title ?? text.trim()}`);
    });
  });
  sent.on("error", reject);
  sent.end();
  return promise;
}
