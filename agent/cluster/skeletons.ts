import { type ApiShape, ecsModel } from "../../lib/ecs/io/model.ts";

/** A shape may hold itself. */
const MAX_DEPTH = 8;

/**
 * Skeletons of what ECS takes, with every member there is: exactly what `aws ecs register-task-definition` and
 * `aws ecs create-service` write with `--generate-cli-skeleton`, from the SDK's model of the API.
 */
export function skeletons(): readonly { readonly file: string; readonly text: string }[] {
  const { taskDefinition, service } = ecsModel();
  const json = (shape: ApiShape) => `${JSON.stringify(emptyOf(shape, 0), undefined, 4)}\n`;
  return [
    { file: "taskdef.template", text: json(taskDefinition) },
    { file: "service.template", text: json(service) },
    {
      file: "ecs-cluster.params",
      text: "# Key=Value, a line each; everything behind the first equals sign belongs to the value.\nVpcId=\nSubnetA=\nSubnetB=\nSubnetC=\nKeyName=\n",
    },
  ];
}

function emptyOf(shape: ApiShape, depth: number): unknown {
  switch (shape.kind) {
    case "text":
    case "anything":
      return "";
    case "number":
      return 0;
    case "truth":
      return true;
    case "list":
      return depth > MAX_DEPTH ? [] : [emptyOf(shape.of(), depth + 1)];
    case "map":
      return depth > MAX_DEPTH ? {} : { KeyName: emptyOf(shape.of(), depth + 1) };
    case "members":
      if (depth > MAX_DEPTH) return {};
      return Object.fromEntries(
        [...shape.members].map(([name, of]) => [name, emptyOf(of(), depth + 1)]),
      );
  }
}
