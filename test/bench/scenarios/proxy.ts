import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../../../lib/kit/flow/clock.ts";
import { doorbell } from "../../../lib/kit/flow/doorbell.ts";
import { engineKeeper } from "../../../lib/web/flow/engine-keeper.ts";
import { haproxy } from "../../../lib/web/io/haproxy.ts";
import { listenProblem } from "../../../lib/web/io/listen.ts";
import { type Claim, virtualHosts } from "../../../lib/web/virtual-hosts.ts";
import { claim } from "../../support/claims.ts";
import type { Row, Scenario } from "../results.ts";

const run = promisify(execFile);
const [HAPROXY, NGINX_PROGRAM] = ["haproxy", "nginx"] as const;
const ROUNDS = 5;
const SECONDS = 3;
const CHANGES = 200;

const OURS = "127.91.0.1";
const PLAIN = "127.91.0.2";
const NGINX = "127.91.0.3";

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;

/** Requests a second and p99 in ms, as ab says. */
async function load(
  address: string,
  host: string,
): Promise<{ rps: number; p99: number; failed: number }> {
  const { stdout } = await run(
    "ab",
    [
      "-q",
      "-k",
      "-c",
      "16",
      "-t",
      String(SECONDS),
      "-n",
      "10000000",
      "-H",
      `Host: ${host}`,
      `http://${address}/`,
    ],
    { maxBuffer: 16 * 1_048_576 },
  );
  const [, rps = "0"] = /^Requests per second:\s+([\d.]+)/m.exec(stdout) ?? [];
  const [, p99 = "0"] = /^\s+99%\s+(\d+)/m.exec(stdout) ?? [];
  const [, failed = "0"] = /^Failed requests:\s+(\d+)/m.exec(stdout) ?? [];
  return { rps: Number(rps), p99: Number(p99), failed: Number(failed) };
}

/** A back end that costs little: the engine itself, answering from memory. */
const backEnd = (port: number): string => `
frontend back
  bind 127.91.0.9:${port}
  http-request return status 200 content-type text/plain string "ok\\n"
`;
const DEFAULTS = `
global
  maxconn 4096
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 1s
`;

/** Requests a second through each of them, interleaved, and how long a change takes to be served. */
export async function proxyServing(): Promise<readonly Scenario[]> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "eda-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const programs = [
    [
      "plain.cfg",
      `${DEFAULTS}frontend plain\n  bind ${PLAIN}:80\n  default_backend b\nbackend b\n  server s 127.91.0.9:8000\n`,
    ],
    ["back.cfg", `${DEFAULTS}${backEnd(8_000)}`],
  ] as const;
  for (const [name, text] of programs) {
    await writeFile(join(folder, name), text);
    const child = spawn(HAPROXY, ["-db", "-q", "-f", join(folder, name)], { stdio: "ignore" });
    stack.defer(async () => {
      child.kill("SIGTERM");
      await once(child, "exit");
    });
  }
  const nginxHosts = Array.from(
    { length: 1_000 },
    (_, n) =>
      `server { listen ${NGINX}:80; server_name n${n}.example.com; location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; } }`,
  );
  await writeFile(
    join(folder, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log /dev/null;
events { worker_connections 1024; }
http { access_log off; server_names_hash_max_size 8192; upstream back { server 127.91.0.9:8000; keepalive 32; }
${nginxHosts.join("\n")} }`,
  );
  const hasNginx = await run(NGINX_PROGRAM, ["-v"]).then(
    () => true,
    () => false,
  );
  if (hasNginx) {
    const child = spawn(NGINX_PROGRAM, ["-c", join(folder, "nginx.conf"), "-p", folder], {
      stdio: "ignore",
    });
    stack.defer(async () => {
      child.kill("SIGTERM");
      await once(child, "exit");
    });
  }

  const bell = doorbell();
  const stop = new AbortController();
  const engine = await haproxy({ folder: join(folder, "proxy"), onEnd: bell.ring });
  const at = (n: number, name: string): Claim =>
    claim(n, name, { target: { address: "127.91.0.9", port: 8_000 } });
  let claims: readonly Claim[] = [];
  let served = Promise.withResolvers<void>();
  const keeper = engineKeeper({
    engine: { ...engine, listenProblem: (port) => listenProblem(OURS, port) },
    desired: () => virtualHosts(claims),
    certificates: () => [],
    alwaysOn: [80],
    settings: {
      listenAddress: OURS,
      maxUploadBytes: 104_857_600,
      maxConnections: 4_096,
      threads: 1,
    },
    bell,
    clock: systemClock,
    report: () => served.resolve(),
  });
  const running = keeper.run(stop.signal);
  stack.defer(async () => {
    stop.abort();
    await running;
    await engine.end(500);
  });
  const change = async (next: readonly Claim[]): Promise<number> => {
    served = Promise.withResolvers<void>();
    const startedMs = performance.now();
    claims = next;
    bell.ring();
    await served.promise;
    return performance.now() - startedMs;
  };

  const rows: Row[] = [];
  for (const names of [1, 1_000]) {
    await change(Array.from({ length: names }, (_, n) => at(n + 1, `n${n}.example.com`)));
    const ours: Awaited<ReturnType<typeof load>>[] = [];
    const plain: typeof ours = [];
    const nginx: typeof ours = [];
    // Interleaved, so that whatever else the machine does meets all of them.
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(await load(OURS, "n0.example.com"));
      plain.push(await load(PLAIN, "n0.example.com"));
      if (hasNginx) nginx.push(await load(NGINX, "n0.example.com"));
    }
    const of = names === 1 ? "1 name" : "1,000 names";
    const share = (others: typeof ours) =>
      median(others.map(({ rps }, round) => rps / (ours[round]?.rps ?? 1)));
    const tail = (all: typeof ours) => median(all.map(({ p99 }) => p99));
    rows.push(
      {
        measure: `requests a second of plain HAProxy for each of ours, ${of}`,
        unit: "×",
        agent: share(plain),
        atMost: 1 / 0.85,
      },
      ...(hasNginx
        ? [
            {
              measure: `requests a second of nginx for each of ours, ${of}`,
              unit: "×" as const,
              agent: share(nginx),
            },
          ]
        : []),
      {
        measure: `requests a second, ${of}`,
        unit: "",
        agent: Math.round(median(ours.map(({ rps }) => rps))),
        other: Math.round(median(plain.map(({ rps }) => rps))),
      },
      { measure: `p99, ${of}`, unit: "ms", agent: tail(ours), other: tail(plain) },
      {
        measure: `failed requests, ${of}`,
        unit: "",
        agent: ours.reduce((sum, { failed }) => sum + failed, 0),
        atMost: 0,
      },
    );
  }
  const thousand = claims;
  const loads = keeper.standing().loads;
  const delays: number[] = [];
  for (let n = 0; n < CHANGES; n += 1) {
    delays.push(await change([...thousand, at(5_000 + n, `new${n}.example.com`)]));
    delays.push(await change(thousand));
  }
  rows.push(
    {
      measure: "a change at 1,000 names until it is served, median",
      unit: "ms",
      agent: median(delays),
      atMost: 50,
    },
    { measure: "the same, p95", unit: "ms", agent: percentile(delays, 0.95) },
    {
      measure: `reloads in ${delays.length} changes`,
      unit: "",
      agent: keeper.standing().loads - loads,
      atMost: 0,
    },
  );
  return [
    {
      title: "proxy: served by name",
      beside: "without it",
      rows,
      notes: ["beside it: plain HAProxy with one back end and nothing else; one thread each"],
    },
  ];
}
