import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "@jest/globals";
import { readConfiguration } from "../../../../lib/elb/files/configuration.ts";
import { locationOf } from "../../../../lib/elb/files/location.ts";
import { problemText } from "../../../../lib/elb/files/members.ts";
import { readServices } from "../../../../lib/elb/files/services-file.ts";

const ORIGINAL = {
  serviceName: "web",
  family: "web-task",
  exposedContainerName: "nginx",
  loadBalancerName: "web-lb",
};
const ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/g/0123456789abcdef";

const read = (entries: unknown) => {
  const file = readServices(JSON.stringify(entries, null, 1));
  if (!file.ok) throw new Error(file.problems.map(problemText).join());
  return file;
};
const outletOf = (over: object) => read([{ ...ORIGINAL, ...over }]).services[0]?.outlet;
const problemsOf = (over: object): readonly string[] =>
  read([{ ...ORIGINAL, ...over }]).broken.flatMap(({ problems }) => problems.map(problemText));

describe("the services file", () => {
  it("of the original is read as it is", () => {
    const file = read([ORIGINAL]);
    expect(file).toEqual({
      ok: true,
      services: [
        {
          key: "web",
          family: "web-task",
          container: "nginx",
          outlet: { mode: "rewrite", loadBalancer: "web-lb", ports: [] },
        },
      ],
      broken: [],
      notes: [],
    });
  });

  it("may have its members in other capitals, as the original's reader took them", () => {
    const { ServiceName, ...rest } = {
      ServiceName: "web",
      FAMILY: "web-task",
      exposedcontainername: "nginx",
      LoadBalancerName: "web-lb",
    };
    expect(read([{ ...rest, ServiceName }]).services).toEqual(read([ORIGINAL]).services);
  });

  it("of the project's own examples is read without a note", () => {
    const text = readFileSync(
      new URL("../../../../deploy/balancer/services.json", import.meta.url),
      "utf8",
    );
    const file = readServices(text);
    expect(file).toMatchObject({ ok: true, broken: [], notes: [] });
    expect(file.ok && file.services.map(({ outlet }) => outlet.mode)).toEqual([
      "rewrite",
      "forward",
      "targets",
    ]);
  });

  it("keeps two entries of one service apart", () => {
    expect(read([ORIGINAL, ORIGINAL]).services.map(({ key }) => key)).toEqual(["web", "web#2"]);
  });

  it("with one broken entry has all others, and every problem of the broken one with its line", () => {
    const file = readServices(
      '[\n {"serviceName": "bad",\n  "family": 7,\n  "loadBalancerName": "a_b"},\n {"family": "api", "exposedContainerName": "a", "loadBalancerName": "api"}\n]',
    );
    expect(file).toMatchObject({ ok: true, services: [{ key: "api" }] });
    expect(
      file.ok && file.broken.map(({ name, problems }) => [name, problems.map(problemText)]),
    ).toEqual([
      [
        "bad",
        [
          "line 3, [0].family: expected the family of a task definition, got 7",
          "line 2, [0].exposedContainerName: expected a name, got nothing",
          'line 4, [0].loadBalancerName: expected the name of a Classic Load Balancer, got "a_b"',
        ],
      ],
    ]);
  });

  it("notes a member that has no meaning, and one that stands twice", () => {
    const file = readServices(
      '[{"family": "a", "exposedContainerName": "a", "loadBalancerName": "a", "loadbalancer": 1, "family": "b"}]',
    );
    expect(file.ok && file.notes.map(problemText)).toEqual([
      expect.stringMatching(
        /^line 1, \[0\]\.loadbalancer: expected one of the members serviceName, /,
      ),
      "line 1, [0].family: expected each member once, got it again; the last one counts",
    ]);
  });

  test.each([
    ["{", "line 1, column 2: expected"],
    ["{}", "line 1: expected a list of services, got an object"],
    ["[1]", undefined],
  ])("%s can't be read as a whole, or only its entries", (text, problem) => {
    const file = readServices(text);
    expect(file.ok).toBe(problem === undefined);
    if (!file.ok) expect(problemText(file.problems[0] as never)).toContain(problem);
  });
});

