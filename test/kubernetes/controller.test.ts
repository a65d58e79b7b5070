import { afterAll, beforeAll, describe, expect, it, test } from "@jest/globals";
import { deployment, service, type World, world } from "../support/kubernetes/controller.ts";

const BUILD_MS = 26 * 60_000;

let w: World;
beforeAll(async () => {
  w = await world();
  await w.controller();
}, BUILD_MS);
afterAll(() => w?.close());

it("doctor finds all that the controller needs, with the rights of rbac.yaml and none beside", async () => {
  const { code, findings } = await w.doctor();
  expect(findings.map(({ check, verdict }) => [check, verdict])).toEqual(
    ["connection", "server", "definition", "rights", "lease", "status"].map((one) => [one, "ok"]),
  );
  expect(code).toBe(0);
});

const task = (image = "nginx:1", more: object = {}) => ({
  Family: "web",
  ContainerDefinitions: [
    { Name: "web", Image: image, Memory: 64, PortMappings: [{ ContainerPort: 80 }] },
  ],
  ...more,
});
const balanced = (count?: number, port = 80) => ({
  ...(count !== undefined && { DesiredCount: count }),
  LoadBalancers: [{ ContainerName: "web", ContainerPort: port }],
});

describe("the wordpress example of ecs-kube's README, unedited", () => {
  const container = { image: "wordpress", essential: true, memory: 500, cpu: 10 };
  const spec = {
    Task: {
      containerDefinitions: [
        {
          ...container,
          name: "wordpress",
          links: ["mysql"],
          portMappings: [{ containerPort: 80, hostPort: 80 }],
        },
        {
          ...container,
          environment: [{ name: "MYSQL_ROOT_PASSWORD", value: "password" }],
          name: "mysql",
          image: "mysql",
        },
      ],
      family: "hello_world",
    },
    Service: {
      DesiredCount: 1,
      HealthCheckGracePeriodSeconds: 10,
      LoadBalancers: [{ ContainerName: "wordpress", ContainerPort: 80 }],
      TaskDefinition: "Ignored/implied for now",
    },
  };

  it("becomes a Deployment that is ready and a Service of type LoadBalancer, under its name", async () => {
    await w.put("ecs-demo-deploy", spec, { demo: "true" });
    await w.condition("ecs-demo-deploy", "Ready", "True");
    const { body: made } = await w.cluster.ask("GET", deployment("ecs-demo-deploy"));
    const pod = made.spec.template.spec;
    expect(pod.hostAliases).toEqual([{ ip: "127.0.0.1", hostnames: ["mysql"] }]);
    expect(pod.containers.map((one: { name: string }) => one.name)).toEqual(["wordpress", "mysql"]);
    expect(pod.containers[0].ports).toEqual([{ containerPort: 80, protocol: "TCP" }]);
    expect(made.spec.selector.matchLabels).toEqual({ "ecskube.ecskube/name": "ecs-demo-deploy" });
    const { body: reached } = await w.cluster.ask("GET", service("ecs-demo-deploy"));
    expect(reached.spec).toMatchObject({
      type: "LoadBalancer",
      ports: [{ port: 80, targetPort: 80 }],
    });
    for (const collection of [
      "/apis/apps/v1/namespaces/default/deployments",
      "/api/v1/namespaces/default/services",
      "/api/v1/namespaces/default/pods",
    ]) {
      const { body } = await w.cluster.ask("GET", `${collection}?labelSelector=demo%3Dtrue`);
      expect([collection, body.items.length]).toEqual([collection, 1]);
    }
  });

  it("says what it leaves out", async () => {
    const { message } = await w.condition("ecs-demo-deploy", "Unsupported", "True");
    expect(message).toContain("hostPort");
  });

  it("goes with all that it had when it is deleted", async () => {
    await w.remove("ecs-demo-deploy");
    await w.cluster.until(deployment("ecs-demo-deploy"), (_, status) => status === 404);
    await w.cluster.until(service("ecs-demo-deploy"), (_, status) => status === 404);
  });
});

