import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { httpStandIn } from "../http-stand-in.ts";
import { requestLog } from "../request-log.ts";
import { type Answer, type Input, ok, refused } from "./answer.ts";
import { ecsAccount } from "./ecs.ts";
import { stackAccount } from "./stacks.ts";

export interface CloudOptions {
  /** How long tasks take to start and stop, and stacks to change; nothing when not given. */
  readonly taskMs?: number;
  readonly stackMs?: number;
  readonly keys?: readonly string[];
}

export interface CloudStandIn {
  readonly url: string;
  readonly ecs: ReturnType<typeof ecsAccount>;
  readonly cloudFormation: ReturnType<typeof stackAccount>;
  readonly fileSystems: ReadonlyMap<string, unknown>;
  /** The operations asked for, in order of arrival; the oldest are forgotten. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

const CFN = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/**
 * As much of an AWS account as a folder's stacks, task definitions and services need, over HTTP on the loopback address:
 * CloudFormation and EC2 (form in, XML out), ECS and the tagging API (JSON 1.1), EFS (JSON). It refuses what it has no
 * rule for. Requests are told apart by what they are signed for, as in AWS's own front.
 */
export async function cloudStandIn(options: CloudOptions = {}): Promise<CloudStandIn> {
  const { taskMs = 0, stackMs = 0, keys = ["My SSH Key"] } = options;
  const now = () => performance.now();
  const ecs = ecsAccount(now, { taskMs });
  const fileSystems = new Map<
    string,
    readonly { readonly name: string; readonly value: string }[]
  >();
  const cloudFormation = stackAccount(
    now,
    {
      cluster: (name, isThere) =>
        void (isThere ? ecs.clusters.add(name) : ecs.clusters.delete(name)),
      fileSystem: (id, tags) => void fileSystems.set(id, tags),
    },
    { stackMs },
  );
  const { requests, note } = requestLog<string>();

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(message);
    const [, service = ""] =
      /Credential=[^/]*\/\d+\/[^/]+\/([^/]+)\//.exec(message.headers.authorization ?? "") ?? [];
    const target = String(message.headers["x-amz-target"] ?? "").replace(/^.*\./, "");
    if (service === "ecs" || service === "tagging") {
      note(target);
      const input = JSON.parse(body) as Input;
      return sendJson(
        response,
        service === "ecs" ? ecs.answer(target, input) : tagged(target, input, ecs),
      );
    }
    if (service === "elasticfilesystem") {
      const id = /file-systems\/(fs-[0-9a-f]+)$/.exec(message.url ?? "")?.[1];
      note(id === undefined ? "DescribeFileSystems" : "DeleteFileSystem");
      if (id !== undefined) fileSystems.delete(id);
      const all = [...fileSystems].map(([FileSystemId, tags]) => ({
        FileSystemId,
        Tags: tags.map(({ name, value }) => ({ Key: name, Value: value })),
      }));
      return sendJson(response, ok(id === undefined ? { FileSystems: all } : {}));
    }
    const input = Object.fromEntries(new URLSearchParams(body));
    const operation = input["Action"] ?? "";
    note(operation);
    if (service === "ec2") return sendXml(response, ec2(operation, keys), operation, "");
    if (service === "cloudformation") {
      return sendXml(response, cloudFormation.answer(operation, input), operation, CFN);
    }
    return sendJson(response, refused("UnknownOperationException", `no rules for ${service}`));
  };
  const { url, close } = await httpStandIn({ serve });
  return { url, ecs, cloudFormation, fileSystems, requests, close };
}

function tagged(operation: string, input: Input, ecs: ReturnType<typeof ecsAccount>): Answer {
  if (operation !== "GetResources") return refused("UnknownOperationException", operation);
  const filters = input["TagFilters"] as readonly {
    readonly Key: string;
    readonly Values: readonly string[];
  }[];
  const all = [...ecs.revisions, ...ecs.services.values()].filter(
    ({ status, tags }) =>
      (status === "ACTIVE" || status === "DRAINING") &&
      filters.every(({ Key, Values }) =>
        tags.some(({ key, value }) => key === Key && Values.includes(value)),
      ),
  );
  return ok({
    ResourceTagMappingList: all.map(({ arn, tags }) => ({
      ResourceARN: arn,
      Tags: tags.map(({ key, value }) => ({ Key: key, Value: value })),
    })),
    PaginationToken: "",
  });
}

/** One VPC with three subnets, and the key pairs. */
function ec2(operation: string, keys: readonly string[]): Answer {
  const set = (name: string, items: readonly Input[]) => ok({ [name]: { item: items } });
  switch (operation) {
    case "DescribeVpcs":
      return set("vpcSet", [{ vpcId: "vpc-11111111" }]);
    case "DescribeSubnets":
      return set(
        "subnetSet",
        ["a", "b", "c"].map((zone) => ({
          subnetId: `subnet-${zone.repeat(8)}`,
          availabilityZone: `eu-west-1${zone}`,
        })),
      );
    case "DescribeKeyPairs":
      return set(
        "keySet",
        keys.map((keyName) => ({ keyName })),
      );
    default:
      return refused("InvalidAction", `no rule for ${operation}`);
  }
}

function sendJson(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.ok ? 200 : 400, { "content-type": "application/x-amz-json-1.1" });
  response.end(
    JSON.stringify(answer.ok ? answer.body : { __type: answer.code, message: answer.message }),
  );
}

function sendXml(response: ServerResponse, answer: Answer, operation: string, space: string): void {
  response.writeHead(answer.ok ? 200 : 400, { "content-type": "text/xml" });
  if (!answer.ok) {
    const error = xml({ Type: "Sender", Code: answer.code, Message: answer.message });
    response.end(
      `<ErrorResponse xmlns="${space}"><Error>${error}</Error><RequestId>1</RequestId></ErrorResponse>`,
    );
    return;
  }
  const inner = xml(answer.body);
  const result = space === "" ? inner : `<${operation}Result>${inner}</${operation}Result>`;
  response.end(
    `<${operation}Response xmlns="${space}">${result}<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></${operation}Response>`,
  );
}

/** Members as elements; a list as its members, but EC2's, which call them items themselves. */
function xml(value: unknown): string {
  if (typeof value !== "object" || value === null) {
    return String(value as string | number).replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  }
  return Object.entries(value)
    .map(([name, inner]) => {
      if (!Array.isArray(inner)) return `<${name}>${xml(inner)}</${name}>`;
      if (name === "item") return inner.map((one) => `<item>${xml(one)}</item>`).join("");
      return `<${name}>${inner.map((one) => `<member>${xml(one)}</member>`).join("")}</${name}>`;
    })
    .join("");
}
