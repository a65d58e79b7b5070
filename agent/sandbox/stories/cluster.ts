import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CloudStandIn, cloudStandIn } from "../../../lib/standins/cloud/server.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { SandboxConfig } from "../config.ts";

/** So that there is something to wait for, and not for long. */
const TASK_MS = 2_000;
const STACK_MS = 1_500;

const webserver = (image: string, memory: number): string => `{
  // What the proxy serves as www.example.com, from any host.
  "containerDefinitions": [
    {
      "name": "webserver",
      "image": "${image}",
      "memoryReservation": ${memory},
      "mountPoints": [{ "sourceVolume": "html", "containerPath": "/usr/share/nginx/html" }],
      "dockerLabels": { "proxy.host": "www.example.com" },
    },
  ],
  "volumes": [{ "name": "html", "host": { "sourcePath": "/cluster/webserver/html" } }],
}
`;
const SERVICE = `{ "taskDefinition": "\${TASK_PREFIX}webserver", "desiredCount": 2 }\n`;
const CRON = `{
  "containerDefinitions": [
    { "name": "cron", "image": "busybox", "memory": 16, "dockerLabels": { "AUTOCREATE.SERVICE": "" } }
  ]
}
`;

/** Turns a small folder into a cluster on a stand-in for AWS, changes it, breaks it, mends it, and takes it down. */
export async function tell(_: SandboxConfig, { stop }: Surroundings): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ecs-discovery-cluster-"));
  const cloud = await cloudStandIn({ taskMs: TASK_MS, stackMs: STACK_MS });
  const write = (file: string, text: string) => writeFile(join(folder, file), text);
  const say = (line: string) => process.stdout.write(`\n* ${line}\n`);
  const act = async (line: string, ...words: readonly string[]): Promise<void> => {
    if (stop.signal.aborted) return;
    say(line);
    await run(cloud, folder, words, stop.signal);
  };
  try {
    await write("webserver.taskdef", webserver("nginx:1.27", 32));
    await write("webserver.service.template", SERVICE);
    await write("cron.taskdef", CRON);
    await act("A folder with a web server and a job. What would be made of it?");
    await act("Make it, and wait until it runs.", "apply", "--wait");
    await act("How is it?", "info");
    await act("Once more: nothing is left to do.", "apply");
    await write("webserver.taskdef", webserver("nginx:1.28", 48));
    await act("Another image and more memory. What would change?");
    await act("Change it.", "apply", "--wait");
    await write("webserver.taskdef", webserver("broken/image:1", 48));
    await act(
      "An image that no registry has: ECS says why, and the service goes back.",
      "apply",
      "--wait",
      "--rollback",
    );
    await act("Take it down? It shows what would go.", "destroy");
    await act("Take it down. The file system stays.", "destroy", "--confirm");
  } finally {
    say(`${cloud.requests.length} requests to AWS in all.`);
    await cloud.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the mode as a process of its own, with nothing of this environment that could lead it to a real account. */
async function run(
  cloud: CloudStandIn,
  folder: string,
  words: readonly string[],
  stop: AbortSignal,
): Promise<void> {
  const [node, main] = process.argv as [string, string];
  process.stdout.write(`$ ecs-discovery-agent cluster ${words.join(" ")}\n`);
  const before = cloud.requests.length;
  const child = spawn(
    node,
    [main, "cluster", ...words, `--folder=${folder}`, "--prefix=demo", "--project=demo"],
    {
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        AWS_ENDPOINT_URL: cloud.url,
        AWS_REGION: "eu-west-1",
        AWS_ACCESS_KEY_ID: "sandbox",
        AWS_SECRET_ACCESS_KEY: "sandbox",
        AWS_CONFIG_FILE: "/dev/null",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
        AWS_EC2_METADATA_DISABLED: "true",
        USER: "you",
        ...(process.stdout.isTTY && { FORCE_COLOR: "1" }),
      },
    },
  );
  const end = () => void child.kill("SIGTERM");
  stop.addEventListener("abort", end, { once: true });
  const [code] = (await once(child, "exit")) as [number | null];
  stop.removeEventListener("abort", end);
  process.stdout.write(`(exit code ${code}, ${cloud.requests.length - before} requests)\n`);
}
