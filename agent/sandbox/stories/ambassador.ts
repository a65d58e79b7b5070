import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Clock } from "../../../lib/kit/flow/clock.ts";
import { type FleetStandIn, fleetStandIn } from "../../../lib/standins/ecs/service-api.ts";
import type { FleetTask } from "../../../lib/standins/ecs/service-rules.ts";
import { together } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { SandboxConfig } from "../config.ts";

const PER_SECOND = 200;
const SECONDS = 20;
const HOST = { id: "c0".repeat(16), ec2Id: "i-0123456789abcdef0", privateIp: "127.0.0.1" };
const REQUEST_LIMIT_MS = 5_000;

/** A task on loopback: it says its name to whoever connects. */
interface Task {
  readonly name: string;
  readonly server: Server;
  readonly told: FleetTask;
  readonly sockets: Set<Socket>;
}

/**
 * Three tasks of a service, the real ambassador in front of them as a process of its own, and a client that asks 200 times
 * a second while all three are replaced, one is killed without a word, and the API falls silent. Ends by itself.
 */
export async function tell(config: SandboxConfig, surroundings: Surroundings): Promise<void> {
  const { stop, clock, random } = surroundings;
  const done = new AbortController();
  const end = AbortSignal.any([stop.signal, done.signal]);
  const seconds = config.for === 0 ? SECONDS : config.for;
  const startedMs = clock.now();
  const say = (line: string) => {
    const at = ((clock.now() - startedMs) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${at} s  ${line}\n`);
  };

  const port = await freePort();
  let tasks: readonly Task[] = [];
  const api = await fleetStandIn(() => ({
    clusters: [
      {
        name: "default",
        services: ["shop"],
        instances: [HOST],
        tasks: tasks.map(({ told }) => told),
      },
    ],
  }));
  const running: Task[] = [];
  const start = async (name: string): Promise<void> => {
    const one = await startTask(name, port, random);
    running.push(one);
    tasks = [...tasks, one];
  };
  for (const name of ["red", "green", "blue"]) await start(name);

  const agent = startAgent(api, config);
  const counts = new Map<string, number>();
  const follow = async () => {
    const [code] = (await once(agent, "exit")) as [number | null];
    if (!end.aborted) throw new Error(`the ambassador ended with exit code ${code}`);
  };
  const play = async () => {
    const page = await pageOf(agent, end);
    say(`three tasks run; the ambassador serves them at 127.0.0.1:${port}; its page: ${page}/`);
    await untilServed(port, clock, end);
    say(`a client asks ${PER_SECOND} times a second, each time over a new connection`);
    const leave = (name: string) => {
      tasks = tasks.filter((one) => one.name !== name);
    };
    const killed = (name: string) => {
      for (const one of running) if (one.name === name) kill(one);
    };
    const scenes = replace({ say, clock, end, seconds, api, start, leave, kill: killed });
    await Promise.all([load({ port, clock, end, seconds, counts, say }), scenes]);
    sumUp(counts);
  };
  await together(stop, [
    follow(),
    play().finally(() => {
      done.abort();
      agent.kill("SIGTERM");
    }),
  ]);
  for (const one of running) kill(one);
  await api.close();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function startTask(name: string, port: number, random: () => number): Promise<Task> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.end(`${name}\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: hostPort } = server.address() as AddressInfo;
  const id = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join("");
  const networkBindings = [{ containerPort: port, hostPort, protocol: "tcp" }];
  return {
    name,
    server,
    sockets,
    told: {
      id,
      family: "web",
      service: "shop",
      instance: HOST.id,
      containers: [{ name: "web", networkBindings }],
    },
  };
}

function kill({ server, sockets }: Task): void {
  server.close();
  for (const socket of sockets) socket.resetAndDestroy();
}

/** The real agent, with nothing of this environment that could lead it to a real AWS account. */
function startAgent(api: FleetStandIn, { logLevel }: SandboxConfig): ChildProcess {
  const [node, main] = process.argv as [string, string];
  const flags = [
    ...["ambassador", "--name=web", "--service=shop", "--poll=1", "--bind=127.0.0.1"],
    ...["--statusAddress=127.0.0.1:0", "--dataPlane=proxy"],
    `--logLevel=${logLevel === "debug" ? "debug" : "info"}`,
  ];
  return spawn(node, [main, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      AWS_ENDPOINT_URL_ECS: api.url,
      AWS_ENDPOINT_URL_EC2: api.url,
      AWS_REGION: "eu-west-1",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_ACCESS_KEY_ID: "sandbox",
      AWS_SECRET_ACCESS_KEY: "sandbox",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    },
  });
}

