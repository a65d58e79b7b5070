import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FleetState } from "../../lib/standins/ecs/service-rules.ts";
import { bridgeTask, fleet, HOST } from "../support/fleet.ts";
import { addressOf, type NetLab } from "../support/net-lab.ts";
import { LEAN_FLAGS, NODE_FLAGS } from "./writers.ts";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Where the tasks listen. */
export const TASKS = [8001, 8002, 8003];
/** Where the client connects: the ambassador in the kernel and as a proxy, and the others. */
const PORTS = { kernel: 80, proxy: 83, haproxy: 81, nginx: 82 } as const;

/** Who stands between the client and the tasks. The port is where the client connects. */
export interface Side {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Its process, where it has one in the way of the bytes. */
  readonly pid?: number;
  readonly stop: () => Promise<void>;
}

const FLEET: FleetState = fleet(
  TASKS.map((port) => bridgeTask({ 80: port })),
  { instances: [{ ...HOST, privateIp: addressOf("tasks") }] },
);

export async function direct(): Promise<Side> {
  return { name: "direct", host: addressOf("tasks"), port: 8001, stop: async () => {} };
}

export const kernel = (lab: NetLab): Promise<Side> => agent(lab, "kernel");
export const proxy = (lab: NetLab): Promise<Side> => agent(lab, "proxy");

async function agent(lab: NetLab, plane: "kernel" | "proxy"): Promise<Side> {
  const url = await lab.peers.agent.fleet(FLEET);
  const child = spawn(
    "env",
    [
      ...lab.inside("agent"),
      process.execPath,
      ...NODE_FLAGS,
      ...LEAN_FLAGS,
      join(ROOT, "dist/agent.mjs"),
      ...["ambassador", "--name=web", "--service=shop", `--dataPlane=${plane}`],
      `--ports=${PORTS[plane]}:80`,
      "--statusAddress=127.0.0.1:0",
    ],
    {
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        PATH: process.env["PATH"] ?? "",
        MALLOC_ARENA_MAX: "1",
        ECS_DISCOVERY_LOG_LEVEL: "error",
        AWS_ENDPOINT_URL_ECS: url,
        AWS_ENDPOINT_URL_EC2: url,
        AWS_REGION: "eu-west-1",
        AWS_ACCESS_KEY_ID: "bench",
        AWS_SECRET_ACCESS_KEY: "bench",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_CONFIG_FILE: "/dev/null",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      },
    },
  );
  const side = sideOf(plane, child);
  if (plane === "proxy") return side;
  for (let tries = 0; tries < 1_200; tries += 1) {
    const table = await lab.run("agent", ["nft", "list", "ruleset"]);
    if (table.includes(`${addressOf("tasks")} . ${TASKS.at(-1)}`)) return side;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await side.stop();
  throw new Error("expected the kernel's table within a minute");
}

export async function haproxy(lab: NetLab, folder: string): Promise<Side> {
  const servers = TASKS.map((port) => ` server t${port} ${addressOf("tasks")}:${port}`);
  const file = join(folder, "haproxy.cfg");
  await writeFile(
    file,
    `global\n nbthread 1\n maxconn 8000\ndefaults\n mode tcp\n timeout connect 1s\n timeout client 1m\n timeout server 1m\nlisten l\n bind 127.0.0.1:${PORTS.haproxy}\n balance random\n${servers.join("\n")}\n`,
  );
  return sideOf("haproxy", started(lab, ["haproxy", "-db", "-f", file]));
}

export async function nginx(lab: NetLab, folder: string): Promise<Side> {
  const servers = TASKS.map((port) => `server ${addressOf("tasks")}:${port};`);
  const file = join(folder, "stream.conf");
  await writeFile(
    file,
    `load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nworker_rlimit_nofile 20000;\nmaster_process off;\ndaemon off;\npid ${folder}/stream.pid;\nerror_log /dev/null;\nevents { worker_connections 20000; }\nstream { upstream u { random two least_conn; ${servers.join(" ")} } server { listen 127.0.0.1:${PORTS.nginx}; proxy_pass u; } }\n`,
  );
  return sideOf("nginx", started(lab, ["nginx", "-p", folder, "-c", file]));
}

const started = (lab: NetLab, command: readonly string[]): ChildProcess =>
  spawn("env", [...lab.inside("agent"), ...command], { stdio: ["ignore", "ignore", "inherit"] });

function sideOf(name: keyof typeof PORTS, child: ChildProcess): Side {
  return {
    name,
    host: "127.0.0.1",
    port: PORTS[name],
    ...(child.pid !== undefined && { pid: child.pid }),
    async stop() {
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

export async function startTasks(
  lab: NetLab,
  folder: string,
  stack: AsyncDisposableStack,
): Promise<void> {
  await writeFile(join(folder, "big"), Buffer.alloc(16 * 1_048_576));
  const listens = TASKS.map((port) => `listen ${port} backlog=4096;`).join(" ");
  const file = join(folder, "tasks.conf");
  await writeFile(
    file,
    `user root;\nworker_rlimit_nofile 20000;\nmaster_process off;\ndaemon off;\npid ${folder}/tasks.pid;\nerror_log /dev/null;\nevents { worker_connections 20000; }\nhttp { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 600s; server { ${listens} location / { return 200 "ok"; } location /big { root ${folder}; } } }\n`,
  );
  const child = spawn("env", [...lab.inside("tasks"), "nginx", "-p", folder, "-c", file], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  stack.defer(async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  });
}
