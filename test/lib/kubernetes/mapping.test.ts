import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { serviceDefinitionOf, taskDefinitionOf } from "../../../lib/ecs/definition.ts";
import { type Mapped, manifestsOf } from "../../../lib/kubernetes/manifests.ts";
import type { MappingOptions } from "../../../lib/kubernetes/mapping/context.ts";
import { literal, secretOf } from "../../../lib/kubernetes/mapping/environment.ts";
import {
  dnsLabel,
  isHostName,
  legalNames,
  portName,
} from "../../../lib/kubernetes/mapping/names.ts";
import {
  cpuQuantity,
  mebibytes,
  taskCpuUnits,
  taskMebibytes,
} from "../../../lib/kubernetes/mapping/quantity.ts";

const OPTIONS: MappingOptions = {
  serviceType: "LoadBalancer",
  hostPorts: "drop",
  names: new Map(),
};

const map = (task: object, service?: object, options: Partial<MappingOptions> = {}): Mapped =>
  manifestsOf(
    {
      task: taskDefinitionOf(task),
      ...(service && { service: serviceDefinitionOf(service) }),
      fallbackName: "app",
    },
    { ...OPTIONS, ...options },
  );

// biome-ignore lint/suspicious/noExplicitAny: a manifest is looked into wherever a test asks.
type Any = any;
const objects = (mapped: Mapped): Any[] => {
  if (mapped.kind === "refused") throw new Error(JSON.stringify(mapped.refusals));
  return [...mapped.objects];
};
const pod = (mapped: Mapped): Any =>
  objects(mapped).find(({ kind }) => kind === "Deployment" || kind === "DaemonSet").spec.template;
const containers = (definitions: object[], more: object = {}) =>
  map({ containerDefinitions: definitions.map((one) => ({ image: "i", ...one })), ...more });
const one = (definition: object, more: object = {}): Any =>
  pod(containers([{ name: "a", ...definition }], more)).spec.containers[0];
const refusals = (mapped: Mapped) => (mapped.kind === "refused" ? mapped.refusals : []);
const told = ({ findings }: Mapped) => findings.map(({ kind, member }) => `${kind} ${member}`);

describe("amounts are those that the API server gives back", () => {
  test.each([
    [1024, "1"],
    [256, "250m"],
    [10, "10m"],
    [1, "1m"],
    [1536, "1500m"],
  ])("%d CPU units are %s", (units, text) => expect(cpuQuantity(units)).toBe(text));
  test.each([
    [500, "500Mi"],
    [1024, "1Gi"],
    [1536, "1536Mi"],
    [1_048_576, "1Ti"],
  ])("%d MiB are %s", (amount, text) => expect(mebibytes(amount)).toBe(text));
  test.each([
    ["256", 256],
    ["1 vCPU", 1024],
    [".5 vcpu", 512],
    ["a lot", undefined],
  ])("a task's cpu %j is %p units", (text, units) => expect(taskCpuUnits(text)).toBe(units));
  test.each([
    ["2048", 2048],
    ["2 GB", 2048],
    ["0.5GB", 512],
    ["512mb", 512],
    ["much", undefined],
  ])("a task's memory %j is %p MiB", (text, amount) => expect(taskMebibytes(text)).toBe(amount));
});

describe("names", () => {
  it("are DNS labels, whatever they were", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: "binary" }), (text) => {
        expect(dnsLabel(text)).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
        expect(portName(text)).toMatch(/^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/);
        expect(isHostName(dnsLabel(text))).toBe(true);
      }),
    );
  });

  it("stay different when they were", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ maxLength: 80 })), (texts) => {
        expect(new Set(legalNames(texts).values()).size).toBe(texts.length);
      }),
    );
    expect([...legalNames(["log_router", "log-router"]).values()][1]).toBe("log-router");
  });
});

it("hands texts on as they were, which Kubernetes expands", () => {
  const expand = (text: string) =>
    text.replace(/\$\$|\$\(([^)]*)\)/g, (whole) => (whole === "$$" ? "$" : "expanded"));
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("$", "(", ")", "A", "$(A)", "$$")).map((parts) => parts.join("")),
      (text) => expect(expand(literal(text))).toBe(text),
    ),
  );
  expect(one({ environment: [{ name: "A", value: "$(B) $C" }] }).env).toEqual([
    { name: "A", value: "$$(B) $C" },
  ]);
});

