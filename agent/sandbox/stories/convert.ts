import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Surroundings } from "../../process/surroundings.ts";
import type { SandboxConfig } from "../config.ts";

/** A task and its service, with members that Kubernetes has and some that it has not. */
const DEFINITIONS = [
  {
    family: "shop",
    taskRoleArn: "arn:aws:iam::123456789012:role/shop",
    containerDefinitions: [
      {
        name: "web",
        image: "nginx:1.27",
        cpu: 256,
        memory: 256,
        links: ["cache"],
        portMappings: [{ containerPort: 80, hostPort: 8080 }],
        secrets: [{ name: "DB_PASSWORD", valueFrom: "/shop/db-password" }],
        healthCheck: { command: ["CMD-SHELL", "curl -f localhost || exit 1"], startPeriod: 15 },
        logConfiguration: { logDriver: "awslogs", options: { "awslogs-group": "shop" } },
        ulimits: [{ name: "nofile", softLimit: 65_536, hardLimit: 65_536 }],
      },
      { name: "cache", image: "redis:7", memory: 128 },
    ],
  },
  {
    serviceName: "shop",
    taskDefinition: "shop",
    desiredCount: 2,
    loadBalancers: [{ containerName: "web", containerPort: 80 }],
    deploymentConfiguration: { maximumPercent: 150, minimumHealthyPercent: 50 },
  },
];

/** Converts a task definition and a service with the real command, and shows what it says on either stream. */
export async function tell(_: SandboxConfig, { stop }: Surroundings): Promise<void> {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  say("A task definition and its service, as ECS has them, on standard input of");
  say("    ecs-discovery-agent convert - --secretMap=/shop/db-password=db/password\n");
  say(`${JSON.stringify(DEFINITIONS, null, 2)}\n`);
  const [node, main] = process.argv as [string, string];
  const child = spawn(
    node,
    [main, "convert", "-", "--secretMap=/shop/db-password=db/password"],
    // Nothing of this environment could be meant for the demo.
    { stdio: ["pipe", "pipe", "pipe"], env: {}, signal: stop.signal },
  );
  let manifests = "";
  let lines = "";
  child.stdout.on("data", (chunk: Buffer) => {
    manifests += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    lines += chunk.toString();
  });
  child.stdin.end(JSON.stringify(DEFINITIONS));
  const [code] = (await once(child, "close")) as [number | null];
  say("What it prints on standard output, for `kubectl apply -f -`:\n");
  say(manifests);
  say("And on standard error, a line for each member that Kubernetes has nothing for:\n");
  say(lines);
  if (code !== 0) throw new Error(`convert ended with exit code ${code}`);
}
