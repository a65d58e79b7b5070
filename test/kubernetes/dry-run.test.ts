import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { serviceDefinitionOf, taskDefinitionOf } from "../../lib/ecs/definition.ts";
import { differences } from "../../lib/kubernetes/difference.ts";
import { manifestsOf } from "../../lib/kubernetes/manifests.ts";
import { wholeService, wholeTask } from "../support/definitions.ts";
import { applyPath, type ControlPlane, controlPlane } from "../support/kubernetes/control-plane.ts";

const BUILD_MS = 26 * 60_000;
let cluster: ControlPlane;
beforeAll(async () => {
  cluster = await controlPlane();
}, BUILD_MS);
afterAll(() => cluster?.stop());

const first = wholeTask.containerDefinitions?.[0] ?? {};
const windows = {
  family: "windows",
  runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "WINDOWS_SERVER_2022_CORE" },
  cpu: "1024",
  memory: "2048",
  containerDefinitions: [
    {
      name: "iis",
      image: "iis",
      user: "ContainerUser",
      privileged: true,
      credentialSpecs: ["x"],
      healthCheck: { command: ["CMD-SHELL", "exit 0"] },
    },
  ],
};
const host = {
  ...wholeTask,
  networkMode: "host",
  pidMode: "host",
  ipcMode: "host",
  containerDefinitions: [
    { ...first, portMappings: [{ containerPort: 80, hostPort: 80 }], dependsOn: [], links: [] },
    ...(wholeTask.containerDefinitions?.slice(1) ?? []),
  ],
};
const names = {
  family: `${"Long_".repeat(40)}`,
  volumes: [{ name: "my_Volume" }],
  containerDefinitions: [
    {
      name: "log_router",
      image: "a",
      portMappings: [{ containerPort: 1, name: "A_very_long_port_name" }],
      mountPoints: [{ sourceVolume: "my_Volume", containerPath: "/a" }],
    },
    {
      name: "log-router",
      image: "b",
      environment: [
        { name: "A B", value: "$(x)" },
        { name: "E", value: "" },
      ],
      dockerLabels: { "a/b/c": "1", "ok.example/x": "2" },
    },
  ],
};

test.each([
  ["every member of the API", wholeTask, wholeService],
  [
    "the network and processes of the host",
    host,
    {
      ...wholeService,
      schedulingStrategy: "DAEMON",
      loadBalancers: [],
      serviceRegistries: [],
      serviceConnectConfiguration: {},
    },
  ],
  ["Windows", windows, undefined],
  [
    "names that Kubernetes would not take",
    names,
    {
      serviceName: "9_Shop",
      desiredCount: 0,
      loadBalancers: [{ containerName: "log_router", containerPort: 1 }],
    },
  ],
  ["nothing but a container", { containerDefinitions: [{ name: "a", image: "b" }] }, undefined],
  [
    "a service without ports in a registry",
    { containerDefinitions: [{ name: "a", image: "b" }] },
    { serviceRegistries: [{ registryArn: "r" }] },
  ],
])(
  "the API server takes all objects of %s, and gives them back as they were sent",
  async (_, task, service) => {
    const mapped = manifestsOf(
      {
        task: taskDefinitionOf(task),
        ...(service && { service: serviceDefinitionOf(service) }),
        fallbackName: "app",
      },
      { serviceType: "LoadBalancer", hostPorts: "keep", names: new Map([["x", "spec"]]) },
    );
    expect(mapped.kind === "refused" ? mapped.refusals : []).toEqual([]);
    const objects = mapped.kind === "manifests" ? mapped.objects : [];
    for (const object of objects) {
      const path = `${applyPath(object)}?dryRun=All&fieldValidation=Strict&fieldManager=t&force=true`;
      const { status, body } = await cluster.ask(
        "PATCH",
        path,
        object,
        "application/apply-patch+yaml",
      );
      const what = `${object.kind} ${object.metadata.name}`;
      expect([what, status, status > 201 ? body.message : ""]).toEqual([what, 201, ""]);
      // What it would change by itself, the controller would fight for ever.
      expect(differences(object, body)).toEqual([]);
    }
    expect(objects.length).toBeGreaterThan(0);
  },
);

test("the API server takes what an operator applies, and the controller's pods run under the restricted standard", async () => {
  const deploy = new URL("../../deploy/kubernetes/", import.meta.url);
  const objects = "/apis/ecskube.ecskube/v1alpha1/namespaces/default/ecsdeployments";
  for (const file of ["namespace.yaml", "crd.yaml", "rbac.yaml", "deployment.yaml"]) {
    await cluster.apply(new URL(file, deploy));
  }
  await cluster.until(objects, (_, status) => status === 200);
  await cluster.apply(new URL("sample.yaml", deploy));
  const path = "/apis/apps/v1/namespaces/ecs-discovery-agent/deployments/ecs-discovery-agent-kube";
  await cluster.until(path, (body) => body.status?.availableReplicas === 2);
});
