import { expect, test } from "@jest/globals";
import { awsFailure } from "../../../lib/aws/io/failure.ts";
import { causes, Fatal, Unavailable } from "../../../lib/kit/failure.ts";

/** As the SDK throws what AWS answers. */
const answer = (name: string, message: string, status: number) =>
  Object.assign(new Error(message), {
    name,
    $fault: "client",
    $metadata: { httpStatusCode: status, attempts: 1, requestId: "r" },
    $response: {
      statusCode: status,
      headers: { "content-type": "application/x-amz-json-1.1" },
      body: "",
    },
  });
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

test("a missing permission is named, whatever else AWS says", () => {
  const told = failure(answer("AccessDeniedException", "User is not authorized", 400));
  expect(causes(told)).toMatch(/ECS (?:denied|did not take) CreateService of web/);
});
