import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { FleetState } from "../../lib/standins/ecs/service-rules.ts";
import type { ClassicBalancer, plainBalancer } from "../../lib/standins/elb/classic-state.ts";
import { installPackages, isRootOnDebian } from "./debian.ts";
import type { Asked, Load } from "./net-lab-peer.ts";

const run = promisify(execFile);
const PEER = fileURLToPath(new URL("net-lab-peer.ts", import.meta.url));

/** The places of the lab, each a network namespace with an address on one bridge. */
const ADDRESSES = { agent: 1, tasks: 2, linked: 9 } as const;
type Place = keyof typeof ADDRESSES;

export const addressOf = (place: Place): string => `10.77.0.${ADDRESSES[place]}`;
export const address6Of = (place: Place): string => `fd77::${ADDRESSES[place]}`;

/** A process in one of the namespaces, which does what it is asked. */
export interface Peer {
  /** A task that says its name and gives back what it is sent. */
  serve(name: string, port: number): Promise<void>;
  /** Its end: connects are refused. */
  end(port: number): Promise<void>;
  /** ECS and EC2, with this state from now on; gives the URL. */
  fleet(state: FleetState): Promise<string>;
  /** EC2's metadata with these values; gives the URL. */
  metadata(values: Readonly<Record<string, string>>): Promise<string>;
  /** Elastic Load Balancing, with this load balancer added where one is given, and as it is now. */
  elb(about: { readonly balancer?: ClassicBalancer; readonly name?: string }): Promise<{
    readonly url: string;
    /** Requests so far that could change something. */
    readonly writes: number;
    readonly balancer?: ReturnType<typeof plainBalancer>;
  }>;
  /** Connects so often, and counts who answered. */
  ask(load: Load): Promise<Asked>;
  /** Opens a connection and keeps it; gives the name that it was told. */
  hold(host: string, port: number): Promise<string>;
  /** Holds so many idle connections, and lets go of those it held before. */
  holdMany(host: string, port: number, count: number): Promise<void>;
  /** Sends this, ends its own half, and gives all that still came; or an error's code. */
  half(host: string, port: number, text: string): Promise<string>;
  /** The body of what this URL answers. */
  get(url: string): Promise<string>;
  /** Sends over the kept connection, and gives what came back; an error's code where it is broken. */
  say(text: string): Promise<string>;
}

export interface NetLab extends AsyncDisposable {
  readonly peers: Readonly<Record<Place, Peer>>;
  /** What to put before a command so that it runs there. */
  inside(place: Place): readonly string[];
  /** Runs a command there, with this input; gives its output. */
  run(place: Place, command: readonly string[], input?: string): Promise<string>;
}

/**
 * Three network namespaces on a bridge of their own: the agent with a client on its localhost, the tasks, and a client in a
 * container beside. Nothing of it touches this machine's own network. As root on Linux only.
 */
export async function netLab({
  sysctls = {},
}: {
  readonly sysctls?: Readonly<Record<string, number>>;
} = {}): Promise<NetLab> {
  await prepare();
  await using stack = new AsyncDisposableStack();
  const prefix = `eda-${randomBytes(3).toString("hex")}`;
  const bridge = `${prefix}-br`;
  const name = (place: string) => `${prefix}-${place}`;
  const inside = (place: string) => ["nsenter", `--net=/run/netns/${name(place)}`];
  const command = async (place: string, words: readonly string[], input?: string) => {
    const running = run("env", [...inside(place), ...words]);
    // It may end without having read anything.
    running.child.stdin?.on("error", () => {}).end(input ?? "");
    return (await running).stdout;
  };

  for (const place of ["br", ...Object.keys(ADDRESSES)]) {
    await run("ip", ["netns", "add", name(place)]);
    stack.defer(async () => void (await run("ip", ["netns", "del", name(place)])));
    await command(place, ["ip", "link", "set", "lo", "up"]);
  }
  await command("br", ["ip", "link", "add", "lab0", "type", "bridge"]);
  await command("br", ["ip", "link", "set", "lab0", "up"]);
  for (const [place, number] of Object.entries(ADDRESSES)) {
    const peer = ["type", "veth", "peer", "name", "eth0", "netns", name(place)];
    await run("ip", ["link", "add", `p${number}`, "netns", bridge, ...peer]);
    await command("br", ["ip", "link", "set", `p${number}`, "master", "lab0", "up"]);
    await command(place, ["ip", "addr", "add", `10.77.0.${number}/24`, "dev", "eth0"]);
    await command(place, ["ip", "-6", "addr", "add", `fd77::${number}/64`, "dev", "eth0", "nodad"]);
    await command(place, ["ip", "link", "set", "eth0", "up"]);
  }
  const settings = {
    "net.ipv4.conf.all.route_localnet": 1,
    "net.ipv4.ip_forward": 1,
    ...sysctls,
  };
  for (const [key, value] of Object.entries(settings)) {
    await command("agent", ["sysctl", "-qw", `${key}=${value}`]);
  }
  const started: Partial<Record<Place, Peer>> = {};
  for (const place of Object.keys(ADDRESSES) as Place[]) {
    started[place] = await peerIn([...inside(place)], stack);
  }
  const held = stack.move();
  return {
    peers: started as Record<Place, Peer>,
    inside,
    run: command,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** As root on Debian the lab helps itself; anywhere else it says what is missing. */
async function prepare(): Promise<void> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error(
      "These tests make network namespaces: expected to run as root on Linux. Leave them out with --testPathIgnorePatterns=ambassador-kernel",
    );
  }
  const programs = { nft: "nftables", ip: "iproute2", sysctl: "procps", nsenter: "util-linux" };
  const missing = Object.entries(programs).filter(([program]) =>
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].every(
      (folder) => !existsSync(`${folder}/${program}`),
    ),
  );
  if (missing.length === 0) return;
  if (!isRootOnDebian()) {
    throw new Error(
      `These tests need ${missing.map(([program]) => program).join(", ")}: install ${missing.map(([, name]) => name).join(", ")}`,
    );
  }
  await installPackages(...missing.map(([, name]) => name));
}

async function peerIn(inside: string[], stack: AsyncDisposableStack): Promise<Peer> {
  const [program, ...words] = ["env", ...inside, process.execPath, PEER] as const;
  const child: ChildProcess = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
  stack.defer(async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  if (child.stdout === null || child.stdin === null) throw new Error("expected pipes");
  const { stdin } = child;
  createInterface(child.stdout).on("line", (line) => {
    const { id, result, error } = JSON.parse(line) as {
      readonly id: number;
      readonly result?: unknown;
      readonly error?: string;
    };
    if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  let asked = 0;
  const ask = <T>(act: string, about: object): Promise<T> => {
    asked += 1;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    waiting.set(asked, { resolve, reject });
    stdin.write(`${JSON.stringify({ id: asked, act, ...about })}\n`);
    return promise as Promise<T>;
  };
  return {
    serve: (name, port) => ask("serve", { name, port }),
    end: (port) => ask("end", { port }),
    fleet: (state) => ask("fleet", { state }),
    metadata: (values) => ask("metadata", { values }),
    elb: (about) => ask("elb", about),
    ask: (load) => ask("ask", { load }),
    hold: (host, port) => ask("hold", { host, port }),
    holdMany: (host, port, count) => ask("holdMany", { host, port, count }),
    half: (host, port, text) => ask("half", { host, port, text }),
    get: (url) => ask("get", { text: url }),
    say: (text) => ask("say", { text }),
  };
}
