import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { get } from "../../../lib/kit/io/http-json.ts";
import { restingMb } from "../memory.ts";
import type { Scenario } from "../results.ts";
import { median } from "../stats.ts";
import { until, world } from "../world.ts";
import { FOLLOWS, NODE_FLAGS, startWriter } from "../writers.ts";

const STARTS = 9;
const RECORDS = 100;
/** Somebody looks: as often as an hour of scrapes and health checks, each every 30 s. */
const LOOKS = 120;

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const BUNDLE = fileURLToPath(new URL("../../../dist/agent.mjs", import.meta.url));

interface Run {
  readonly streamMs: number;
  readonly followsMs: number;
  /** Processor time until then: what others do on the machine counts less. */
  readonly cpuMs: number;
  readonly idleMb: number;
  /** Of one that serves. */
  readonly lookedAtMb?: number;
}

/** What the status server costs the bundled agent, beside one without it; both start in turns. */
export async function status(): Promise<readonly Scenario[]> {
  await promisify(execFile)(process.execPath, ["deploy/bundle.ts"], { cwd: ROOT });
  // The first start of a machine reads the bundle from its disk.
  await run(false);
  const on: Run[] = [];
  const off: Run[] = [];
  for (let n = 0; n < STARTS; n += 1) {
    const turns = [async () => on.push(await run(true)), async () => off.push(await run(false))];
    for (const turn of n % 2 === 0 ? turns : turns.toReversed()) await turn();
  }
  const of = (runs: readonly Run[], read: (one: Run) => number) => median(runs.map(read));
  const compare = (
    measure: string,
    unit: "ms" | "MB",
    atMost: number,
    read: (one: Run) => number,
  ) => {
    const [agent, other] = [of(on, read), of(off, read)];
    return [
      { measure, unit, agent, other },
      { measure: "  more than without", unit, agent: Math.max(0, agent - other), atMost },
    ];
  };
  const lookedAt = of(on, ({ lookedAtMb }) => lookedAtMb ?? Number.NaN);
  return [
    {
      title: `h. the status server, in the bundle (node ${NODE_FLAGS.join(" ")}, Node ${process.versions.node}); medians of ${STARTS}`,
      beside: "without it",
      rows: [
        ...compare("spawn to open event stream", "ms", 60, ({ streamMs }) => streamMs),
        ...compare("spawn to the zone followed", "ms", 60, ({ followsMs }) => followsMs),
        ...compare("  processor time until then", "ms", 60, ({ cpuMs }) => cpuMs),
        ...compare(`resident, idle; ${RECORDS} records`, "MB", 6, ({ idleMb }) => idleMb),
        {
          measure: `resident after ${LOOKS} times /healthz, /metrics and /v1/state`,
          unit: "MB",
          agent: lookedAt,
          other: of(off, ({ idleMb }) => idleMb),
        },
      ],
    },
  ];
}

async function run(isServed: boolean): Promise<Run> {
  const statusAddress = isServed ? `127.0.0.1:${await freePort()}` : "off";
  await using stage = await world({ latencyMs: 0, rate: "unlimited" });
  for (let n = 0; n < RECORDS; n += 1) stage.place({ running: true });
  const startedMs = performance.now();
  await using writer = startWriter("agent", stage, { agent: BUNDLE, statusAddress });
  const sinceStart = () => performance.now() - startedMs;
  const [streamMs, followsMs] = await Promise.all([
    writer.watches().then(sinceStart),
    writer.says(FOLLOWS).then(sinceStart),
  ]);
  const cpu = cpuMs(writer.pid);
  await until(
    "all records",
    () => stage.records().length === RECORDS,
    (look) => stage.route53.onLanded(look),
    writer.failure,
  );
  // The metrics are loaded by then, asked for or not.
  await pause(3_000);
  const idleMb = await restingMb(writer.pid);
  if (!isServed) return { streamMs, followsMs, cpuMs: cpu, idleMb };
  for (let n = 0; n < LOOKS; n += 1) {
    for (const path of ["/healthz", "/metrics", "/v1/state"]) {
      const { status: code } = await get(`http://${statusAddress}${path}`, 5_000);
      if (code !== 200) throw new Error(`${path}: expected 200, got ${code}`);
    }
  }
  return { streamMs, followsMs, cpuMs: cpu, idleMb, lookedAtMb: await restingMb(writer.pid) };
}

/** Linux only: proc(5), utime and stime, in ticks of 10 ms. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
