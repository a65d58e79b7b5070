import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "@jest/globals";
import { findRegion } from "../../../lib/ecs/io/region.ts";
import { type MetadataStandIn, metadataStandIn } from "../../../lib/standins/metadata/server.ts";

const stack: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of stack.splice(0)) await close();
});

async function instance(values: Readonly<Record<string, string>>): Promise<MetadataStandIn> {
  const made = await metadataStandIn(values);
  stack.push(made.close);
  return made;
}

/** The task's metadata; gives the value of ECS_CONTAINER_METADATA_URI_V4. */
async function taskOf(body: string, status = 200): Promise<string> {
  const server: Server = createServer((message, response) => {
    const isTask = message.url === "/v4/0123/task";
    response.writeHead(isTask ? status : 404).end(isTask ? body : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v4/0123`;
}

const TASK = JSON.stringify({ TaskARN: "arn:aws:ecs:eu-north-1:123456789012:task/prod/0123" });
const nowhere = { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:9" };

it("is the environment's before anybody is asked", async () => {
  const { url, requests } = await instance({ "placement/region": "us-east-1" });
  const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: url };
  expect(await findRegion({ ...env, AWS_REGION: "eu-west-1", AWS_DEFAULT_REGION: "x" })).toBe(
    "eu-west-1",
  );
  expect(await findRegion({ ...env, AWS_REGION: "", AWS_DEFAULT_REGION: "eu-west-2" })).toBe(
    "eu-west-2",
  );
  expect(requests).toEqual([]);
});

it("is then the task's, by its ARN", async () => {
  const { url, requests } = await instance({ "placement/region": "us-east-1" });
  const env = {
    ECS_CONTAINER_METADATA_URI_V4: await taskOf(TASK),
    AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
  };
  expect(await findRegion(env)).toBe("eu-north-1");
  expect(requests).toEqual([]);
});

it.each([
  ["no JSON", "<html>", 200],
  ["no ARN", "{}", 200],
  ["an ARN of nowhere", '{"TaskARN":"arn:aws:ecs::1:task/a"}', 200],
  ["an error", TASK, 500],
])(
  "is the instance's, with a token of version 2, where the task's metadata is %s",
  async (_, body, status) => {
    const { url, requests } = await instance({ "placement/region": "ap-southeast-2" });
    const env = {
      ECS_CONTAINER_METADATA_URI_V4: await taskOf(body, status),
      AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
    };
    expect(await findRegion(env)).toBe("ap-southeast-2");
    expect(requests).toEqual(["PUT /latest/api/token", "GET /latest/meta-data/placement/region"]);
  },
);

it("is nobody's where nobody tells, or where what is told is no region", async () => {
  const strange = await instance({ "placement/region": "eu-west-1/../x" });
  const known = await instance({ "placement/region": "eu-west-1" });
  for (const env of [
    nowhere,
    { AWS_EC2_METADATA_SERVICE_ENDPOINT: strange.url },
    { AWS_EC2_METADATA_SERVICE_ENDPOINT: known.url, AWS_EC2_METADATA_DISABLED: "TRUE" },
  ]) {
    expect(await findRegion(env)).toBeUndefined();
  }
  expect(known.requests).toEqual([]);
});
