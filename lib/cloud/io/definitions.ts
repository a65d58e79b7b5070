import { ecsModel } from "../../ecs/io/model.ts";
import { quote } from "../../kit/quote.ts";
import { type JsonNode, type JsonObject, memberOf, plainOf, textOf } from "../json-node.ts";
import { serviceProblems, taskDefinitionProblems } from "../rules.ts";
import { type ServiceFile, serviceHash } from "../service.ts";
import { misfits, type Shape } from "../shape.ts";
import { type TaskDefinitionFile, taskDefinitionHash } from "../task-definition.ts";
import type { Problem } from "../variables.ts";
import { parseJsonc } from "./jsonc.ts";

type Read<T> =
  | { readonly value: T; readonly notes: readonly string[] }
  | { readonly problems: readonly Problem[] };

const AUTOCREATE = "AUTOCREATE.SERVICE";

/** A `.taskdef` file: what ECS's RegisterTaskDefinition takes, as JSON with comments. */
export function readTaskDefinition(
  source: { readonly name: string; readonly file: string; readonly text: string },
  taskPrefix: string,
): Read<TaskDefinitionFile> {
  const { name, file, text } = source;
  const family = `${taskPrefix}${name}`;
  const read = readObject(
    file,
    text,
    ecsModel().taskDefinition,
    ["family"],
    taskDefinitionProblems,
  );
  if ("problems" in read) return read;
  const { family: written, ...content } = plainOf(read.node) as JsonObject;
  return {
    value: {
      ...{ name, file, family, content },
      hash: taskDefinitionHash(content),
      makesService: text.includes(AUTOCREATE),
    },
    notes:
      written === undefined || written === "" || written === family || written === name
        ? []
        : [
            `${file}: the family is ${family}, as the file is called; ${quote(textIn(written))} in it is not used`,
          ],
  };
}

/**
 * A `.service` file: what ECS's CreateService takes, as JSON with comments. It runs the task definition that it names, or
 * the one of its own name. `families` are those of the folder, by the names of their files.
 */
export function readService(
  source: { readonly name: string; readonly file: string; readonly text: string },
  {
    cluster,
    families,
  }: { readonly cluster: string; readonly families: ReadonlyMap<string, string> },
): Read<ServiceFile> {
  const { name, file, text } = source;
  const read = readObject(file, text, ecsModel().service, ["serviceName"], serviceProblems);
  if ("problems" in read) return read;
  const {
    serviceName,
    cluster: written,
    taskDefinition: _,
    ...content
  } = plainOf(read.node) as JsonObject;
  const named = textOf(memberOf(read.node, "taskDefinition"));
  const own = named === undefined ? families.get(name) : families.get(named);
  const taskDefinition = [...families.values()].includes(named ?? "") ? named : (own ?? named);
  if (taskDefinition === undefined) {
    return {
      problems: [
        {
          ...{ file, line: read.node.line },
          text: `taskDefinition is missing, and there is no ${name}.taskdef that it could run`,
        },
      ],
    };
  }
  const notes = [
    ...(named === undefined || named === taskDefinition
      ? []
      : [`${file}: ${quote(named)} is taken for this folder's ${taskDefinition}`]),
    ...(serviceName === undefined || serviceName === "" || serviceName === name
      ? []
      : [`${file}: the service is ${name}, as the file is called; serviceName in it is not used`]),
    ...(written === undefined || written === "" || written === cluster
      ? []
      : [`${file}: the cluster is ${cluster}; ${quote(textIn(written))} in it is not used`]),
  ];
  return {
    value: {
      ...{ name, file, content, taskDefinition, auto: false },
      hash: serviceHash(content, taskDefinition),
    },
    notes,
  };
}

/** The service of one that AUTOCREATE.SERVICE in a `.taskdef` file asks for. */
export const autoService = ({ name, file, family }: TaskDefinitionFile): ServiceFile => ({
  ...{ name, file, content: {}, taskDefinition: family, auto: true },
  hash: serviceHash({}, family),
});

function readObject(
  file: string,
  text: string,
  shape: Shape,
  /** Required by the API, and given by us. */
  given: readonly string[],
  rules: (node: JsonNode) => readonly { readonly line: number; readonly text: string }[],
): { readonly node: JsonNode } | { readonly problems: readonly Problem[] } {
  const parsed = parseJsonc(file, text);
  if ("problems" in parsed) return parsed;
  const { node } = parsed;
  const asked =
    shape.kind === "members"
      ? { ...shape, required: shape.required.filter((one) => !given.includes(one)) }
      : shape;
  const problems = [...misfits(node, asked), ...rules(node)]
    .toSorted((a, b) => a.line - b.line)
    .map((one) => ({ file, ...one }));
  return problems.length > 0 ? { problems } : { node };
}

const textIn = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);