/** Where it says that its page is. */
function pageOf(agent: ChildProcess, end: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  end.addEventListener("abort", () => reject(end.reason), { once: true });
  const lines = agent.stdout && createInterface(agent.stdout);
  lines?.on("line", (line) => {
    const [, page] = /the status page is served url=(http:\S+)$/.exec(line) ?? [];
    if (page !== undefined) resolve(page);
  });
  return promise;
}

/** The name that answers; undefined for a connection that failed. */
function ask(port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.setTimeout(REQUEST_LIMIT_MS, () => socket.destroy());
  socket.on("data", (chunk) => {
    received += chunk.toString();
  });
  socket.on("error", () => {});
  socket.on("close", () => resolve(received.endsWith("\n") ? received.trim() : undefined));
  return promise;
}

async function untilServed(port: number, clock: Clock, end: AbortSignal): Promise<void> {
  while ((await ask(port)) === undefined) await clock.sleep(50, end);
}

async function load({
  port,
  clock,
  end,
  seconds,
  counts,
  say,
}: {
  readonly port: number;
  readonly clock: Clock;
  readonly end: AbortSignal;
  readonly seconds: number;
  readonly counts: Map<string, number>;
  readonly say: (line: string) => void;
}): Promise<void> {
  const startMs = clock.now();
  const total = PER_SECOND * seconds;
  const asked: Promise<void>[] = [];
  let second = new Map<string, number>();
  let shown = 1;
  const one = async () => {
    const name = (await ask(port)) ?? "failed";
    counts.set(name, (counts.get(name) ?? 0) + 1);
    second.set(name, (second.get(name) ?? 0) + 1);
  };
  while (asked.length < total) {
    const passedMs = clock.now() - startMs;
    const due = Math.min(total, Math.ceil((passedMs / 1000) * PER_SECOND));
    while (asked.length < due) asked.push(one());
    if (passedMs >= shown * 1_000) {
      shown += 1;
      say(bar(second));
      second = new Map();
    }
    await clock.sleep(5, end);
  }
  await Promise.all(asked);
  say(bar(second));
}

/** A second's answers, one letter for five of them. */
function bar(second: ReadonlyMap<string, number>): string {
  const parts = [...second].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const letters = parts.map(([name, count]) => letterOf(name).repeat(Math.round(count / 5)));
  const names = parts.map(([name, count]) => `${name} ${count}`);
  return `${letters.join("").padEnd(44)} ${names.join(", ")}`;
}

/** `r` for red, `R` for its replacement, `!` for what failed. */
function letterOf(name: string): string {
  if (name === "failed") return "!";
  const [, fresh = ""] = /^new (.)/.exec(name) ?? [];
  return fresh.toUpperCase() || name.slice(0, 1);
}

/** One scene after the other, spread over the time that there is. */
async function replace({
  say,
  clock,
  end,
  seconds,
  api,
  start,
  leave,
  kill,
}: {
  readonly say: (line: string) => void;
  readonly clock: Clock;
  readonly end: AbortSignal;
  readonly seconds: number;
  readonly api: FleetStandIn;
  readonly start: (name: string) => Promise<void>;
  /** ECS no longer tells of it; it goes on until it is killed. */
  readonly leave: (name: string) => void;
  readonly kill: (name: string) => void;
}): Promise<void> {
  const sceneMs = (seconds * 1_000) / 8;
  const scene = async (line: string, play: () => Promise<void> | void) => {
    await clock.sleep(sceneMs, end);
    say(`* ${line}`);
    await play();
  };
  for (const name of ["red", "green", "blue"]) {
    await scene(`${name} is replaced: new ${name} starts, ${name} is told to stop`, async () => {
      await start(`new ${name}`);
      leave(name);
      // ECS gives a task time between the two: the ambassador has read it by then.
      await clock.sleep(2_000, end).catch(() => {});
      kill(name);
    });
  }
  await scene("new red dies without a word: ECS still calls it running", () => kill("new red"));
  await scene("ECS falls silent: who was read last is served", () => {
    api.fail({ cut: true });
  });
}

function sumUp(counts: ReadonlyMap<string, number>): void {
  const all = [...counts].reduce((sum, [, count]) => sum + count, 0);
  const number = (value: number) => value.toLocaleString("en-US");
  process.stdout.write(`\n${number(counts.get("failed") ?? 0)} of ${number(all)} failed\n`);
}
