import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";

const MAIN = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "convert-"));
});
afterAll(() => rm(folder, { recursive: true }));

const file = async (name: string, content: unknown): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

interface Result {
  readonly code: number;
  readonly out: string;
  readonly lines: readonly string[];
}

function convert(flags: readonly string[], input = "", env: Record<string, string> = {}) {
  const { promise, resolve } = Promise.withResolvers<Result>();
  const child = execFile(
    process.execPath,
    [MAIN, "convert", ...flags],
    {
      env: {
        AWS_REGION: "eu-west-1",
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
        AWS_CONFIG_FILE: "/dev/null",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_ENDPOINT_URL_ECS: "http://127.0.0.1:9",
        ...env,
      },
    },
    (_, out, err) => resolve({ code: child.exitCode ?? -1, out, lines: err.trim().split("\n") }),
  );
  child.stdin?.end(input);
  return promise;
}

const kinds = (out: string): readonly string[] =>
  parseAllDocuments(out).map((document) => (document.toJS() as { kind: string }).kind);

const task = {
  family: "web",
  containerDefinitions: [
    { name: "web", image: "nginx", memory: 64, portMappings: [{ containerPort: 80 }] },
  ],
};
const service = {
  serviceName: "shop",
  taskDefinition: "web:3",
  desiredCount: 2,
  loadBalancers: [{ containerName: "web", containerPort: 80 }],
};
const broken = { family: "bad", containerDefinitions: [{ name: "x" }] };

describe("convert", () => {
  it("prints manifests on standard output, the same ones every time", async () => {
    const files = [await file("task.json", task), await file("service.json", service)];
    const first = await convert(files);
    expect(first.code).toBe(0);
    expect(kinds(first.out)).toEqual(["Deployment", "Service"]);
    expect(first.out).toContain("name: shop");
    expect((await convert(files)).out).toBe(first.out);
  });

  it("prints one line for each member that is not mapped, with file, member, reason and what to do", async () => {
    const path = await file("limits.json", {
      ...task,
      containerDefinitions: [{ ...task.containerDefinitions[0], ulimits: [{ name: "nofile" }] }],
    });
    const { code, lines } = await convert([path]);
    expect(code).toBe(0);
    expect(lines).toEqual([
      `${path}: containerDefinitions[0].ulimits: not mapped: a pod has no field for them; set them in the container runtime of the nodes`,
    ]);
    expect((await convert([path, "--strict"])).code).toBe(3);
    expect((await convert([await file("task.json", task), "--strict"])).code).toBe(0);
  });

  it("reads standard input, YAML, and comments", async () => {
    const yaml = await convert(
      ["-"],
      "family: web\ncontainerDefinitions:\n- {name: a, image: b}\n",
    );
    expect(kinds(yaml.out)).toEqual(["Deployment"]);
    const commented = await convert(
      ["-"],
      `// a task\n{"family": "a", /* b */ "containerDefinitions": [{"name": "c", "image": "d"},]}`,
    );
    expect(kinds(commented.out)).toEqual(["Deployment"]);
  });

  it("works out a template, with the parameters it is given", async () => {
    const template = `
Parameters: {Tag: {Type: String}}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ContainerDefinitions: [{Name: web, Image: !Sub "nginx:\${Tag}"}]
  Web:
    Type: AWS::ECS::Service
    Properties: {ServiceName: web, TaskDefinition: !Ref Task, DesiredCount: 1}
`;
    const path = await file("template.yaml", template);
    expect((await convert([path, "--parameters=Tag=1.27"])).out).toContain("image: nginx:1.27");
    const open = await convert([path]);
    expect(open.lines[0]).toContain("Resources.Task: containerDefinitions[0].image: not mapped:");
  });

  it("prints one JSON list, in a namespace", async () => {
    const { out } = await convert([
      await file("task.json", task),
      "--output=json",
      "--namespace=shop",
    ]);
    const list = JSON.parse(out) as { kind: string; items: { metadata: { namespace: string } }[] };
    expect([list.kind, list.items[0]?.metadata.namespace]).toEqual(["List", "shop"]);
  });

  it("takes names of Secrets from flags and files", async () => {
    const path = await file("secret.json", {
      family: "a",
      containerDefinitions: [
        { name: "a", image: "b", secrets: [{ name: "P", valueFrom: "/prod/db" }] },
      ],
    });
    const names = await file("names.yaml", "/prod/db: db/password\n");
    for (const map of ["/prod/db=db/password", names]) {
      const { out, lines } = await convert([path, `--secretMap=${map}`]);
      expect(out).toMatch(/secretKeyRef:\n\s+name: db\n\s+key: password/);
      expect(lines).toEqual([""]);
    }
  });

  it("refuses what no pod can be, whole, and converts the others", async () => {
    const [bad, good] = [await file("bad.json", broken), await file("task.json", task)];
    const alone = await convert([bad]);
    expect([alone.code, alone.out]).toEqual([1, ""]);
    expect(alone.lines[0]).toBe(
      `${bad}: containerDefinitions[0].image: refused: expected an image, got nothing`,
    );
    const both = await convert([bad, good]);
    expect([both.code, kinds(both.out)]).toEqual([1, ["Deployment"]]);
  });

  it("refuses two that would have one name", async () => {
    const { code, lines } = await convert([
      await file("one.json", task),
      await file("two.json", task),
    ]);
    expect(code).toBe(1);
    expect(lines.join("\n")).toContain("expected a name of its own");
  });

  test.each([
    ["no file", [], 2, "expected files"],
    ["a file that is not there", ["/nowhere.json"], 1, "/nowhere.json: can't be read"],
    [
      "a bad map",
      ["--secretMap=/nowhere.yaml", "-"],
      2,
      "--secretMap: expected a JSON or YAML object",
    ],
  ] as const)("says what is wrong with %s", async (_, flags, code, text) => {
    const result = await convert(flags);
    expect([result.code, result.out]).toEqual([code, ""]);
    expect(result.lines[0]).toContain(text);
  });
});

