import { ECS_ID, type InstanceId, type TaskId } from "../ecs/arn.ts";

/**
 * The version of the format. A later format gets another word, and this one is read for as long as agents wrote it.
 */
const FORMAT = "ecs-discovery-1";

const SET_IDENTIFIER = new RegExp(`^${FORMAT}/(${ECS_ID})/(${ECS_ID})(?:/([0-9a-f]{12}))?$`);

/** What a set identifier of ours says. `container` only where the address belongs to the container, not its task. */
export interface Ownership {
  readonly instance: InstanceId;
  readonly task: TaskId;
  readonly container?: string;
}

/**
 * Ownership as text: `<format>/<container instance>/<task>[/<short container id>]`.
 * At most 102 characters; Route 53 takes 128 (API reference, ResourceRecordSet.SetIdentifier).
 */
export const formatSetIdentifier = ({ instance, task, container }: Ownership): string =>
  [FORMAT, instance, task, ...(container === undefined ? [] : [container])].join("/");

/** The exact inverse of `formatSetIdentifier`; undefined for any other text: what does not parse is not ours. */
export function parseSetIdentifier(text: string): Ownership | undefined {
  const [, instance, task, container] = SET_IDENTIFIER.exec(text) ?? [];
  if (instance === undefined || task === undefined) return undefined;
  return {
    instance: instance as InstanceId,
    task: task as TaskId,
    ...(container === undefined ? {} : { container }),
  };
}

/** True for ours, and for what another version of the agent, or somebody who imitates it, may have written. */
export const beginsAsOurs = (text: string): boolean => text.startsWith("ecs-discovery-");