describe("a mode", () => {
  test.each([
    [
      { ports: [{ lbPort: 80, containerPort: 8080 }] },
      { mode: "rewrite", loadBalancer: "web-lb", ports: [{ lbPort: 80, containerPort: 8080 }] },
    ],
    [
      { mode: "forward", listenPort: 8080 },
      {
        mode: "forward",
        loadBalancer: "web-lb",
        ports: [{ listenPort: 8080 }],
        dataPlane: "proxy",
      },
    ],
    [
      {
        mode: "forward",
        listenPort: 8080,
        dataPlane: "kernel",
        ports: [
          { lbPort: 80, containerPort: 1 },
          { lbPort: 81, containerPort: 2 },
          { lbPort: 82, containerPort: 3, listenPort: 9000 },
        ],
      },
      {
        mode: "forward",
        loadBalancer: "web-lb",
        dataPlane: "kernel",
        ports: [
          { listenPort: 8080, lbPort: 80, containerPort: 1 },
          { listenPort: 8081, lbPort: 81, containerPort: 2 },
          { listenPort: 9000, lbPort: 82, containerPort: 3 },
        ],
      },
    ],
    [
      {
        mode: "targets",
        targetGroupArn: ARN,
        loadBalancerName: undefined,
        ports: [{ containerPort: 80 }],
      },
      { mode: "targets", targetGroupArn: ARN, containerPorts: [80] },
    ],
  ])("%j is read", (over, outlet) => {
    expect(outletOf(over)).toEqual(outlet);
  });

  test.each([
    [{ mode: "both" }, 'expected one of "rewrite", "forward", "targets", got "both"'],
    [{ listenPort: 80 }, 'listenPort: expected no such member in mode "rewrite"'],
    [
      { mode: "forward" },
      'listenPort: expected a port of the host, from 1 to 65535, for mode "forward", got nothing',
    ],
    [
      {
        mode: "forward",
        listenPort: 65_535,
        ports: [
          { lbPort: 1, containerPort: 1 },
          { lbPort: 2, containerPort: 2 },
        ],
      },
      "up to 65535",
    ],
    [
      {
        mode: "forward",
        listenPort: 80,
        ports: [
          { lbPort: 1, containerPort: 1 },
          { lbPort: 2, containerPort: 2, listenPort: 80 },
        ],
      },
      "the same twice",
    ],
    [{ mode: "targets" }, "targetGroupArn: expected the ARN of a target group, got nothing"],
    [
      { mode: "targets", targetGroupArn: ARN },
      'loadBalancerName: expected no such member in mode "targets"',
    ],
    [
      { ports: [{ lbPort: 80 }] },
      "ports[0].containerPort: expected a whole number from 1 to 65535, got nothing",
    ],
    [
      {
        ports: [
          { lbPort: 80, containerPort: 1 },
          { lbPort: 80, containerPort: 2 },
        ],
      },
      "expected each lbPort once",
    ],
    [{ ports: {} }, "ports: expected a list"],
    [{ healthCheck: { protocol: "TCP", path: "/" } }, 'expected no path with protocol "TCP"'],
    [
      { healthCheck: { intervalSeconds: 5, timeoutSeconds: 5 } },
      "expected less than intervalSeconds, 5, got 5",
    ],
    [{ healthCheck: { path: "health" } }, "expected a path such as /health"],
    [{ drainSeconds: -1 }, "drainSeconds: expected a whole number from 0 to 3600, got -1"],
  ])("%j is refused with its reason", (over, problem) => {
    expect(problemsOf(over).join("\n")).toContain(problem);
  });
});

describe("the configuration file", () => {
  test.each([
    ['{"cluster": "prod", "sleepTimeSeconds": 30}', { cluster: "prod", sleepTimeSeconds: 30 }, 0],
    ['{"Cluster": "prod"}', { cluster: "prod", sleepTimeSeconds: 10 }, 0],
    ['{"cluster": "prod", "sleepTimeSeconds": 0}', { cluster: "prod", sleepTimeSeconds: 1 }, 1],
    ['{"cluster": "prod", "sleepTimeSeconds": null}', { cluster: "prod", sleepTimeSeconds: 10 }, 0],
    [
      '{"cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"}',
      { cluster: "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", sleepTimeSeconds: 10 },
      0,
    ],
  ])("%s is read", (text, value, notes) => {
    const file = readConfiguration(text);
    expect(file).toMatchObject({ ok: true, value });
    expect(file.ok && file.notes).toHaveLength(notes);
  });

  test.each([
    ["", "line 1, column 1: expected a value, got the end of the text"],
    ["[]", "line 1: expected an object such as"],
    ["{}", "line 1, cluster: expected the name or ARN of an ECS cluster, got nothing"],
    [
      '{\n"cluster": "a b",\n"sleepTimeSeconds": 1.5}',
      'line 2, cluster: expected the name or ARN of an ECS cluster, got "a b"',
    ],
    [
      '{"cluster": "a", "sleepTimeSeconds": "10"}',
      'sleepTimeSeconds: expected a whole number from 1 to 86400, got "10"',
    ],
  ])("%s is refused with its reason", (text, problem) => {
    const file = readConfiguration(text);
    expect(!file.ok && file.problems.map(problemText).join()).toContain(problem);
  });
});

test.each([
  ["s3://bucket/key.json", { kind: "s3", bucket: "bucket", key: "key.json" }],
  ["s3://bucket//a//b c?d#e%20f", { kind: "s3", bucket: "bucket", key: "/a//b c?d#e%20f" }],
  ["file:///etc/a b.json", { kind: "file", path: "/etc/a b.json" }],
  ["s3://bucket", undefined],
  ["s3://bucket/", undefined],
  ["s3:///key", undefined],
  ["file://etc/a.json", undefined],
  ["file:///etc/", undefined],
  ["/etc/a.json", undefined],
  ["https://bucket.s3.amazonaws.com/key", undefined],
])("%s leads to %j", (url, location) => {
  expect(locationOf(url)).toEqual(location);
});