describe("convert --cluster", () => {
  let server: Server;
  const asked: string[] = [];
  const arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:3";
  beforeAll(async () => {
    // The answers of ECS's API for one service (API reference, DescribeServices, DescribeTaskDefinition).
    const answers: Readonly<Record<string, unknown>> = {
      ListServices: { serviceArns: ["arn:aws:ecs:eu-west-1:123456789012:service/prod/shop"] },
      DescribeServices: {
        services: [{ ...service, taskDefinition: arn, status: "ACTIVE", runningCount: 2 }],
      },
      DescribeTaskDefinition: { taskDefinition: { ...task, taskDefinitionArn: arn, revision: 3 } },
    };
    server = createServer((request, response) => {
      const [, operation = ""] = String(request.headers["x-amz-target"]).split(".");
      asked.push(operation);
      response.setHeader("content-type", "application/x-amz-json-1.1");
      response.end(JSON.stringify(answers[operation]));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => void server.close());

  it("converts the services as they run", async () => {
    const { port } = server.address() as AddressInfo;
    const env = { AWS_ENDPOINT_URL_ECS: `http://127.0.0.1:${port}` };
    const all = await convert(["--cluster=prod"], "", env);
    expect([all.code, kinds(all.out)]).toEqual([0, ["Deployment", "Service"]]);
    expect(asked).toEqual(["ListServices", "DescribeServices", "DescribeTaskDefinition"]);
  });

  it("says what to look at when ECS does not answer", async () => {
    const { code, out, lines } = await convert(["--cluster=prod", "--service=shop"]);
    expect([code, out]).toEqual([1, ""]);
    expect(lines.join("\n")).toContain("ECS did not answer DescribeServices: see AWS_REGION");
  });
});
