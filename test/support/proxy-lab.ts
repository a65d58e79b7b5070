import { randomBytes, randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { type Agent, type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import Docker from "dockerode";
import { type AgentProcess, startAgent } from "./agent-process.ts";
import { dockerProxy } from "./docker-proxy.ts";
import { haproxyProgram } from "./haproxy.ts";
import { WEB_COMMAND, webImage } from "./web-image.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface WebOptions {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where it listens; default 80. */
  readonly port?: number;
  readonly networkMode?: string;
  readonly healthcheck?: Docker.HealthConfig;
  readonly command?: readonly string[];
  readonly stopSignal?: string;
  readonly restartPolicy?: { readonly Name: string };
}

/** A proxy's surroundings: a Docker engine that shows it the lab's own containers, and an address of its own. */
export interface ProxyLab extends AsyncDisposable {
  readonly docker: Docker;
  readonly folder: string;
  /** A loopback address that no other lab listens on, so that the ports can be the real ones. */
  readonly address: string;
  named(text: string): string;
  /** The agent in its mode `proxy`. */
  agent(flags?: readonly string[], env?: Readonly<Record<string, string>>): AgentProcess;
  /** A web server that says its name. */
  web(options: WebOptions): Promise<Docker.Container>;
  ask(host: string, path?: string, options?: AskOptions): Promise<Answer>;
  /** The first answer that is wanted, asked for again and again. Rejects after 90 s with the last one. */
  until(host: string, wanted: (answer: Answer) => boolean, options?: AskOptions): Promise<Answer>;
  /** What a command in the container writes to standard output. */
  output(name: string, command: readonly string[]): Promise<string>;
  /** What the agent asked Docker besides reading. */
  writes(): readonly { readonly method: string; readonly path: string }[];
}

export interface AskOptions {
  readonly port?: number;
  readonly agent?: Agent;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly path?: string;
}

const WAIT_LIMIT_MS = 90_000;

export async function proxyLab(): Promise<ProxyLab> {
  await haproxyProgram();
  await using stack = new AsyncDisposableStack();
  const id = randomBytes(5).toString("hex");
  const label = `eda-test=${id}`;
  const docker = new Docker();
  const image = await webImage(docker);
  const folder = await mkdtemp(join(tmpdir(), "eda-px-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const address = `127.${randomInt(2, 250)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;
  const proxy = await dockerProxy({ socketPath: join(folder, "docker.sock"), label });
  stack.defer(() => proxy.close());
  stack.defer(() => removeAll(docker, label));
  const ends = stack.use(new AsyncDisposableStack());
  const named = (text: string) => `eda-test-${id}-${text}`;

  const ask = (host: string, path = "/", options: AskOptions = {}) =>
    answerOf(address, host, path, options);
  const held = stack.move();
  return {
    docker,
    folder,
    address,
    named,
    agent(flags = [], env = {}) {
      const agent = startAgent(
        [
          "proxy",
          `--listenAddress=${address}`,
          `--stateDir=${folder}`,
          "--statusAddress=off",
          "--logFormat=json",
          "--drainTimeout=3",
          ...flags,
        ],
        {
          PATH: process.env["PATH"] ?? "",
          DOCKER_HOST: proxy.dockerHost,
          AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
          ...env,
        },
      );
      ends.defer(async () => {
        agent.kill("SIGTERM");
        await agent.exit();
      });
      return agent;
    },
    async web({ name, labels, port = 80, networkMode = "bridge", command = WEB_COMMAND, ...more }) {
      const container = await docker.createContainer({
        Image: image,
        Cmd: [...command],
        name: named(name),
        Labels: { "eda-test": id, ...labels },
        Env: [`NAME=${name}`, `PORT=${port}`],
        StopSignal: more.stopSignal ?? "SIGUSR1",
        ...(more.healthcheck && { Healthcheck: more.healthcheck }),
        HostConfig: {
          NetworkMode: networkMode,
          ...(more.restartPolicy && { RestartPolicy: more.restartPolicy }),
        },
      });
      await container.start();
      return container;
    },
    ask,
    async until(host, wanted, options = {}) {
      const untilMs = Date.now() + WAIT_LIMIT_MS;
      for (;;) {
        const answer = await ask(host, options.path, options).catch((error: unknown) => ({
          status: 0,
          headers: {},
          body: String(error),
        }));
        if (wanted(answer)) return answer;
        if (Date.now() > untilMs)
          throw new Error(`waited in vain; last: ${JSON.stringify(answer)}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async output(name, command) {
      const exec = await docker
        .getContainer(named(name))
        .exec({ Cmd: [...command], AttachStdout: true });
      const stream = await exec.start({});
      const out = new PassThrough();
      docker.modem.demuxStream(stream, out, new PassThrough());
      stream.once("end", () => out.end());
      return text(out);
    },
    writes: () => proxy.requests.filter(({ method }) => method !== "GET"),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

function answerOf(
  address: string,
  host: string,
  path: string,
  { port = 80, agent, method = "GET", headers = {}, body }: AskOptions,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request(
    {
      host: address,
      port,
      path,
      method,
      headers: { host, ...headers },
      agent: agent ?? false,
      timeout: 10_000,
    },
    (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    },
  );
  sent.on("error", reject);
  sent.on("timeout", () => sent.destroy(new Error("no answer within 10 s")));
  sent.end(body);
  return promise;
}

async function removeAll(docker: Docker, label: string): Promise<void> {
  const all = await docker.listContainers({ all: true, filters: { label: [label] } });
  for (const { Id } of all) {
    await docker
      .getContainer(Id)
      .remove({ force: true, v: true })
      .catch((error: { readonly statusCode?: number }) => {
        // Gone, or going, by the test's own doing.
        if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
      });
  }
}
