import { quote } from "../kit/quote.ts";

/** The variables of the original's makefile that still mean something. */
export const VARIABLE_NAMES = [
  "PROJECT",
  "PREFIX",
  "CLUSTER",
  "TASK_PREFIX",
  "IMAGE_PREFIX",
  "REGISTRY_BASE",
  "PROFILE",
  "CONFIRM",
] as const;
export type VariableName = (typeof VARIABLE_NAMES)[number];
export type Variables = Readonly<Partial<Record<VariableName, string>>>;

/** A sentence about a line of a file. */
export interface Problem {
  readonly file: string;
  readonly line?: number;
  readonly text: string;
}

const isVariable = (name: string): name is VariableName =>
  (VARIABLE_NAMES as readonly string[]).includes(name);

/** `NAME=value` words of a command line, as they stand behind `make`; undefined for a word that is none. */
export function variableOf(
  word: string,
): { readonly name: VariableName; readonly value: string } | undefined {
  const [, name = "", value = ""] = /^([A-Z_]+)=(.*)$/s.exec(word) ?? [];
  return isVariable(name) ? { name, value } : undefined;
}

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*(?:::?|\?|\+)?=\s*(.*)$/;

/**
 * The assignments of a `local.mk`: known variables only, the last one counts, `$(NAME)` and `${NAME}` are put in as
 * make does it. All else that a makefile may hold is left alone. A value that only make could work out is a problem.
 */
export function parseLocalMake(
  file: string,
  text: string,
  given: Readonly<Record<string, string | undefined>>,
): { readonly variables: Variables; readonly problems: readonly Problem[] } {
  const raw = new Map<string, { readonly value: string; readonly line: number }>();
  for (const [index, one] of linesOf(text).entries()) {
    if (one.startsWith("\t")) continue;
    // A number sign begins a comment unless a backslash stands before it (GNU make, "Makefile contents").
    const bare = one.replace(/(?<!\\)#.*$/, "").replaceAll("\\#", "#");
    const [, name, value = ""] = ASSIGNMENT.exec(bare) ?? [];
    if (name !== undefined) raw.set(name, { value: value.trimEnd(), line: index + 1 });
  }
  const problems: Problem[] = [];
  const expand = (value: string, trail: readonly string[]): string | undefined => {
    let strange = false;
    const expanded = value.replace(/\$(?:\(([^()]*)\)|\{([^{}]*)\}|.?)/g, (whole, a, b) => {
      if (whole === "$$") return "$";
      const name = String(a ?? b ?? "");
      const inner = trail.includes(name) ? undefined : (raw.get(name)?.value ?? given[name]);
      const text = inner === undefined ? undefined : expand(inner, [...trail, name]);
      if (text === undefined) strange = true;
      return text ?? "";
    });
    return strange ? undefined : expanded;
  };
  const variables: Partial<Record<VariableName, string>> = {};
  for (const [name, { value, line }] of raw) {
    if (!isVariable(name)) continue;
    const expanded = expand(value, [name]);
    if (expanded === undefined) {
      problems.push({
        file,
        line,
        text: `${name} is ${quote(value)}, which only make can work out: write its value instead`,
      });
    } else {
      variables[name] = expanded;
    }
  }
  return { variables, problems };
}

/** What everything of a folder is called. */
export interface Names {
  /** The folder, as the tags say it: PROJECT. */
  readonly project: string;
  readonly prefix: string;
  readonly cluster: string;
  /** True when CLUSTER was given: it need not be one that a stack of the folder makes. */
  readonly clusterGiven: boolean;
  readonly taskPrefix: string;
  /** What a `.template` file may ask for. */
  readonly substitutes: Readonly<Record<"TASK_PREFIX" | "IMAGE_PREFIX" | "REGISTRY_BASE", string>>;
}

/**
 * The names that follow from the variables, as in the original: PREFIX is `<folder>-<user>-sandbox`, CLUSTER
 * `<PREFIX>-cluster`, TASK_PREFIX `<PREFIX>-`. The problems say what a name may not be: a prefix is part of a stack's
 * name (CloudFormation, CreateStack: a letter, then letters, digits, hyphens, at most 128 in all), a family has letters,
 * digits, hyphens and underscores (ECS, RegisterTaskDefinition).
 */
export function namesOf(
  variables: Variables,
  { folder, user }: { readonly folder: string; readonly user: string },
): { readonly names: Names; readonly problems: readonly string[] } {
  const project = variables.PROJECT || folder;
  const prefix = variables.PREFIX || `${project}-${user}-sandbox`;
  const cluster = variables.CLUSTER || `${prefix}-cluster`;
  const taskPrefix = variables.TASK_PREFIX ?? `${prefix}-`;
  const problems: string[] = [];
  const hold = (name: string, value: string, pattern: RegExp, expected: string) => {
    if (!pattern.test(value)) {
      problems.push(
        `${name}: expected ${expected}, got ${quote(value)}; set --${flagOf(name)} or ${name}`,
      );
    }
  };
  hold(
    "PREFIX",
    prefix,
    /^[A-Za-z][A-Za-z0-9-]{0,99}$/,
    "a letter, then at most 99 letters, digits and hyphens",
  );
  hold(
    "CLUSTER",
    cluster,
    /^[A-Za-z0-9_-]{1,255}$/,
    "at most 255 letters, digits, hyphens and underscores",
  );
  hold(
    "TASK_PREFIX",
    taskPrefix,
    /^[A-Za-z0-9_-]{0,200}$/,
    "at most 200 letters, digits, hyphens and underscores",
  );
  hold(
    "PROJECT",
    project,
    /^[\w .:/=+@-]{1,200}$/,
    "at most 200 letters, digits and . : / = + - @ _",
  );
  for (const name of ["IMAGE_PREFIX", "REGISTRY_BASE"] as const) {
    hold(name, variables[name] ?? "", /^[\w.:/@-]*$/, "letters, digits and . : / @ - _");
  }
  return {
    names: {
      project,
      prefix,
      cluster,
      clusterGiven: Boolean(variables.CLUSTER),
      taskPrefix,
      substitutes: {
        TASK_PREFIX: taskPrefix,
        IMAGE_PREFIX: variables.IMAGE_PREFIX ?? "",
        REGISTRY_BASE: variables.REGISTRY_BASE ?? "",
      },
    },
    problems,
  };
}

const flagOf = (name: string): string =>
  name.toLowerCase().replace(/_[a-z]/g, (letter) => letter.slice(1).toUpperCase());

/**
 * The text of a `.template` file with TASK_PREFIX, IMAGE_PREFIX and REGISTRY_BASE put in where `${NAME}` or `$NAME` asks
 * for them; every other `$` stays as it is, because CloudFormation has its own.
 */
export function substitute(text: string, substitutes: Names["substitutes"]): string {
  return text.replace(
    /\$(?:\{(TASK_PREFIX|IMAGE_PREFIX|REGISTRY_BASE)\}|(TASK_PREFIX|IMAGE_PREFIX|REGISTRY_BASE)(?!\w))/g,
    (_, braced, bare) => substitutes[(braced ?? bare) as keyof Names["substitutes"]],
  );
}

/** The lines of a text from any system, without its byte order mark. */
export const linesOf = (text: string): readonly string[] =>
  text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
