import { nearest } from "../kit/nearest.ts";
import type { Difference } from "./content.ts";
import type { Param } from "./params.ts";
import { isOwn, type Ownership, type Tags } from "./tags.ts";
import type { Problem } from "./variables.ts";

/** A template, read as far as a plan needs it. */
export interface Template {
  readonly text: string;
  readonly parameters: ReadonlyMap<
    string,
    { readonly type: string; readonly byDefault?: string; readonly hidden: boolean }
  >;
  /** By name, the resource that it is the reference of, where it is one. */
  readonly outputs: ReadonlyMap<string, string>;
  /** Type by logical id. */
  readonly resources: ReadonlyMap<string, string>;
  /** Logical ids of what stays when the stack goes. */
  readonly retained: ReadonlySet<string>;
  readonly exports: boolean;
  readonly imports: boolean;
}

export interface StackFile {
  /** Of the file, without its ending. */
  readonly base: string;
  /** The stack's. */
  readonly name: string;
  readonly file: string;
  readonly template: Template;
}

/** A stack as CloudFormation tells of it. */
export interface LiveStack {
  readonly name: string;
  readonly id: string;
  readonly status: string;
  readonly reason?: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly outputs: ReadonlyMap<string, string>;
  readonly tags: Tags;
}

export interface ResourceChange {
  readonly action: "Add" | "Modify" | "Remove" | "Import" | "Dynamic";
  readonly id: string;
  readonly type: string;
  /** Whether a modified one is replaced. */
  readonly replacement?: "True" | "False" | "Conditional";
  /** Which properties change. */
  readonly properties: readonly string[];
}

/** The stack can be changed now; it is busy; it is not there; or only a person can help it. */
export type StackState =
  | { readonly kind: "absent" }
  | { readonly kind: "ready" }
  | { readonly kind: "busy" }
  | { readonly kind: "stuck"; readonly what: string };

/** What may be done to a stack of this status (CloudFormation User Guide, "Stack status codes"). */
export function stateOf(stack: LiveStack | undefined): StackState {
  if (stack === undefined || stack.status === "REVIEW_IN_PROGRESS") return { kind: "absent" };
  const { name, status } = stack;
  if (status === "DELETE_COMPLETE") return { kind: "absent" };
  if (status.endsWith("_IN_PROGRESS")) return { kind: "busy" };
  if (/^(CREATE|UPDATE|IMPORT|UPDATE_ROLLBACK|IMPORT_ROLLBACK)_COMPLETE$/.test(status)) {
    return { kind: "ready" };
  }
  const why = stack.reason === undefined ? "" : ` (${stack.reason})`;
  if (/^(ROLLBACK_COMPLETE|ROLLBACK_FAILED|CREATE_FAILED)$/.test(status)) {
    return {
      kind: "stuck",
      what: `stack ${name} is ${status}${why}: its creation failed, and it can only be deleted: \`cluster destroy --confirm\`, then apply again`,
    };
  }
  if (status === "DELETE_FAILED") {
    return {
      kind: "stuck",
      what: `stack ${name} is DELETE_FAILED${why}: remove what is in the way, then \`cluster destroy --confirm\` again`,
    };
  }
  return {
    kind: "stuck",
    what: `stack ${name} is ${status}${why}: \`aws cloudformation continue-update-rollback --stack-name ${name}\` first`,
  };
}

/** In the order in which they can be made: what takes another's output, or imports, comes after. */
export function inOrder(stacks: readonly StackFile[]): readonly StackFile[] {
  const needs = (one: StackFile, other: StackFile) =>
    [...one.template.parameters.keys()].some((name) => other.template.outputs.has(name)) ||
    (one.template.imports && other.template.exports && !other.template.imports);
  const ordered: StackFile[] = [];
  const visit = (stack: StackFile, trail: readonly StackFile[]): void => {
    if (ordered.includes(stack) || trail.includes(stack)) return;
    for (const other of stacks)
      if (other !== stack && needs(stack, other)) visit(other, [...trail, stack]);
    ordered.push(stack);
  };
  for (const stack of stacks.toSorted((a, b) => (a.base < b.base ? -1 : 1))) visit(stack, []);
  return ordered;
}

export interface ParameterSources {
  /** From `<base>.params`, by base. */
  readonly files: ReadonlyMap<string, ReadonlyMap<string, Param>>;
  /** The names that the makefile gave to every stack. */
  readonly given: Readonly<Record<string, string>>;
}

/** The file that every stack of the folder may take from. */
export const SHARED_PARAMS = "ecs-cluster";

/** Keys that no template which reads the file declares, each with its line. */
export function unknownKeys(
  stacks: readonly StackFile[],
  { files }: ParameterSources,
): readonly Problem[] {
  return [...files].flatMap(([base, params]) => {
    const readers = stacks.filter((stack) => base === SHARED_PARAMS || stack.base === base);
    const known = new Set(readers.flatMap(({ template }) => [...template.parameters.keys()]));
    if (readers.length === 0) return [];
    return [...params].flatMap(([key, { file, line }]) => {
      if (known.has(key)) return [];
      const near = nearest(key, [...known]);
      const hint =
        near === undefined
          ? `expected some of ${[...known].toSorted().join(", ")}`
          : `did you mean ${near}?`;
      return [{ file, line, text: `no template has a parameter ${key}, ${hint}` }];
    });
  });
}

/**
 * The values of a stack's parameters: of its own file, of the shared file, an output of a stack before it, or what
 * every stack is given; the rest has its default. `later` are those that an output of a stack not yet made will give.
 */
