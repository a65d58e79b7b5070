import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { autoService, readService, readTaskDefinition } from "../../lib/cloud/io/definitions.ts";
import { readTemplate } from "../../lib/cloud/io/template.ts";
import { type Param, parseParams } from "../../lib/cloud/params.ts";
import type { ServiceFile } from "../../lib/cloud/service.ts";
import { inOrder, SHARED_PARAMS, type StackFile } from "../../lib/cloud/stack.ts";
import type { TaskDefinitionFile } from "../../lib/cloud/task-definition.ts";
import {
  type Names,
  namesOf,
  type Problem,
  parseLocalMake,
  substitute,
  type Variables,
} from "../../lib/cloud/variables.ts";
import { causes } from "../../lib/kit/failure.ts";
import { quote } from "../../lib/kit/quote.ts";

/** A folder, read: what it asks for. */
export interface Folder {
  readonly path: string;
  readonly names: Names;
  readonly profile: string | undefined;
  readonly confirm: string | undefined;
  readonly user: string;
  /** The folder's own templates, in the order in which they can be made. */
  readonly stacks: readonly StackFile[];
  readonly params: ReadonlyMap<string, ReadonlyMap<string, Param>>;
  readonly taskDefinitions: readonly TaskDefinitionFile[];
  readonly services: readonly ServiceFile[];
  /** What is worth knowing and no problem. */
  readonly notes: readonly string[];
}

const MAX_FILE = 1_048_576;
/** A template that is sent along with a request (CloudFormation, quotas). */
const MAX_TEMPLATE = 51_200;
const KINDS = ["taskdef", "service", "cf", "params"] as const;
type Kind = (typeof KINDS)[number];

interface Source {
  readonly name: string;
  readonly kind: Kind;
  readonly file: string;
  readonly text: string;
}

/**
 * Reads all files of a folder that mean something here. Comes back with every problem of every file, each with its line,
 * rather than with half of what the folder asks for.
 */
export async function readFolder(
  path: string,
  {
    given,
    user,
    base,
  }: {
    /** From flags, words and the environment: they win over the folder's own local.mk. */
    readonly given: Variables;
    readonly user: string;
    /** What the folder is called. */
    readonly base: string;
  },
): Promise<Folder | { readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  const notes: string[] = [];
  const files = await filesOf(path, problems);

  const makeText = files.get("local.mk");
  const local = parseLocalMake("local.mk", makeText ?? "", { ...given, USER: user, PROJECT: base });
  problems.push(...local.problems);
  const variables = { ...local.variables, ...given };
  const { names, problems: wrong } = namesOf(variables, { folder: base, user });
  problems.push(...wrong.map((text) => ({ file: path, text })));

  const sources = sourcesOf(files, names, { problems, notes });
  const of = (kind: Kind) => sources.filter((one) => one.kind === kind);
  const taskDefinitions = of("taskdef").flatMap((source) =>
    taken(readTaskDefinition(source, names.taskPrefix), { problems, notes }),
  );
  const families = new Map(
    of("taskdef").map(({ name }) => [name, `${names.taskPrefix}${name}`] as const),
  );
  const written = of("service").flatMap((source) =>
    taken(readService(source, { cluster: names.cluster, families }), { problems, notes }),
  );
  const named = new Set(of("service").map(({ name }) => name));
  const auto = taskDefinitions
    .filter(({ makesService, name }) => makesService && !named.has(name))
    .map(autoService);
  const params = new Map(
    of("params").map(({ name, file, text }) => {
      const read = parseParams(file, text);
      problems.push(...read.problems);
      return [name, read.params] as const;
    }),
  );
  const stacks = of("cf").flatMap(({ name, file, text }) =>
    stackFile({ base: name, file, text, prefix: names.prefix }, problems),
  );
  if (problems.length > 0) return { problems };
  return {
    ...{ path, names, user, params, taskDefinitions, notes },
    profile: variables.PROFILE || undefined,
    confirm: variables.CONFIRM || undefined,
    stacks: inOrder(stacks),
    services: [...written, ...auto].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** A template as a stack of this prefix; its problems are added to the others. */
function stackFile(
  {
    base,
    file,
    text,
    prefix,
  }: {
    readonly base: string;
    readonly file: string;
    readonly text: string;
    readonly prefix: string;
  },
  problems: Problem[],
): readonly StackFile[] {
  const read = readTemplate(file, text);
  if ("problems" in read) {
    problems.push(...read.problems);
    return [];
  }
  const size = Buffer.byteLength(text);
  if (size > MAX_TEMPLATE) {
    problems.push({
      file,
      text: `expected at most ${MAX_TEMPLATE} bytes of template, got ${size}`,
    });
    return [];
  }
  return [{ base, name: `${prefix}-${base}`, file, template: read.template }];
}

const taken = <T>(
  read:
    | { readonly value: T; readonly notes: readonly string[] }
    | { readonly problems: readonly Problem[] },
  { problems, notes }: { readonly problems: Problem[]; readonly notes: string[] },
): readonly T[] => {
  if ("problems" in read) {
    problems.push(...read.problems);
    return [];
  }
  notes.push(...read.notes);
  return [read.value];
};

/** Name to text, of the files that lie directly in the folder and mean something. */
async function filesOf(path: string, problems: Problem[]): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  let entries: readonly string[];
  try {
    entries = await readdir(path);
  } catch (error) {
    problems.push({ file: path, text: `expected a folder that can be read: ${causes(error)}` });
    return texts;
  }
  for (const file of entries.toSorted()) {
    if (file !== "local.mk" && kindOf(file) === undefined) continue;
    try {
      const full = join(path, file);
      const { size } = await stat(full);
      if (size > MAX_FILE) throw new Error(`expected at most ${MAX_FILE} bytes, got ${size}`);
      texts.set(file, new TextDecoder("utf-8", { fatal: true }).decode(await readFile(full)));
    } catch (error) {
      problems.push({ file, text: `expected a text file that can be read: ${causes(error)}` });
    }
  }
  return texts;
}

const ENDING = new RegExp(`^(.+)\\.(${KINDS.join("|")})(\\.template)?$`);

function kindOf(file: string) {
  const [, name, kind, template] = file.startsWith(".") ? [] : (ENDING.exec(file) ?? []);
  return name === undefined
    ? undefined
    : { name, kind: kind as Kind, isTemplate: template !== undefined };
}

function sourcesOf(
  files: ReadonlyMap<string, string>,
  { substitutes }: Names,
  { problems, notes }: { readonly problems: Problem[]; readonly notes: string[] },
): readonly Source[] {
  const sources: Source[] = [];
  for (const [file, text] of files) {
    const found = kindOf(file);
    if (found === undefined) continue;
    const { name, kind, isTemplate } = found;
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(name)) {
      problems.push({
        file,
        text: `expected a name of at most 100 letters, digits, hyphens and underscores, got ${quote(name)}`,
      });
      continue;
    }
    if (!isTemplate && files.has(`${file}.template`)) {
      notes.push(`${file} is not read: ${file}.template makes it`);
      continue;
    }
    if (isTemplate && substitutes.REGISTRY_BASE === "" && /\$\{?REGISTRY_BASE\b/.test(text)) {
      problems.push({ file, text: "it needs REGISTRY_BASE: set it, or write it into local.mk" });
    }
    sources.push({ name, kind, file, text: isTemplate ? substitute(text, substitutes) : text });
  }
  return sources;
}

/** True where the folder has values for every stack. */
export const hasSharedParams = ({ params }: Folder): boolean => params.has(SHARED_PARAMS);
