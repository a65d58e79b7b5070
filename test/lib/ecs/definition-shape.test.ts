import { CreateServiceRequest$, RegisterTaskDefinitionRequest$ } from "@aws-sdk/client-ecs";
import { expect, test } from "@jest/globals";
import {
  type Shape,
  serviceShape,
  taskDefinitionShape,
} from "../../../lib/ecs/definition-shape.ts";

/** Newer than the installed SDK's model (botocore 1.44.5). */
const NEWER = [
  "trustedExecutionConfiguration",
  "containerDefinitions[].resourceRequirements[].sharingStrategy",
];

/** Every member of a shape by its path. */
function pathsOf(shape: Shape, at = ""): string[] {
  if (typeof shape === "string") return [at];
  if ("list" in shape) return pathsOf(shape.list, `${at}[]`);
  return Object.entries(shape.members).flatMap(([name, member]) =>
    pathsOf(member, at === "" ? name : `${at}.${name}`),
  );
}

/** The same of the SDK's schema: [kind, namespace, name, traits, …], 1 a list, 2 a map, 3 a structure; a number a simple type. */
function sdkPaths(given: unknown, at = ""): string[] {
  let schema = typeof given === "function" ? (given as () => unknown)() : given;
  // A member with traits is [schema, traits].
  if (Array.isArray(schema) && schema.length === 2) [schema] = schema as unknown[];
  if (typeof schema === "function") schema = (schema as () => unknown)();
  if (typeof schema === "number") return [schema >= 64 && schema < 128 ? `${at}[]` : at];
  const parts = schema as readonly unknown[];
  if (parts[0] === 2) return [at];
  if (parts[0] === 1) return sdkPaths(parts[4], `${at}[]`);
  const names = parts[4] as readonly string[];
  const members = parts[5] as readonly unknown[];
  return names.flatMap((name, index) =>
    sdkPaths(members[index], at === "" ? name : `${at}.${name}`),
  );
}

test.each([
  ["RegisterTaskDefinition", taskDefinitionShape, RegisterTaskDefinitionRequest$],
  ["CreateService", serviceShape, CreateServiceRequest$],
] as const)("the members of %s are those of the ECS API", (_, shape, schema) => {
  const ours = pathsOf(shape).filter((path) => !NEWER.includes(path));
  expect(ours.toSorted()).toEqual(sdkPaths(schema).toSorted());
  expect(ours.length).toBeGreaterThan(80);
});