describe("an application", () => {
  it("is updated, scaled, and its port moved", async () => {
    await w.put("moving", { Task: task(), Service: balanced(1) });
    await w.condition("moving", "Ready", "True");
    await w.put("moving", {
      Task: task("nginx:2", {
        ContainerDefinitions: [
          { Name: "web", Image: "nginx:2", Memory: 64, PortMappings: [{ ContainerPort: 8080 }] },
        ],
      }),
      Service: balanced(3, 8080),
    });
    await w.condition("moving", "Ready", "True");
    const { body } = await w.cluster.ask("GET", deployment("moving"));
    expect(body.spec.replicas).toBe(3);
    expect(body.spec.template.spec.containers[0]).toMatchObject({
      image: "nginx:2",
      ports: [{ containerPort: 8080 }],
    });
    const { body: reached } = await w.cluster.ask("GET", service("moving"));
    expect(reached.spec.ports.map((one: { port: number }) => one.port)).toEqual([8080]);
  });

  it("loses what its definition has no more: a member, and a Service", async () => {
    await w.put("shrinking", {
      Task: {
        ContainerDefinitions: [
          { Name: "web", Image: "a", Command: ["x"], PortMappings: [{ ContainerPort: 80 }] },
        ],
      },
      Service: balanced(1),
    });
    await w.condition("shrinking", "Ready", "True");
    await w.put("shrinking", {
      task: {
        containerDefinitions: [{ name: "web", image: "a", portMappings: [{ containerPort: 80 }] }],
      },
      service: { desiredCount: 1 },
    });
    await w.cluster.until(service("shrinking"), (_, status) => status === 404);
    await w.condition("shrinking", "Ready", "True");
    const { body } = await w.cluster.ask("GET", deployment("shrinking"));
    expect(body.spec.template.spec.containers[0].args).toBeUndefined();
  });

  it("is repaired when somebody changes or deletes what it has, and keeps what others add", async () => {
    await w.put("drifting", { Task: task(), Service: balanced(2) });
    await w.condition("drifting", "Ready", "True");
    const patch = "application/merge-patch+json";
    await w.cluster.ask(
      "PATCH",
      deployment("drifting"),
      { metadata: { annotations: { theirs: "stays" } }, spec: { replicas: 5 } },
      patch,
    );
    const repaired = await w.cluster.until(
      deployment("drifting"),
      (body) => body.spec.replicas === 2 && body,
    );
    expect(repaired.metadata.annotations.theirs).toBe("stays");
    await w.cluster.ask("DELETE", service("drifting"));
    await w.cluster.until(service("drifting"), (_, status) => status === 200);
  });

  it("leaves its replicas to an autoscaler while it has no desiredCount, and when it loses it", async () => {
    await w.put("scaling", { Task: task(), Service: balanced() });
    await w.condition("scaling", "Ready", "True");
    const scale = async (replicas: number) =>
      w.cluster.ask(
        "PATCH",
        `${deployment("scaling")}/scale`,
        { spec: { replicas } },
        "application/merge-patch+json",
      );
    await scale(4);
    await w.put("scaling", { Task: task("nginx:2"), Service: balanced() });
    await w.condition("scaling", "Ready", "True");
    expect((await w.cluster.ask("GET", deployment("scaling"))).body.spec.replicas).toBe(4);
    await w.put("scaling", { Task: task("nginx:2"), Service: balanced(3) });
    await w.cluster.until(deployment("scaling"), (body) => body.spec.replicas === 3);
    await w.put("scaling", { Task: task("nginx:3"), Service: balanced() });
    await w.cluster.until(
      deployment("scaling"),
      (body) => body.spec.template.spec.containers[0].image === "nginx:3",
    );
    expect((await w.cluster.ask("GET", deployment("scaling"))).body.spec.replicas).toBe(3);
  });

  it("becomes a DaemonSet, and its Deployment goes", async () => {
    await w.put("daemon", { Task: task(), Service: { DesiredCount: 1 } });
    await w.condition("daemon", "Ready", "True");
    await w.put("daemon", { Task: task(), Service: { SchedulingStrategy: "DAEMON" } });
    await w.cluster.until(deployment("daemon"), (_, status) => status === 404);
    await w.condition("daemon", "Ready", "True", "Available");
    await w.cluster.until(
      "/apis/apps/v1/namespaces/default/daemonsets/daemon",
      (body) => body.status.numberAvailable > 0,
    );
  });

  it("takes its definition from a ConfigMap, and follows it", async () => {
    const maps = "/api/v1/namespaces/default/configmaps";
    const data = (image: string) => ({
      "task.json": JSON.stringify({ family: "f", containerDefinitions: [{ name: "web", image }] }),
    });
    await w.put("unmapped", { taskDefinitionFrom: { name: "nowhere" } });
    const { message } = await w.condition("unmapped", "Valid", "False");
    expect(message).toContain('there is no ConfigMap "nowhere"');
    await w.cluster.ask("POST", maps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "def" },
      data: data("a:1"),
    });
    await w.put("mapped", {
      taskDefinitionFrom: { configMapKeyRef: { name: "def", key: "task.json" } },
    });
    await w.condition("mapped", "Ready", "True");
    await w.cluster.ask(
      "PATCH",
      `${maps}/def`,
      { data: data("a:2") },
      "application/merge-patch+json",
    );
    await w.cluster.until(
      deployment("mapped"),
      (body) => body.spec.template.spec.containers[0].image === "a:2",
    );
  });

  it("does not touch an object of its name that is somebody else's", async () => {
    const theirs = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "taken" },
      spec: { ports: [{ port: 1 }] },
    };
    await w.cluster.ask("POST", "/api/v1/namespaces/default/services", theirs);
    await w.put("taken", { Task: task(), Service: balanced(1) });
    const { message } = await w.condition("taken", "Ready", "False", "NameTaken");
    expect(message).toContain("Service default/taken is there already and not ours");
    const { body } = await w.cluster.ask("GET", service("taken"));
    expect(body.spec.ports[0].port).toBe(1);
    expect(body.metadata.ownerReferences).toBeUndefined();
    await w.cluster.ask("DELETE", service("taken"));
    await w.remove("taken");
  });
});