describe("secrets are named", () => {
  const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf";
  test.each([
    [arn, "prod-db", "value"],
    [`${arn}:password::`, "prod-db", "password"],
    ["arn:aws:ssm:eu-west-1:123456789012:parameter/prod/token", "prod-token", "value"],
    ["/prod/token", "prod-token", "value"],
    [`arn:\${AWS::Partition}:secretsmanager:\${AWS::Region}:1:secret:x-AbCdEf:k::`, "x", "k"],
  ])("%s", (valueFrom, name, key) => {
    expect(secretOf(valueFrom, new Map())).toMatchObject({ name, key, isNamed: false });
  });
  it("by the map, for a secret with any key of it", () => {
    const names = new Map([
      [arn, "db"],
      ["/prod/token", "tokens/prod"],
    ]);
    expect(secretOf(`${arn}:password::`, names)).toMatchObject({ name: "db", key: "password" });
    expect(secretOf("/prod/token", names)).toMatchObject({ name: "tokens", key: "prod" });
  });
});

describe("containers that wait for each other", () => {
  const waits = (name: string, condition: string, more: object = {}) => ({
    name: "main",
    dependsOn: [{ containerName: name, condition }],
    ...more,
  });
  const check = { healthCheck: { command: ["CMD", "ok"], startPeriod: 31 } };

  it("START, HEALTHY: the other one is a sidecar that starts before", () => {
    const { spec } = pod(containers([waits("db", "HEALTHY"), { name: "db", ...check }]));
    expect(spec.initContainers).toMatchObject([
      {
        name: "db",
        restartPolicy: "Always",
        startupProbe: { failureThreshold: 5, exec: { command: ["ok"] } },
      },
    ]);
    expect(spec.containers.map(({ name }: Any) => name)).toEqual(["main"]);
  });

  it("SUCCESS: the other one is an init container, and has no probes", () => {
    const mapped = containers([waits("job", "SUCCESS"), { name: "job", ...check }]);
    expect(pod(mapped).spec.initContainers).toEqual([{ name: "job", image: "i" }]);
    expect(told(mapped)).toContain("unmapped containerDefinitions[1].healthCheck");
  });

  it("come in the order of what they need", () => {
    const { spec } = pod(
      containers([
        waits("b", "START"),
        { name: "b", dependsOn: [{ containerName: "c", condition: "COMPLETE" }] },
        { name: "c" },
      ]),
    );
    expect(spec.initContainers.map(({ name }: Any) => name)).toEqual(["c", "b"]);
  });

  it("an ended one holds no port", () => {
    const port = { portMappings: [{ containerPort: 80 }] };
    expect(refusals(containers([waits("job", "SUCCESS", port), { name: "job", ...port }]))).toEqual(
      [],
    );
  });
});

describe("a service", () => {
  const task = {
    containerDefinitions: [{ name: "a", image: "i", portMappings: [{ containerPort: 80 }] }],
  };
  const strategy = (service: object) =>
    objects(map(task, service)).find(({ kind }) => kind === "Deployment").spec.strategy
      .rollingUpdate;
  test.each([
    [{}, { maxSurge: "100%", maxUnavailable: "0%" }],
    [
      { deploymentConfiguration: { maximumPercent: 150, minimumHealthyPercent: 50 } },
      { maxSurge: "50%", maxUnavailable: "50%" },
    ],
    [
      { deploymentConfiguration: { maximumPercent: 100, minimumHealthyPercent: 100 } },
      { maxSurge: 0, maxUnavailable: 1 },
    ],
  ])("%j is updated by %j", (service, expected) => {
    expect(strategy({ serviceName: "s", ...service })).toEqual(expected);
  });

  it("without desiredCount leaves the replicas alone", () => {
    const { spec } = objects(map(task, { serviceName: "s" }))[0];
    expect(spec).not.toHaveProperty("replicas");
  });

  it("with a registry and no port has a headless Service", () => {
    const bare = { containerDefinitions: [{ name: "a", image: "i" }] };
    const { spec } = objects(map(bare, { serviceRegistries: [{ registryArn: "x" }] }))[1];
    expect(spec).toMatchObject({ clusterIP: "None", type: "ClusterIP" });
  });
});

