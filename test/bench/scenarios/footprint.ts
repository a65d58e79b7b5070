import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, get } from "node:http";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { restingMb } from "../memory.ts";
import type { Scenario } from "../results.ts";
import { median } from "../stats.ts";
import { answeredAll } from "../steps.ts";
import { until, world } from "../world.ts";
import { FOLLOWS, LEAN_FLAGS, linesOf, NODE_FLAGS, startWriter } from "../writers.ts";

const STARTS = 5;
const RECORDS = 100;
const REQUESTS = 1_000;

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const ROOT = fileOf("../../../");
const BUNDLE = fileOf("../../../dist/agent.mjs");

/** The bundled agent beside the least that a Node process which speaks HTTP can be. */
export async function footprint(): Promise<readonly Scenario[]> {
  await promisify(execFile)(process.execPath, ["deploy/bundle.ts"], { cwd: ROOT });
  const readyMs = { agent: [] as number[], bare: [] as number[], flagged: [] as number[] };
  for (let n = 0; n < STARTS; n += 1) {
    readyMs.agent.push(await agentReadyMs());
    readyMs.bare.push((await bare([], async () => {})).readyMs);
    readyMs.flagged.push((await bare(NODE_FLAGS, async () => {})).readyMs);
  }
  const agent = await agentMemory();
  const plain = await bare([], memory);
  const flagged = await bare(NODE_FLAGS, memory);
  const beside = (unit: "ms" | "MB", agentValue: number, other: number, times: number) => ({
    unit,
    agent: agentValue,
    other,
    atMost: times * other,
    plotted: true,
  });
  const agentMs = median(readyMs.agent);
  return [
    {
      title: `g. the bundle (dist/agent.mjs, node ${[...NODE_FLAGS, ...LEAN_FLAGS].join(" ")}) and a bare node:http server, on Node ${process.versions.node}`,
      beside: "bare node:http",
      rows: [
        {
          measure: `spawn to open event stream, or to listening; median of ${STARTS}`,
          ...beside("ms", agentMs, median(readyMs.bare), 2.5),
        },
        {
          measure: "  bare with the agent's flags",
          unit: "ms",
          agent: agentMs,
          other: median(readyMs.flagged),
        },
        {
          measure: `resident, idle; the agent holds ${RECORDS} records`,
          ...beside("MB", agent.idleMb, plain.result.idleMb, 1.35),
        },
        {
          measure: "  bare with the agent's flags",
          unit: "MB",
          agent: agent.idleMb,
          other: flagged.result.idleMb,
        },
        {
          measure: `resident after ${REQUESTS} requests`,
          ...beside("MB", agent.afterMb, plain.result.afterMb, 2),
        },
        {
          measure: "  bare with the agent's flags",
          unit: "MB",
          agent: agent.afterMb,
          other: flagged.result.afterMb,
        },
      ],
      notes: ["requests: bare answers them, the agent sends them to Route 53, each for one event"],
    },
  ];
}

async function agentReadyMs(): Promise<number> {
  await using stage = await world({ latencyMs: 0 });
  const startedMs = performance.now();
  await using writer = startWriter("agent", stage, { agent: BUNDLE });
  await writer.watches();
  const readyMs = performance.now() - startedMs;
  await writer.says(FOLLOWS);
  return readyMs;
}

async function agentMemory() {
  await using stage = await world({ latencyMs: 0, rate: "unlimited" });
  const { engine, route53 } = stage;
  for (let n = 0; n < RECORDS; n += 1) stage.place({ running: true });
  await using writer = startWriter("agent", stage, { agent: BUNDLE });
  await until(
    "all records",
    () => stage.records().length === RECORDS,
    (look) => route53.onLanded(look),
    writer.failure,
  );
  const idleMb = await restingMb(writer.pid);
  let id = "";
  for (let n = 0; n < REQUESTS; n += 1) {
    const before = route53.requests.length;
    if (n % 2 === 0) {
      // Each time another one: a container that comes and goes has to wait before its record is added again.
      id = stage.place();
      engine.start(id);
    } else engine.stop(id);
    await until(
      "a change to be answered",
      () => route53.requests.length > before && route53.requests.at(-1)?.result === "ok",
      (look) => route53.onRequest(look),
      writer.failure,
    );
  }
  await answeredAll(stage, writer.failure);
  return { idleMb, afterMb: await restingMb(writer.pid) };
}

interface Bare {
  readonly pid: number;
  readonly port: number;
}

async function bare<T>(
  flags: readonly string[],
  measure: (server: Bare) => Promise<T>,
): Promise<{ readonly readyMs: number; readonly result: T }> {
  const startedMs = performance.now();
  const child: ChildProcess = spawn(process.execPath, [...flags, fileOf("../bare.mjs")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = linesOf(child);
  await lines.with("listening");
  const readyMs = performance.now() - startedMs;
  try {
    const port = Number(lines.last().split(" ")[1]);
    return { readyMs, result: await measure({ pid: child.pid ?? 0, port }) };
  } finally {
    child.kill();
    await once(child, "exit");
  }
}

async function memory({ pid, port }: Bare) {
  const idleMb = await restingMb(pid);
  const agent = new Agent({ keepAlive: true });
  for (let n = 0; n < REQUESTS; n += 1) {
    const [response] = await once(get({ host: "127.0.0.1", port, agent }), "response");
    await text(response);
  }
  const afterMb = await restingMb(pid);
  agent.destroy();
  return { idleMb, afterMb };
}