describe("a broken definition is refused, and holds up no other", () => {
  const container = { Name: "a", Image: "i" };
  test.each([
    [
      "no-image",
      { ContainerDefinitions: [{ Name: "a" }] },
      "containerDefinitions[0].image: expected an image",
    ],
    [
      "one-port-twice",
      {
        ContainerDefinitions: [
          { ...container, PortMappings: [{ ContainerPort: 80 }] },
          { Name: "b", Image: "i", PortMappings: [{ ContainerPort: 80 }] },
        ],
      },
      'containers "a" and "b" both listen on 80/tcp',
    ],
    [
      "cycle",
      {
        ContainerDefinitions: [
          { ...container, DependsOn: [{ ContainerName: "b", Condition: "START" }] },
          { Name: "b", Image: "i", DependsOn: [{ ContainerName: "a", Condition: "START" }] },
        ],
      },
      'expected no cycle, got "a" → "b" → "a"',
    ],
    [
      "two-spellings",
      { ContainerDefinitions: [{ ...container, image: "j" }] },
      'got both "Image" and "image"',
    ],
    [
      "wrong-type",
      { ContainerDefinitions: [{ ...container, PortMappings: { ContainerPort: 80 } }] },
      "expected a list, got an object",
    ],
    [
      "no-such-volume",
      {
        ContainerDefinitions: [
          { ...container, MountPoints: [{ SourceVolume: "x", ContainerPath: "/x" }] },
        ],
      },
      'expected a volume of the task, got "x"',
    ],
  ])("%s", async (name, Task, why) => {
    await w.put(name, { Task });
    const { message } = await w.condition(name, "Valid", "False", "Refused");
    expect(message).toContain(why);
    expect((await w.cluster.ask("GET", deployment(name))).status).toBe(404);
    await w.put(`${name}-beside`, { Task: { ContainerDefinitions: [container] } });
    await w.condition(`${name}-beside`, "Ready", "True");
  });

  it("keeps what an earlier definition has made running", async () => {
    await w.put("breaking", { Task: task() });
    await w.condition("breaking", "Ready", "True");
    await w.put("breaking", { Task: { ContainerDefinitions: [{ Name: "web" }] } });
    await w.condition("breaking", "Valid", "False");
    const { body } = await w.cluster.ask("GET", deployment("breaking"));
    expect(body.spec.template.spec.containers[0].image).toBe("nginx:1");
  });
});