describe("placement", () => {
  test.each([
    [
      "attribute:ecs.availability-zone in [eu-west-1a, eu-west-1b]",
      { key: "topology.kubernetes.io/zone", operator: "In", values: ["eu-west-1a", "eu-west-1b"] },
    ],
    [
      "attribute:ecs.instance-type != t2.micro",
      { key: "node.kubernetes.io/instance-type", operator: "NotIn", values: ["t2.micro"] },
    ],
    [
      "attribute:ecs.cpu-architecture == x86_64",
      { key: "kubernetes.io/arch", operator: "In", values: ["amd64"] },
    ],
  ])("%s", (expression, expected) => {
    const mapped = containers([{ name: "a" }], {
      placementConstraints: [{ type: "memberOf", expression }],
    });
    const { nodeAffinity } = pod(mapped).spec.affinity;
    expect(nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms).toEqual([
      { matchExpressions: [expected] },
    ]);
  });
  test.each([
    "attribute:stack == prod",
    "attribute:ecs.instance-type =~ t2.*",
    "task:group == x",
    "(a) or b",
  ])("%s is reported", (expression) => {
    const mapped = containers([{ name: "a" }], {
      placementConstraints: [{ type: "memberOf", expression }],
    });
    expect(told(mapped)).toContain("unmapped placementConstraints[0].expression");
  });
});

describe("what no pod can be is refused", () => {
  const port = (name: string) => ({ name, portMappings: [{ containerPort: 80 }] });
  test.each([
    ["no container", map({}), "containerDefinitions"],
    ["a name twice", containers([{ name: "a" }, { name: "a" }]), "containerDefinitions[1].name"],
    [
      "one port of two containers",
      containers([port("a"), port("b")]),
      "containerDefinitions[1].portMappings[0]",
    ],
    [
      "a link to nowhere",
      containers([{ name: "a", links: ["b"] }]),
      "containerDefinitions[0].links[0]",
    ],
    [
      "two addresses of one name",
      containers([
        { name: "a", extraHosts: [{ hostname: "b", ipAddress: "10.0.0.1" }], links: ["b"] },
        { name: "b" },
      ]),
      "containerDefinitions[0].extraHosts[0]",
    ],
    [
      "two mounts at one path",
      containers(
        [
          {
            name: "a",
            mountPoints: [
              { sourceVolume: "v", containerPath: "/x" },
              { sourceVolume: "v", containerPath: "/x" },
            ],
          },
        ],
        { volumes: [{ name: "v" }] },
      ),
      "containerDefinitions[0].mountPoints",
    ],
    [
      "more reserved than there is",
      containers([{ name: "a", memory: 10, memoryReservation: 20 }]),
      "containerDefinitions[0].memoryReservation",
    ],
    [
      "a service without a task definition",
      manifestsOf(
        { service: serviceDefinitionOf({ serviceName: "a" }), fallbackName: "a" },
        OPTIONS,
      ),
      "taskDefinition",
    ],
  ])("%s", (_, mapped, member) => {
    expect(refusals(mapped).map((refusal) => refusal.member)).toContain(member);
  });

  it("all at once", () => {
    expect(refusals(containers([{ image: "" }, { name: "b", image: "" }])).length).toBe(3);
  });
});

it("never throws, whatever a definition holds", () => {
  const hostile = fc.anything({ maxDepth: 3 });
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom(
          ...Object.keys({
            name: 1,
            image: 1,
            links: 1,
            portMappings: 1,
            dependsOn: 1,
            user: 1,
            healthCheck: 1,
            mountPoints: 1,
            environment: 1,
            secrets: 1,
            cpu: 1,
            memory: 1,
          }),
        ),
        hostile,
      ),
      hostile,
      (container, service) => {
        const mapped = map({ containerDefinitions: [container] }, service as object);
        expect(["manifests", "refused"]).toContain(mapped.kind);
      },
    ),
  );
});
