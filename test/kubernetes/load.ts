// How long an ECSDeployment waits for its Deployment when a thousand come, 30 a second.
//   node test/kubernetes/load.ts [count] [a second]
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type World, world } from "../support/kubernetes/controller.ts";

const [count = 1_000, rate = 30] = process.argv.slice(2).map(Number);
const OBJECTS = "/apis/ecskube.ecskube/v1alpha1/namespaces/default/ecsdeployments";

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

const spec = {
  Task: {
    Family: "web",
    ContainerDefinitions: [
      { Name: "web", Image: "nginx:1", Memory: 64, PortMappings: [{ ContainerPort: 80 }] },
    ],
  },
  Service: { DesiredCount: 0, LoadBalancers: [{ ContainerName: "web", ContainerPort: 80 }] },
};

async function post({ cluster }: World, name: string): Promise<void> {
  const { status, body } = await cluster.ask("POST", OBJECTS, {
    apiVersion: "ecskube.ecskube/v1alpha1",
    kind: "ECSDeployment",
    metadata: { name },
    spec,
  });
  if (status !== 201) throw new Error(`${name}: ${JSON.stringify(body)}`);
}

/** Each ECSDeployment by its name, and when it was asked for, on the clock of this machine. */
async function create(w: World): Promise<ReadonlyMap<string, number>> {
  const asked = new Map<string, number>();
  const began = Date.now();
  const sent: Promise<unknown>[] = [];
  for (let index = 0; index < count; index += 1) {
    await sleep(Math.max(0, began + (index * 1000) / rate - Date.now()));
    const name = `load-${index}`;
    asked.set(name, Date.now());
    sent.push(post(w, name));
  }
  await Promise.all(sent);
  return asked;
}

async function areReady({ cluster }: World): Promise<boolean> {
  const { body } = await cluster.ask("GET", `${OBJECTS}?limit=5000`);
  return body.items.every((one: { status?: { conditions?: { type: string; status: string }[] } }) =>
    one.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
  );
}

const w = await world();
try {
  const agent = await w.controller("--logLevel=info");
  await agent.until(({ message }) => message === "leads");
  const asked = create(w);
  // When the controller's own log says that the API server has taken the Deployment: to ask for all of them again and
  // again would be more work for the API server than what is measured.
  const times = await asked;
  await agent.until(
    () =>
      agent.log.filter(({ message }) => message.startsWith("creates Deployment")).length === count,
  );
  do {
    await sleep(5_000);
  } while (!(await areReady(w)));
  const lags: number[] = [];
  for (const { message, timestamp } of agent.log) {
    const name = /^creates Deployment default\/(\S+)$/.exec(message)?.[1] ?? "";
    const at = times.get(name);
    if (at !== undefined) lags.push(Date.parse(String(timestamp)) - at);
  }
  lags.sort((a, b) => a - b);
  process.stdout.write(
    `${lags.length} Deployments: p50 ${quantile(lags, 0.5)} ms, p95 ${quantile(lags, 0.95)} ms, most ${lags.at(-1)} ms\n`,
  );
  process.stdout.write(
    `controller: ${residentMiB(agent.pid).toFixed(0)} MiB resident, ${cpuSeconds(agent.pid)} s of CPU\n`,
  );
  const others = (["kube-apiserver", "kube-controller-manager", "etcd", "nodes"] as const).map(
    (one) => `${one} ${cpuSeconds(w.cluster.pid(one)).toFixed(0)} s`,
  );
  process.stdout.write(
    `beside it: ${others.join(", ")} of CPU; ours ${process.cpuUsage().user / 1e6} s\n`,
  );
  const kinds = Object.groupBy(w.writes(), (one) => one.replace(/\/[^/]*$/, ""));
  for (const [kind, all = []] of Object.entries(kinds)) {
    process.stdout.write(`${kind}: ${(all.length / count).toFixed(2)} for each\n`);
  }
  const before = w.writes().length;
  agent.kill("SIGTERM");
  await agent.ends;
  const second = await w.controller("--resync=10");
  await second.until(({ message }) => message === "leads");
  await sleep(15_000);
  process.stdout.write(
    `after a restart and a resync: ${w.writes().length - before} writes, ${residentMiB(second.pid).toFixed(0)} MiB resident\n`,
  );
} finally {
  await w.close();
}
