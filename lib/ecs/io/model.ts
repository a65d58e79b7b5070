import {
  CreateServiceRequest$,
  RegisterTaskDefinitionRequest$,
  UpdateServiceRequest$,
} from "@aws-sdk/client-ecs";
import { NormalizedSchema } from "@smithy/core/schema";

/** What an API takes, as its client knows it; members are worked out when asked for, because shapes may nest. */
export type ApiShape =
  | { readonly kind: "text" | "number" | "truth" | "anything" }
  | { readonly kind: "list" | "map"; readonly of: () => ApiShape }
  | {
      readonly kind: "members";
      readonly members: ReadonlyMap<string, () => ApiShape>;
      readonly required: readonly string[];
    };

type Members = Extract<ApiShape, { kind: "members" }>;
type Ref = Parameters<typeof NormalizedSchema.of>[0];

/** What ECS takes of a `.taskdef` or `.service` file: the SDK's own model of its API, in the SDK's version. */
export const ecsModel = () => {
  const [create, update] = [members(CreateServiceRequest$), members(UpdateServiceRequest$)];
  return {
    taskDefinition: members(RegisterTaskDefinitionRequest$),
    service: create,
    /** Members that a service has from its creation and that no update can change. */
    createOnly: new Set([...create.members.keys()].filter((name) => !update.members.has(name))),
  };
};

function members(ref: Ref): Members {
  const shape = shapeOf(NormalizedSchema.of(ref));
  if (shape.kind !== "members") throw new Error("expected the SDK's model of a request");
  return shape;
}

function shapeOf(schema: NormalizedSchema): ApiShape {
  if (schema.isStructSchema()) {
    const entries = [...schema.structIterator()];
    // A structure's last entry says how many of its first members are required.
    const required = (schema.getSchema() as readonly unknown[])[6] ?? 0;
    return {
      kind: "members",
      members: new Map(entries.map(([name, member]) => [name, () => shapeOf(member)])),
      required: entries.slice(0, Number(required)).map(([name]) => name),
    };
  }
  if (schema.isListSchema()) return { kind: "list", of: () => shapeOf(schema.getValueSchema()) };
  if (schema.isMapSchema()) return { kind: "map", of: () => shapeOf(schema.getValueSchema()) };
  if (schema.isStringSchema()) return { kind: "text" };
  if (schema.isBooleanSchema()) return { kind: "truth" };
  if (schema.isNumericSchema()) return { kind: "number" };
  return { kind: "anything" };
}
