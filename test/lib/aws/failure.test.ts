import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { awsFailure } from "../../../lib/aws/io/failure.ts";
import { ecsDeploy } from "../../../lib/ecs/io/deploy.ts";
import { causes, Fatal, Unavailable } from "../../../lib/kit/failure.ts";
import { loopbackAws } from "../../support/loopback-aws.ts";

loopbackAws();

const failure = (error: unknown) =>
  awsFailure("ECS", "CreateService", error, { permission: "ecs:CreateService", on: "web" });

test.each([
  [
    "a region that is nowhere",
    new Error("Region is missing"),
    Fatal,
    "no region: set AWS_REGION, or a region in the profile",
  ],
  [
    "credentials that are nowhere",
    Object.assign(new Error("Could not load credentials"), { name: "CredentialsProviderError" }),
    Fatal,
    "no AWS credentials: set AWS_PROFILE or --profile",
  ],
  [
    "nobody who answers",
    Object.assign(new Error("connect ECONNREFUSED"), { name: "Error", code: "ECONNREFUSED" }),
    Unavailable,
    "ECS did not take CreateService of web",
  ],
] as const)("%s", (_, error, kind, text) => {
  const told = failure(error);
  expect(told).toBeInstanceOf(kind);
  expect(causes(told)).toContain(text);
});

test("a mistake of our own code stays one", () => {
  const mistake = new TypeError("x is not a function");
  expect(failure(mistake)).toBe(mistake);
});

test("a missing permission is named, with what AWS says", async () => {
  const server = createServer((_, response) => {
    response.writeHead(400, { "content-type": "application/x-amz-json-1.1" });
    response.end('{"__type":"AccessDeniedException","Message":"User x is not authorized"}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  process.env["AWS_ENDPOINT_URL_ECS"] =
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ecs = ecsDeploy({ region: "eu-west-1" });
  try {
    const told: unknown = await ecs.deregister("web:1").catch((error: unknown) => error);
    expect(told).toBeInstanceOf(Fatal);
    expect(causes(told)).toBe(
      "ECS denied DeregisterTaskDefinition of web:1: allow ecs:DeregisterTaskDefinition to whoever runs this: User x is not authorized",
    );
  } finally {
    ecs.close();
    delete process.env["AWS_ENDPOINT_URL_ECS"];
    server.closeAllConnections();
    server.close();
  }
});