export function parametersOf(
  stack: StackFile,
  { files, given }: ParameterSources,
  before: readonly { readonly file: StackFile; readonly live: LiveStack | undefined }[],
  live?: LiveStack,
): {
  readonly values: ReadonlyMap<string, string>;
  readonly later: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
} {
  const values = new Map<string, string>();
  const later = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [key, { byDefault }] of stack.template.parameters) {
    const param = files.get(stack.base)?.get(key) ?? files.get(SHARED_PARAMS)?.get(key);
    const source = before.find(({ file }) => file.template.outputs.has(key));
    const output = source?.live?.outputs.get(key);
    // What an earlier stack does not tell now stays as it told it before.
    const earlier = source?.live === undefined ? undefined : live?.parameters.get(key);
    const value = param?.value ?? output ?? given[key] ?? earlier;
    if (value !== undefined) values.set(key, value);
    // A stack that is there and does not tell its output leaves the default, where there is one.
    else if (source !== undefined && (source.live === undefined || byDefault === undefined)) {
      later.set(key, source.file.name);
    } else if (byDefault === undefined) {
      problems.push({
        file: stack.file,
        text: `parameter ${key} has no value and no default: write ${key}=… into ${stack.base}.params`,
      });
    }
  }
  return { values, later, problems };
}

/** How a stack's parameters differ from what they should be. Hidden ones can't be compared. */
export function parameterDifferences(
  { template }: StackFile,
  live: LiveStack,
  values: ReadonlyMap<string, string>,
): readonly Difference[] {
  return [...template.parameters].flatMap(([path, { type, byDefault, hidden }]) => {
    const after = values.get(path) ?? byDefault;
    const before = live.parameters.get(path);
    // Its name is what CloudFormation tells; emulators tell what SSM answered, which says nothing about the name.
    const isAnswer = type.startsWith("AWS::SSM::Parameter::Value") && /^ami-/.test(before ?? "");
    return hidden || isAnswer || before === after ? [] : [{ path, before, after }];
  });
}

/** The same template: line ends and those at the very end are no content. */
export const sameTemplate = (a: string, b: string): boolean =>
  a.replaceAll("\r\n", "\n").trimEnd() === b.replaceAll("\r\n", "\n").trimEnd();

export type StackStep = {
  readonly name: string;
  readonly file?: StackFile;
  readonly live?: LiveStack;
} & (
  | {
      readonly action: "create" | "update";
      readonly changes: readonly ResourceChange[];
      readonly parameters: readonly Difference[];
      /** Parameters whose value an earlier stack will give, and which. */
      readonly later: ReadonlyMap<string, string>;
      readonly values: ReadonlyMap<string, string>;
    }
  | { readonly action: "keep" }
  | { readonly action: "busy" }
  | { readonly action: "refuse"; readonly why: string }
);

/** Why an own stack may not be touched; undefined when it may. */
export function refusalOf(
  live: LiveStack | undefined,
  { owner, adopt }: { readonly owner: Ownership; readonly adopt: boolean },
): string | undefined {
  const state = stateOf(live);
  if (live !== undefined && state.kind !== "absent" && !adopt && !isOwn(live.tags, owner)) {
    return `stack ${live.name} is there and not of this folder and prefix: choose another --prefix, or take it over with --adopt`;
  }
  return state.kind === "stuck" ? state.what : undefined;
}

/** Where the data is: these are neither replaced nor removed without being told to. */
const KEEPERS = ["AWS::EFS::FileSystem"];

/** What an update would do to data, as a sentence; undefined when it does nothing to it. */
export function dataLoss(name: string, changes: readonly ResourceChange[]): string | undefined {
  const lost = changes.find(
    ({ type, action, replacement }) =>
      KEEPERS.includes(type) && (action === "Remove" || replacement === "True"),
  );
  return lost === undefined
    ? undefined
    : `stack ${name} would ${lost.action === "Remove" ? "remove" : "replace"} ${lost.id}, and /cluster would be empty: allow it with --deleteData`;
}

/** Whether a stack may be deleted when a folder is destroyed, as far as the data in it goes. */
export function deletionOf(
  { name, template }: StackFile,
  { deleteData }: { readonly deleteData: boolean },
):
  | { readonly kind: "delete"; readonly note?: string }
  | { readonly kind: "keep"; readonly why: string }
  | { readonly kind: "refuse"; readonly why: string } {
  const data = [...template.resources].filter(([, type]) => KEEPERS.includes(type));
  if (deleteData || data.length === 0) return { kind: "delete" };
  const [[id] = [""]] = data;
  if (![...template.resources.values()].includes("AWS::ECS::Cluster")) {
    return { kind: "keep", why: `it holds the data (${id}), which --deleteData would delete` };
  }
  const lost = data.find(([one]) => !template.retained.has(one));
  return lost === undefined
    ? { kind: "delete", note: `${id} stays with its data` }
    : {
        kind: "refuse",
        why: `stack ${name} holds ${lost[0]} without DeletionPolicy: Retain, so that its data would go: allow it with --deleteData`,
      };
}

/** Outputs that the stack does not tell, and whose value is its resource's own id: by name, the resource. */
export const untoldOutputs = (
  { template }: StackFile,
  live: LiveStack,
): readonly (readonly [output: string, resource: string])[] =>
  [...template.outputs].filter(
    ([name, resource]) => !live.outputs.has(name) && template.resources.has(resource),
  );
