import { type JsonNode, shownNode } from "../../kit/json-text.ts";

/** What is wrong in a file of the operator's, and where. */
export interface FileProblem {
  readonly line: number;
  /** The path of the member, such as `[2].ports[0].lbPort`; empty for the file as a whole. */
  readonly member: string;
  readonly expected: string;
  readonly got: string;
}

/** The problem as one clause: `line 4, [1].family: expected …, got …`. */
export const problemText = ({ line, member, expected, got }: FileProblem): string =>
  `line ${line}${member === "" ? "" : `, ${member}`}: expected ${expected}, got ${got}`;

/** What a member must hold. */
interface Expected<T> {
  readonly expected: string;
  /** Undefined for a node that is none. */
  readonly read: (node: JsonNode) => T | undefined;
}

const textLike = (pattern: RegExp, expected: string): Expected<string> => ({
  expected,
  read: (node) =>
    node.kind === "plain" && typeof node.value === "string" && pattern.test(node.value)
      ? node.value
      : undefined,
});

const wholeNumber = (min: number, max: number): Expected<number> => ({
  expected: `a whole number from ${min} to ${max}`,
  read: (node) =>
    node.kind === "plain" &&
    Number.isSafeInteger(node.value) &&
    Number(node.value) >= min &&
    Number(node.value) <= max
      ? Number(node.value)
      : undefined,
});

const oneOf = <const T extends string>(choices: readonly T[]): Expected<T> => ({
  expected: `one of ${choices.map((one) => `"${one}"`).join(", ")}`,
  read: (node) =>
    node.kind === "plain" ? choices.find((choice) => choice === node.value) : undefined,
});

const list: Expected<readonly JsonNode[]> = {
  expected: "a list",
  read: (node) => (node.kind === "array" ? node.items : undefined),
};

export type ObjectNode = Extract<JsonNode, { readonly kind: "object" }>;

const object: Expected<ObjectNode> = {
  expected: "an object",
  read: (node) => (node.kind === "object" ? node : undefined),
};

export const expects = { textLike, wholeNumber, oneOf, list, object };

export interface Members {
  /** What the member holds; undefined, with a problem, where it holds something else or is missing. */
  must<T>(name: string, expected: Expected<T>): T | undefined;
  /** The same for one that may be missing: then undefined without a problem. */
  may<T>(name: string, expected: Expected<T>): T | undefined;
  /** The line where the member's name stands; the object's own, where there is none. */
  lineOf(name: string): number;
  has(name: string): boolean;
  problem(name: string, expected: string, got: string): void;
  /** Members that nobody has asked for, and names that stand twice. */
  notes(): readonly FileProblem[];
}

/**
 * An object's members, by name. Like Go's JSON reader, which read the original's files, it takes a name in other capitals
 * where the exact one is missing, and null as if the member were not there.
 */
export function membersOf(
  node: ObjectNode,
  path: string,
  problems: FileProblem[],
  known: readonly string[],
): Members {
  const found = (name: string) => {
    const member =
      node.members.get(name) ??
      [...node.members].find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1];
    const isNull = member?.node.kind === "plain" && member.node.value === null;
    return isNull ? undefined : member;
  };
  const at = (name: string) => (path === "" ? name : `${path}.${name}`);
  const lineOf = (name: string) => found(name)?.line ?? node.line;
  const problem = (name: string, expected: string, got: string) =>
    void problems.push({ line: lineOf(name), member: at(name), expected, got });
  const may = <T>(name: string, { expected, read }: Expected<T>): T | undefined => {
    const member = found(name);
    if (member === undefined) return undefined;
    const value = read(member.node);
    if (value === undefined) problem(name, expected, shownNode(member.node));
    return value;
  };
  return {
    may,
    must(name, expected) {
      if (found(name) === undefined) problem(name, expected.expected, "nothing");
      return may(name, expected);
    },
    lineOf,
    has: (name) => found(name) !== undefined,
    problem,
    notes() {
      const unknown = [...node.members].filter(
        ([name]) => !known.some((one) => one.toLowerCase() === name.toLowerCase()),
      );
      return [
        ...unknown.map(([name, { line }]) => ({
          line,
          member: at(name),
          expected: `one of the members ${known.join(", ")}`,
          got: "one that has no meaning here, and is passed over",
        })),
        ...node.repeated.map(({ name, line }) => ({
          line,
          member: at(name),
          expected: "each member once",
          got: "it again; the last one counts",
        })),
      ];
    },
  };
}
