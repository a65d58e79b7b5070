import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { isObject, serviceDefinitionOf, taskDefinitionOf } from "../../lib/ecs/definition.ts";
import { serviceShape, taskDefinitionShape } from "../../lib/ecs/definition-shape.ts";
import { documentsIn } from "../../lib/ecs/io/definition-text.ts";
import { causes } from "../../lib/kit/failure.ts";
import { ecsDeploymentOf } from "../../lib/kubernetes/ecs-deployment.ts";
import { manifestText } from "../../lib/kubernetes/io/manifest-text.ts";
import { type Definition, manifestsOf } from "../../lib/kubernetes/manifests.ts";
import { DOMAIN, type MappingOptions } from "../../lib/kubernetes/mapping/context.ts";
import type { Manifest } from "../../lib/kubernetes/mapping/fields.ts";
import type { Refusal } from "../../lib/kubernetes/mapping/report.ts";
import { type Sourced, type Unit, unitsOf } from "../../lib/kubernetes/units.ts";
import { escapeText } from "../process/escape.ts";
import type { Answer } from "../process/supervise.ts";
import { version } from "../process/version.ts";
import type { ConvertConfig } from "./config.ts";
import { fallbackName, fromCluster, fromFiles } from "./sources.ts";

/** Prints the manifests of the definitions on standard output, and what they do not say on standard error. */
export async function convert(config: ConvertConfig): Promise<Answer> {
  const { words, cluster, service, output, strict } = config;
  const problem = usageProblem(config);
  if (problem !== undefined) return tell([problem], "nothing was converted");
  const names = await namesOf(config.secretMap);
  if ("problem" in names) return tell([names.problem], "nothing was converted");
  const { definitions, problems } =
    cluster === undefined
      ? await fromFiles(words, config.parameters ?? new Map())
      : await fromCluster(cluster, service?.split(",") ?? []);

  const options: MappingOptions = {
    serviceType: config.serviceType,
    hostPorts: config.hostPorts,
    names: names.names,
  };
  const converted = convertAll(unitsOf(definitions), config.namespace, options);
  if (converted.objects.length > 0) {
    await written(process.stdout, manifestText(converted.objects, output));
  }
  await written(
    process.stderr,
    [...problems, ...converted.lines].map((line) => `${escapeText(line)}\n`).join(""),
  );
  const refused = problems.length + converted.refused;
  if (refused > 0) return { code: 1, why: "a definition was refused" };
  if (strict && converted.unmapped > 0) return { code: 3, why: "something is not mapped" };
  return { code: 0, why: "converted" };
}

function usageProblem({ words, cluster, service }: ConvertConfig): string | undefined {
  if (cluster === undefined && service !== undefined) {
    return "--service: expected --cluster beside it";
  }
  if (cluster !== undefined && words.length > 0) {
    return "--cluster: expected no files beside it, got some";
  }
  if (cluster === undefined && words.length === 0) {
    return "expected files, - for standard input, or --cluster; see --help";
  }
  return undefined;
}

async function tell(lines: readonly string[], why: string): Promise<Answer> {
  await written(process.stderr, lines.map((line) => `${escapeText(line)}\n`).join(""));
  return { code: 2, why };
}

interface Converted {
  readonly objects: readonly Manifest[];
  readonly lines: readonly string[];
  readonly refused: number;
  readonly unmapped: number;
}

/** Every application by itself: one that is refused holds up no other. */
function convertAll(
  units: readonly Unit[],
  namespace: string | undefined,
  options: MappingOptions,
): Converted {
  const objects: Manifest[] = [];
  const lines: string[] = [];
  const owners = new Map<string, string>();
  let refused = 0;
  let unmapped = 0;
  for (const unit of units) {
    const { definition, own, refusals: early, place } = definitionOf(unit, namespace);
    const mapped = manifestsOf(definition, { ...options, ...own });
    for (const { kind, member, why, todo } of mapped.findings) {
      if (kind === "unmapped") unmapped += 1;
      const word = kind === "unmapped" ? "not mapped" : "note";
      lines.push(`${place(member)}: ${word}: ${why}; ${todo}`);
    }
    const refusals = [...early, ...(mapped.kind === "refused" ? mapped.refusals : [])];
    if (mapped.kind === "manifests" && refusals.length === 0) {
      refusals.push(...taken(mapped.objects, owners, unit.from.source));
    }
    for (const { member, problem } of refusals) {
      lines.push(`${place(member)}: refused: ${problem}`);
    }
    if (mapped.kind === "refused" || refusals.length > 0) refused += 1;
    else objects.push(...mapped.objects);
  }
  return { objects, lines, refused, unmapped };
}

