import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { AgentProcess } from "../support/agent-process.ts";
import {
  deployment,
  NAMESPACE,
  service,
  type World,
  world,
} from "../support/kubernetes/controller.ts";

const BUILD_MS = 26 * 60_000;
const COUNT = 20;
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/ecs-discovery-agent-kube`;

let w: World;
let first: AgentProcess;
// The server forgets what was within seconds, so that watches are told 410.
const FORGETFUL = ["--watch-cache=false", "--etcd-compaction-interval=2s"];

beforeAll(async () => {
  w = await world(FORGETFUL);
  first = await w.controller();
}, BUILD_MS);
afterAll(() => w?.close());

const spec = (image: string) => ({
  Task: {
    ContainerDefinitions: [
      {
        Name: "web",
        Image: image,
        Cpu: 1024,
        Memory: 2048,
        Environment: [{ Name: "EMPTY", Value: "" }],
        PortMappings: [{ ContainerPort: 80 }],
        HealthCheck: { Command: ["CMD-SHELL", "true || exit 1"], StartPeriod: 7 },
      },
    ],
    TaskRoleArn: "arn:aws:iam::123456789012:role/app",
    Cpu: "2048",
    Memory: "4096",
  },
  Service: { DesiredCount: 1, LoadBalancers: [{ ContainerName: "web", ContainerPort: 80 }] },
});
const names = Array.from({ length: COUNT }, (_, index) => `app-${index}`);

it("writes nothing in 30 seconds in which nothing changes", async () => {
  for (const name of names) await w.put(name, spec("nginx:1"));
  for (const name of names) await w.condition(name, "Ready", "True");
  const since = Date.now();
  // There is nothing to wait for: that nothing comes is what is asked.
  await sleep(30_000);
  expect(w.writes(since)).toEqual([]);
  expect(w.writes().length).toBeGreaterThan(COUNT * 3);
});

it("writes nothing after a restart either, though everything is looked at again", async () => {
  const since = Date.now();
  first.kill("SIGTERM");
  expect(await first.ends).toEqual({ code: 0, signal: null });
  first = await w.controller();
  await first.until(({ message }) => message === "leads");
  await w.put("after", spec("nginx:1"));
  await w.condition("after", "Ready", "True");
  expect(w.writes(since).filter((write) => !write.endsWith("/after"))).toEqual([]);
});

it("outlives a crash of the API server, and does what was asked before and after", async () => {
  await w.cluster.crash("kube-apiserver");
  await first.until(({ message }) => message.startsWith("the copy of deployments may be old"));
  await w.cluster.restart("kube-apiserver");
  await w.put("app-0", spec("nginx:2"));
  await w.cluster.until(
    deployment("app-0"),
    (body) => body.spec?.template.spec.containers[0].image === "nginx:2",
  );
  await w.condition("app-0", "Ready", "True");
  expect(first.ended).toBe(false);
});

it("hands over to another one when the leader is killed", async () => {
  const second = await w.controller();
  const holder = (await w.cluster.ask("GET", LEASE)).body.spec.holderIdentity as string;
  expect(holder).toContain(`_${first.pid}_`);
  first.kill("SIGKILL");
  await second.until(({ message }) => message === "leads");
  await w.put("app-1", spec("nginx:3"));
  await w.condition("app-1", "Ready", "True");
  first = second;
});

it("hands over at once when the leader is stopped", async () => {
  const second = await w.controller();
  first.kill("SIGTERM");
  await first.ends;
  await second.until(({ message }) => message === "leads");
  first = second;
});

it("is not needed for a deletion", async () => {
  first.kill("SIGTERM");
  await first.ends;
  await w.remove("app-2");
  await w.cluster.until(deployment("app-2"), (_, status) => status === 404);
  await w.cluster.until(service("app-2"), (_, status) => status === 404);
  first = await w.controller();
  await first.until(({ message }) => message === "leads");
});
