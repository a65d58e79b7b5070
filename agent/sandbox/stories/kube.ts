import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Fatal } from "../../../lib/kit/failure.ts";
import { isStatus } from "../../../lib/kubernetes/api.ts";
import { API_VERSION, KIND } from "../../../lib/kubernetes/ecs-deployment.ts";
import { kubeClient, kubeConnection } from "../../../lib/kubernetes/io/client.ts";
import { ecsDeployments, pathOf, resourceOf } from "../../../lib/kubernetes/object.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { SandboxConfig } from "../config.ts";

const CONTROL_PLANE = fileURLToPath(
  new URL("../../../test/support/kubernetes/serve.ts", import.meta.url),
);
const NAMESPACE = "default";
const NAME = "ecs-demo";
const PAUSE_MS = 2_500;

/**
 * Runs the real controller against a control plane on this machine, or the cluster of KUBECONFIG, and plays the life of an
 * ECSDeployment: created, changed, tampered with, broken, deleted.
 */
export async function tell(_: SandboxConfig, surroundings: Surroundings): Promise<void> {
  const { stop, env, clock } = surroundings;
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const own = env["KUBECONFIG"] === undefined ? await ownCluster(say, stop.signal) : undefined;
  const kubeconfig = own?.kubeconfig ?? (env["KUBECONFIG"] as string);
  const client = kubeClient(kubeConnection(kubeconfig));
  const path = (name?: string) => pathOf(ecsDeployments, NAMESPACE, name);
  let controller: ChildProcess | undefined;
  try {
    await client.call({ method: "GET", path: path() }).catch((error: unknown) => {
      if (!isStatus(error, 404)) throw error;
      throw new Fatal(
        "the cluster has no ECSDeployments: kubectl apply -f deploy/kubernetes/crd.yaml",
      );
    });
    const started = startController(kubeconfig, say);
    controller = started.process;
    await Promise.race([started.leads, once(stop.signal, "abort")]);
    await play({
      say,
      pause: () => clock.sleep(PAUSE_MS, stop.signal),
      put: (spec) =>
        client.call({
          method: "PATCH",
          path: path(NAME),
          query: { fieldManager: "demo", force: "true" },
          patch: "apply",
          body: { apiVersion: API_VERSION, kind: KIND, metadata: { name: NAME }, spec },
        }),
      scale: (replicas) =>
        client.call({
          method: "PATCH",
          path: pathOf(resourceOf("Deployment"), NAMESPACE, NAME, "scale"),
          patch: "merge",
          body: { spec: { replicas } },
        }),
      show: async () => {
        const { status } = (await client.call({ method: "GET", path: path(NAME) })) as Shown;
        for (const { type, status: value, reason, message } of status?.conditions ?? []) {
          say(`      ${type.padEnd(12)}${value.padEnd(8)}${reason}: ${message.slice(0, 160)}`);
        }
      },
      remove: () => client.call({ method: "DELETE", path: path(NAME) }),
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    controller?.kill("SIGTERM");
    own?.process.kill("SIGTERM");
    await Promise.all([ended(controller), ended(own?.process)]);
  }
}

interface Shown {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}

interface Stage {
  readonly say: (text: string) => void;
  readonly pause: () => Promise<void>;
  readonly put: (spec: unknown) => Promise<unknown>;
  readonly scale: (replicas: number) => Promise<unknown>;
  readonly show: () => Promise<void>;
  readonly remove: () => Promise<unknown>;
}

async function play({ say, pause, put, scale, show, remove }: Stage): Promise<void> {
  const spec = (image: string, count: number) => ({
    Task: {
      ContainerDefinitions: [
        {
          Name: "web",
          Image: image,
          Memory: 64,
          Links: ["db"],
          PortMappings: [{ ContainerPort: 80, HostPort: 80 }],
        },
        { Name: "db", Image: "mysql:8", Memory: 256 },
      ],
    },
    Service: { DesiredCount: count, LoadBalancers: [{ ContainerName: "web", ContainerPort: 80 }] },
  });
  const scene = async (text: string, act: () => Promise<unknown>): Promise<void> => {
    say(`\n* ${text}`);
    await act();
    await pause();
  };
  await scene(
    "an ECSDeployment is created: two containers with a link, behind a load balancer",
    () => put(spec("nginx:1.26", 1)),
  );
  await show();
  await scene("it is changed: another image, three tasks", () => put(spec("nginx:1.27", 3)));
  await scene("somebody scales its Deployment to 7 by hand", () => scale(7));
  await show();
  await scene("its definition breaks: a container without an image. What runs goes on", () =>
    put({ Task: { ContainerDefinitions: [{ Name: "web" }] } }),
  );
  await show();
  await scene("it is deleted: Kubernetes takes away what it had", remove);
}

function startController(
  kubeconfig: string,
  say: (text: string) => void,
): { readonly process: ChildProcess; readonly leads: Promise<void> } {
  const [node, main] = process.argv as [string, string];
  const flags = ["kube", `--kubeconfig=${kubeconfig}`, "--statusAddress=127.0.0.1:0"];
  const controller = spawn(node, [main, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  const { promise: leads, resolve } = Promise.withResolvers<void>();
  createInterface(controller.stdout).on("line", (line) => {
    say(`  controller: ${line.slice(0, 200)}`);
    if (/ leads$/.test(line)) resolve();
  });
  // One that ends before leads no more, and its log has said why.
  controller.once("exit", () => resolve());
  return { process: controller, leads };
}

/** A control plane of this machine, where it has been built; the tests build it. */
async function ownCluster(
  say: (text: string) => void,
  stop: AbortSignal,
): Promise<{ readonly process: ChildProcess; readonly kubeconfig: string }> {
  say(
    "No KUBECONFIG is set, so a control plane starts on this machine; where it was never built, that takes minutes.",
  );
  say(
    "(With KUBECONFIG of a cluster in which deploy/kubernetes/crd.yaml is applied, that one is used.)",
  );
  const [node] = process.argv as [string];
  const child = spawn(node, [CONTROL_PLANE], {
    stdio: ["ignore", "pipe", "inherit"],
    signal: stop,
  });
  child.on("error", () => {});
  const lines = createInterface(child.stdout);
  const first = Promise.race([once(lines, "line"), once(child, "exit")]);
  const [kubeconfig] = (await first) as [string | number | null];
  if (typeof kubeconfig !== "string") {
    throw new Fatal(
      "no control plane: give KUBECONFIG of a cluster of yours, or see test/kubernetes/README.md",
    );
  }
  return { process: child, kubeconfig };
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await once(child, "exit");
}