/** Two applications of one name would overwrite each other. */
function taken(
  objects: readonly Manifest[],
  owners: Map<string, string>,
  source: string,
): readonly Refusal[] {
  const keys = objects.map(
    ({ kind, metadata: { namespace = "", name } }) => `${kind} ${namespace}/${name}`,
  );
  const clash = keys.find((key) => owners.has(key));
  if (clash !== undefined) {
    const problem = `expected a name of its own, got one that ${owners.get(clash)} has as well: ${clash}`;
    return [{ member: "family", problem }];
  }
  for (const key of keys) owners.set(key, source);
  return [];
}

interface UnitDefinition {
  readonly definition: Definition;
  readonly own: Partial<MappingOptions>;
  readonly refusals: readonly Refusal[];
  /** The file, the place in it, and the member. */
  readonly place: (member: string) => string;
}

function definitionOf(unit: Unit, namespace: string | undefined): UnitDefinition {
  const sources = new Set([
    ...("of" in unit && unit.of ? [unit.of.from.source] : []),
    unit.from.source,
  ]);
  const annotations = {
    [`${DOMAIN}/made-by`]: `ecs-discovery-agent ${version()} convert`,
    [`${DOMAIN}/source`]: [...sources].map((source) => basename(source)).join(" "),
  };
  const common = {
    annotations,
    ...(namespace !== undefined && { namespace }),
    fallbackName: fallbackName(unit.from),
  };
  if (unit.kind === "deployment") return ofDeployment(unit.from, common);
  const task = unit.kind === "task" ? unit : unit.of;
  const service = unit.kind === "service" ? unit : undefined;
  return {
    definition: {
      ...common,
      ...(task !== undefined && { task: task.task }),
      ...(service !== undefined && { service: service.service }),
    },
    own: {},
    refusals: [],
    place: (member) => {
      const from = isOfService(member, service !== undefined) ? service?.from : task?.from;
      return placeIn(from ?? unit.from, member.replace(/^service\./, ""));
    },
  };
}

/** Of what both have, the task definition's is meant unless it is said. */
function isOfService(member: string, hasService: boolean): boolean {
  const [root = ""] = member.split(/[.[]/);
  if (root === "service") return true;
  if (root === "serviceName") return true;
  return (
    hasService &&
    !Object.hasOwn(taskDefinitionShape.members, root) &&
    Object.hasOwn(serviceShape.members, root)
  );
}

const placeIn = ({ source, at }: Sourced, member: string): string =>
  [source, at, member].filter((part) => part !== "").join(": ");

function ofDeployment(
  from: Sourced,
  common: Pick<Definition, "annotations" | "namespace" | "fallbackName">,
): UnitDefinition {
  const { name, namespace, labels, task, service, options, refusals, ...rest } = ecsDeploymentOf(
    from.value,
  );
  const inCluster = (["taskDefinitionFrom", "serviceFrom"] as const).filter(
    (member) => rest[member] !== undefined,
  );
  return {
    definition: {
      ...common,
      ...(namespace !== undefined && common.namespace === undefined && { namespace }),
      name,
      labels,
      task: taskDefinitionOf(task ?? {}),
      ...(service !== undefined && { service: serviceDefinitionOf(service) }),
    },
    own: options,
    refusals: [
      ...refusals,
      ...inCluster.map((member) => ({
        member: `spec.${member}`,
        problem: "a ConfigMap is read by the controller only; put the definition into spec.Task",
      })),
    ],
    place: (member) => placeIn(from, member),
  };
}

/** The names that a user gives to what ECS finds in AWS. */
async function namesOf(
  given: ConvertConfig["secretMap"],
): Promise<{ readonly names: ReadonlyMap<string, string> } | { readonly problem: string }> {
  if (given === undefined) return { names: new Map() };
  if (typeof given !== "string") return { names: given };
  const expected = `--secretMap: expected a JSON or YAML object of texts in ${given}`;
  try {
    const { documents, problems } = documentsIn(await readFile(given, "utf8"));
    const [map] = documents;
    if (problems.length > 0) return { problem: `${expected}: ${problems.join("; ")}` };
    if (!isObject(map) || !Object.values(map).every((one) => typeof one === "string")) {
      return { problem: `${expected}, such as {"/prod/db": "db/password"}` };
    }
    return { names: new Map(Object.entries(map as Readonly<Record<string, string>>)) };
  } catch (error) {
    return { problem: `${expected}: ${causes(error)}` };
  }
}

/** Writes to the end; a reader that has gone (`| head`) wants no more of it. */
function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const done = (error?: Error | null) => {
    if (error && (error as NodeJS.ErrnoException).code !== "EPIPE") reject(error);
    else resolve();
  };
  stream.once("error", done);
  stream.write(text, done);
  return promise;
}
