import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { installPackages } from "../../support/debian.ts";
import { type NetLab, netLab } from "../../support/net-lab.ts";
import {
  direct,
  haproxy,
  kernel,
  nginx,
  proxy,
  ROOT,
  type Side,
  startTasks,
} from "../ambassador-sides.ts";
import { restingMb } from "../memory.ts";
import type { Row, Scenario } from "../results.ts";
import { median } from "../stats.ts";

const run = promisify(execFile);
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 2);
/** So long that ports come round again, which is where a translation that chooses badly breaks down. */
const LONG_SECONDS = Number(process.env["BENCH_LONG_SECONDS"] ?? 30);
const CONNECTIONS = 50;
const IDLE_CONNECTIONS = 2_000;

interface Round {
  readonly keepAlive: number;
  readonly fresh: number;
  readonly p50Us: number;
  readonly gigabits: number;
  /** µs of its own process. */
  readonly cpuPerRequest?: number;
  readonly cpuPerConnection?: number;
}

interface Memory {
  readonly idleMb: number;
  readonly heldMb: number;
}

/**
 * One consumer on localhost, three tasks (nginx) across a bridge, and between them: nobody, the kernel, the ambassador's
 * proxy, HAProxy, nginx. Each is measured alone, in turns. The proxies live through all rounds; the kernel's table is
 * there for its own turns only, because it has the kernel follow everybody's connections. Debian's programs are installed
 * where they are missing.
 */
export async function ambassador(): Promise<readonly Scenario[]> {
  await installPackages("wrk", "haproxy", "nginx-light", "libnginx-mod-stream");
  await run(process.execPath, ["deploy/bundle.ts"], { cwd: ROOT });
  const folder = await mkdtemp(join(tmpdir(), "eda-bench-"));
  await using lab = await netLab();
  await lab.run("agent", ["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"]);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  await startTasks(lab, folder, stack);
  const lasting = new Map<string, Side>();
  for (const make of [proxy, haproxy, nginx]) {
    const side = await make(lab, folder);
    stack.defer(side.stop);
    lasting.set(side.name, side);
    await untilAnswers(lab, side);
  }
  const memory = new Map<string, Memory>();
  for (const [name, side] of lasting) {
    memory.set(name, { idleMb: await idleMb(side), heldMb: 0 });
    // A process that has just begun is compiled while it serves.
    await wrk(lab, side, CONNECTIONS, SECONDS, "/");
    await wrk(lab, side, CONNECTIONS, SECONDS, "/", "-H", "Connection: close");
  }
  const rounds = new Map<string, Round[]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of ["direct", "kernel", ...lasting.keys()]) {
      await using turn = new AsyncDisposableStack();
      const side = lasting.get(name) ?? (await (name === "kernel" ? kernel(lab) : direct()));
      if (!lasting.has(name)) turn.defer(side.stop);
      await untilAnswers(lab, side);
      if (name === "kernel") memory.set(name, { idleMb: await idleMb(side), heldMb: 0 });
      rounds.set(name, [...(rounds.get(name) ?? []), await measure(lab, side)]);
    }
  }
  // Last: what is held fills the tasks' queues for a while.
  for (const [name, side] of lasting) {
    memory.set(name, { idleMb: memory.get(name)?.idleMb ?? 0, heldMb: await heldMb(lab, side) });
  }
  return scenariosOf(rounds, memory, await bareMb());
}

// ── what is measured ──

async function untilAnswers(lab: NetLab, { host, port }: Side): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await lab.peers.agent.get(`http://${host}:${port}/`).catch(() => "");
    if (answer === "ok") return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nobody answers at ${host}:${port}`);
}

const wrk = (
  lab: NetLab,
  { host, port }: Side,
  connections: number,
  seconds: number,
  path: string,
  ...more: readonly string[]
): Promise<string> =>
  lab.run("agent", [
    ...["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", ...more],
    `http://${host}:${port}${path}`,
  ]);

async function measure(lab: NetLab, side: Side): Promise<Round> {
  const isLong = side.name === "direct" || side.name === "kernel";
  const cpu = () => (side.pid === undefined ? undefined : cpuUs(side.pid));
  const spent = (from: number | undefined, output: string): number | undefined => {
    const now = cpu();
    const [, count] = /(\d+) requests in/.exec(output) ?? [];
    return from === undefined || now === undefined ? undefined : (now - from) / Number(count);
  };
  let from = cpu();
  const keepAlive = await wrk(lab, side, CONNECTIONS, SECONDS, "/");
  const cpuPerRequest = spent(from, keepAlive);
  const single = await wrk(lab, side, 1, 1, "/");
  const bulk = await wrk(lab, side, 4, 1, "/big");
  from = cpu();
  const fresh = await wrk(
    ...([lab, side, CONNECTIONS, isLong ? LONG_SECONDS : SECONDS, "/"] as const),
    ...["-H", "Connection: close"],
  );
  const cpuPerConnection = spent(from, fresh);
  return {
    keepAlive: rate(keepAlive),
    fresh: rate(fresh),
    p50Us: latencyUs(single),
    gigabits: gigabits(bulk),
    ...(side.name !== "kernel" && cpuPerRequest !== undefined && { cpuPerRequest }),
    ...(side.name !== "kernel" && cpuPerConnection !== undefined && { cpuPerConnection }),
  };
}

const rate = (output: string): number => Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);

function latencyUs(output: string): number {
  const [, value, unit] = /50%\s+([\d.]+)(us|ms|s)/.exec(output) ?? [];
  return Number(value) * (unit === "us" ? 1 : unit === "ms" ? 1_000 : 1_000_000);
}

