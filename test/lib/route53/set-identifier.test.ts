import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { type InstanceId, ownerOf, type TaskId, taskIdOf } from "../../../lib/ecs/arn.ts";
import { formatSetIdentifier, parseSetIdentifier } from "../../../lib/route53/set-identifier.ts";

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const uuid = fc.tuple(hex(8), hex(4), hex(4), hex(4), hex(12)).map((parts) => parts.join("-"));
const ecsId = fc.oneof(hex(32), uuid);

const i = "0".repeat(31);
const t = "1".repeat(31);

describe("promise 2: ownership is in the set identifier", () => {
  it("reads back what it wrote, within 128 characters", () => {
    fc.assert(
      fc.property(
        ecsId,
        ecsId,
        fc.option(hex(12), { nil: undefined }),
        (instance, task, container) => {
          const ownership = {
            instance: instance as InstanceId,
            task: task as TaskId,
            ...(container !== undefined && { container }),
          };
          const text = formatSetIdentifier(ownership);
          expect(parseSetIdentifier(text)).toEqual(ownership);
          expect(text.length).toBeLessThanOrEqual(128);
        },
      ),
    );
  });

  it("reads only what it would write itself", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          ecsId.map((id) => `ecs-discovery-1/${id}/`),
        ),
        (text) => {
          const ownership = parseSetIdentifier(text);
          if (ownership !== undefined) expect(formatSetIdentifier(ownership)).toBe(text);
        },
      ),
    );
  });

  test.each([
    [""],
    ["web.example.internal"],
    ["ip-10-0-0-1:0123456789ab"],
    [`ecs-discovery-1/${i}0/${t}1 `],
    [`ecs-discovery-1/${i}0/${t}1\n`],
    [` ecs-discovery-1/${i}0/${t}1`],
    [`ecs-discovery-2/${i}0/${t}1`],
    [`ECS-DISCOVERY-1/${i}0/${t}1`],
    [`ecs-discovery-1/${i}0`],
    [`ecs-discovery-1/${i}0/`],
    [`ecs-discovery-1/${i}/${t}1`],
    [`ecs-discovery-1/${i}g/${t}1`],
    [`ecs-discovery-1/${i}A/${t}1`],
    [`ecs-discovery-1/${i}00/${t}1`],
    [`ecs-discovery-1/${i}0/${t}1/`],
    [`ecs-discovery-1/${i}0/${t}1/0123`],
    [`ecs-discovery-1/${i}0/${t}1/0123456789ab/x`],
  ])("%j is not ours", (text) => {
    expect(parseSetIdentifier(text)).toBeUndefined();
  });
});

describe("ARNs", () => {
  test.each([
    [
      "arn:aws:ecs:eu-west-1:123456789012:container-instance/prod/0123456789abcdef0123456789abcdef",
      "eu-west-1",
    ],
    [
      "arn:aws:ecs:eu-west-1:123456789012:container-instance/01234567-89ab-cdef-0123-456789abcdef",
      "eu-west-1",
    ],
    [
      "arn:aws-cn:ecs:cn-north-1:123456789012:container-instance/prod/0123456789abcdef0123456789abcdef",
      "cn-north-1",
    ],
    [
      "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:container-instance/a_b-C/0123456789abcdef0123456789abcdef",
      "us-gov-west-1",
    ],
  ])("%s is a container instance's", (arn, region) => {
    expect(ownerOf(arn)).toEqual({ region, instance: arn.split("/").at(-1) });
  });

  test.each([
    [""],
    ["arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef"],
    [
      "arn:aws:ecs:eu-west-1:123456789012:container-instance/prod/x/0123456789abcdef0123456789abcdef",
    ],
    ["arn:aws:ecs:eu-west-1:123456789012:container-instance/prod/0123456789ABCDEF0123456789ABCDEF"],
    [
      "arn:aws:ecs:eu-west-1:123456789012:container-instance/prod/0123456789abcdef0123456789abcdef\n",
    ],
  ])("%j is not", (arn) => {
    expect(ownerOf(arn)).toBeUndefined();
  });

  it("a task's id is the last part of its ARN, of a task's ARN only", () => {
    const id = "0123456789abcdef0123456789abcdef";
    expect(taskIdOf(`arn:aws:ecs:eu-west-1:123456789012:task/prod/${id}`)).toBe(id);
    expect(taskIdOf(`arn:aws:ecs:eu-west-1:123456789012:task/${id}`)).toBe(id);
    expect(
      taskIdOf(`arn:aws:ecs:eu-west-1:123456789012:container-instance/prod/${id}`),
    ).toBeUndefined();
    expect(taskIdOf(id)).toBeUndefined();
  });
});