function gigabits(output: string): number {
  const [, value, unit] = /Transfer\/sec:\s+([\d.]+)(KB|MB|GB)/.exec(output) ?? [];
  const bytes = Number(value) * (unit === "GB" ? 2 ** 30 : unit === "MB" ? 2 ** 20 : 2 ** 10);
  return (bytes * 8) / 1e9;
}

/** User and system time of a process; Linux counts in hundredths of a second. */
function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

const idleMb = async ({ pid }: Side): Promise<number> =>
  pid === undefined ? 0 : await restingMb(pid);

/** The least that a Node process which speaks HTTP can be. */
async function bareMb(): Promise<number> {
  const child = spawn(process.execPath, [join(ROOT, "test/bench/bare.mjs")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    if (child.stdout !== null) await once(child.stdout, "data");
    return await restingMb(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

/** With so many connections that do nothing, held by the peer inside: from outside nothing leads in. */
async function heldMb(lab: NetLab, { pid, host, port }: Side): Promise<number> {
  if (pid === undefined) return 0;
  await lab.peers.agent.holdMany(host, port, IDLE_CONNECTIONS);
  const mb = await restingMb(pid);
  await lab.peers.agent.holdMany(host, port, 0);
  return mb;
}

// ── what is shown ──

function scenariosOf(
  rounds: ReadonlyMap<string, readonly Round[]>,
  memory: ReadonlyMap<string, Memory>,
  bare: number,
): readonly Scenario[] {
  const of = (name: string, value: (round: Round) => number | undefined): number[] =>
    (rounds.get(name) ?? []).flatMap((round) => value(round) ?? []);
  /** Of the two, round by round: what the machine does to one it does to the other. */
  const ratio = (one: string, other: string, value: (round: Round) => number | undefined) => {
    const others = of(other, value);
    return median(of(one, value).map((each, n) => each / (others[n] ?? Number.NaN)));
  };
  const keepAlive = (round: Round) => round.keepAlive;
  const fresh = (round: Round) => round.fresh;
  const goals: Row[] = [
    // "At most", as in every table: how many times the other's rate is ours.
    {
      measure: "direct : kernel, keep-alive requests",
      unit: "×",
      agent: ratio("direct", "kernel", keepAlive),
      atMost: 1 / 0.85,
    },
    {
      measure: "direct : kernel, new connections",
      unit: "×",
      agent: ratio("direct", "kernel", fresh),
      atMost: 1 / 0.85,
    },
    {
      measure: "HAProxy : kernel, keep-alive requests",
      unit: "×",
      agent: ratio("haproxy", "kernel", keepAlive),
      atMost: 1 / 1.3,
    },
    {
      measure: "HAProxy : kernel, new connections",
      unit: "×",
      agent: ratio("haproxy", "kernel", fresh),
      atMost: 1 / 1.3,
    },
    {
      measure: "HAProxy : proxy, keep-alive requests",
      unit: "×",
      agent: ratio("haproxy", "proxy", keepAlive),
      atMost: 1 / 0.65,
    },
    {
      measure: "HAProxy : proxy, new connections",
      unit: "×",
      agent: ratio("haproxy", "proxy", fresh),
      atMost: 1 / 0.4,
    },
    {
      measure: "proxy : HAProxy, own processor time a request",
      unit: "×",
      agent: ratio("proxy", "haproxy", ({ cpuPerRequest }) => cpuPerRequest),
      atMost: 1.6,
    },
    {
      measure: "proxy : a bare Node process, resident, idle",
      unit: "×",
      agent: (memory.get("proxy")?.idleMb ?? Number.NaN) / bare,
      atMost: 1.35,
    },
  ];
  const each = [...rounds.keys()].flatMap((name): Row[] => {
    const middle = (value: (round: Round) => number | undefined): number => {
      const values = of(name, value);
      return values.length === 0 ? 0 : median(values);
    };
    const { idleMb = 0, heldMb = 0 } = memory.get(name) ?? {};
    const p50 = middle(({ p50Us }) => p50Us) / 1_000;
    const nought = median(of("direct", ({ p50Us }) => p50Us)) / 1_000;
    return [
      {
        measure: `${name}: keep-alive requests a second`,
        unit: "",
        agent: Math.round(middle(keepAlive)),
      },
      { measure: `${name}: new connections a second`, unit: "", agent: Math.round(middle(fresh)) },
      { measure: `${name}: added p50, one client`, unit: "ms", agent: p50 - nought },
      { measure: `${name}: Gb/s`, unit: "", agent: middle((round) => round.gigabits) },
      {
        measure: `${name}: own processor time, µs a request`,
        unit: "",
        agent: middle((round) => round.cpuPerRequest),
      },
      {
        measure: `${name}: own processor time, µs a connection`,
        unit: "",
        agent: middle((round) => round.cpuPerConnection),
      },
      { measure: `${name}: resident, idle`, unit: "MB", agent: idleMb },
      { measure: `${name}: resident, ${IDLE_CONNECTIONS} connections`, unit: "MB", agent: heldMb },
    ];
  });
  const title = `${ROUNDS} interleaved rounds of ${SECONDS} s, ${CONNECTIONS} connections, 2-byte body; new connections of direct and kernel ${LONG_SECONDS} s`;
  return [
    { title: `ambassador. beside others, on localhost: ${title}`, beside: "nothing", rows: goals },
    {
      title: "ambassador. each, medians",
      beside: "nothing",
      rows: each,
      notes: ["the kernel's own time is part of the client's and the tasks'"],
    },
  ];
}
