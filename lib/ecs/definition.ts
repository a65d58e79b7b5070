import { quote } from "../kit/quote.ts";
import {
  describedOnly,
  type Of,
  otherNames,
  type Shape,
  serviceShape,
  taskDefinitionShape,
} from "./definition-shape.ts";

/** In the ECS API's spelling, with what is null or of the wrong type left out. */
export type TaskDefinition = Of<typeof taskDefinitionShape>;
export type ServiceDefinition = Of<typeof serviceShape>;
export type ContainerDefinition = NonNullable<TaskDefinition["containerDefinitions"]>[number];

/** What a definition holds that can't be taken as it stands; `member` is its path in the ECS API's spelling. */
export interface DefinitionProblem {
  readonly member: string;
  readonly kind: /** It has the wrong type, and is left out. */
    | "type"
    /** It stands there in two spellings, or twice: which one is meant is unknown. */
    | "twice"
    /** ECS knows no such member. */
    | "unknown"
    /** A value that CloudFormation would find elsewhere; a text keeps its name as `${Name}`, anything else is left out. */
    | "unresolved";
  readonly text: string;
}

export interface Normal<T> {
  readonly value: T;
  readonly problems: readonly DefinitionProblem[];
}

/** A value of a CloudFormation template that only CloudFormation knows: `${VpcId}`, `${Role.Arn}`. */
export class Unresolved {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** The normal form of a task definition in any spelling and shape, of files as of DescribeTaskDefinition. */
export const taskDefinitionOf = (input: unknown): Normal<TaskDefinition> =>
  normal(input, taskDefinitionShape, describedOnly.task);

/**
 * The normal form of a service, of files as of DescribeServices, which tells Service Connect and the volumes of the
 * primary deployment only.
 */
export function serviceDefinitionOf(input: unknown): Normal<ServiceDefinition> {
  if (!isObject(input) || !Array.isArray(input["deployments"])) {
    return normal(input, serviceShape, describedOnly.service);
  }
  const primary: unknown = input["deployments"].find(
    (one) => isObject(one) && one["status"] === "PRIMARY",
  );
  const told = isObject(primary) ? primary : {};
  const filled: Record<string, unknown> = { ...input };
  for (const name of ["serviceConnectConfiguration", "volumeConfigurations"]) {
    if (told[name] !== undefined) filled[name] ??= told[name];
  }
  return normal(filled, serviceShape, describedOnly.service);
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Unresolved);

function normal<S extends { readonly members: Readonly<Record<string, Shape>> }>(
  input: unknown,
  shape: S,
  ignored: readonly string[],
): Normal<Of<S>> {
  const problems: DefinitionProblem[] = [];
  const value = read(input, shape, "", problems, new Set(ignored.map(fold)));
  return { value: (value ?? {}) as Of<S>, problems };
}

/** `ContainerDefinitions`, `containerDefinitions` and `container_definitions` are one member. */
const fold = (name: string): string => name.replace(/[_-]/g, "").toLowerCase();

const folded = new WeakMap<object, ReadonlyMap<string, string>>();

/** The members of a shape by their folded names. */
function namesOf(members: Readonly<Record<string, Shape>>): ReadonlyMap<string, string> {
  const known = folded.get(members);
  if (known !== undefined) return known;
  const names = new Map(Object.keys(members).map((name) => [fold(name), name]));
  folded.set(members, names);
  return names;
}

function read(
  input: unknown,
  shape: Shape,
  at: string,
  problems: DefinitionProblem[],
  ignored: ReadonlySet<string> = new Set(),
): unknown {
  const wrong = (expected: string): undefined => {
    problems.push({ member: at, kind: "type", text: `expected ${expected}, got ${shown(input)}` });
    return undefined;
  };
  if (input instanceof Unresolved) {
    const text = `${input.text} is known to CloudFormation only`;
    problems.push({ member: at, kind: "unresolved", text });
    return shape === "text" ? input.text : undefined;
  }
  if (input === undefined || input === null) return undefined;
  if (shape === "any") return input;
  if (shape === "text") return textIn(input) ?? wrong("a text");
  if (shape === "number") return numberIn(input) ?? wrong("a whole number");
  if (shape === "flag") return flagIn(input) ?? wrong("true or false");
  if (shape === "map") return isObject(input) ? readMap(input, at, problems) : wrong("an object");
  if ("list" in shape) {
    if (!Array.isArray(input)) return wrong("a list");
    return input.flatMap((item: unknown, index) => {
      const value = read(item, shape.list, `${at}[${index}]`, problems);
      return value === undefined ? [] : [value];
    });
  }
  return isObject(input)
    ? readMembers(input, shape.members, at, problems, ignored)
    : wrong("an object");
}

function readMembers(
  input: Readonly<Record<string, unknown>>,
  members: Readonly<Record<string, Shape>>,
  at: string,
  problems: DefinitionProblem[],
  ignored: ReadonlySet<string>,
): unknown {
  const names = namesOf(members);
  const spelled = new Map<string, string>();
  const value: [string, unknown][] = [];
  for (const [key, item] of Object.entries(input)) {
    const name = names.get(fold(key)) ?? names.get(fold(otherNames.get(fold(key)) ?? ""));
    if (name === undefined) {
      if (item !== null && item !== undefined && !ignored.has(fold(key))) {
        problems.push({ member: within(at, key), kind: "unknown", text: unknownText(key, names) });
      }
      continue;
    }
    const member = within(at, name);
    const earlier = spelled.get(name);
    if (earlier !== undefined) {
      const text = `expected one spelling, got both ${quote(earlier)} and ${quote(key)}`;
      problems.push({ member, kind: "twice", text });
      continue;
    }
    spelled.set(name, key);
    const read1 = read(item, members[name] as Shape, member, problems);
    if (read1 !== undefined) value.push([name, read1]);
  }
  return Object.fromEntries(value);
}

function readMap(
  input: Readonly<Record<string, unknown>>,
  at: string,
  problems: DefinitionProblem[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(input).flatMap(([key, item]): [string, string][] => {
      const value = read(item, "text", within(at, key), problems);
      return value === undefined ? [] : [[key, value as string]];
    }),
  );
}

const within = (at: string, name: string): string => {
  const shown1 = /^[\w.:/-]{1,80}$/.test(name) ? name : quote(name);
  return at === "" ? shown1 : `${at}.${shown1}`;
};

function textIn(input: unknown): string | undefined {
  if (typeof input === "string") return input;
  return typeof input === "number" || typeof input === "boolean" ? String(input) : undefined;
}

function numberIn(input: unknown): number | undefined {
  if (typeof input === "number") return Number.isSafeInteger(input) ? input : undefined;
  if (typeof input !== "string" || !/^-?\d{1,15}$/.test(input.trim())) return undefined;
  return Number(input);
}

function flagIn(input: unknown): boolean | undefined {
  if (typeof input === "boolean") return input;
  if (typeof input !== "string" || !/^(?:true|false)$/i.test(input)) return undefined;
  return input.toLowerCase() === "true";
}

/** What stands there, without its content: an environment may hold secrets. */
function shown(input: unknown): string {
  if (Array.isArray(input)) return "a list";
  if (typeof input === "object") return "an object";
  return typeof input === "string" ? quote(input, 40) : String(input as number);
}

function unknownText(key: string, names: ReadonlyMap<string, string>): string {
  const near = [...names].find(([name]) => differsLittle(name, fold(key)));
  return near === undefined
    ? "ECS knows no such member"
    : `ECS knows no such member, did you mean ${near[1]}?`;
}

/** One letter too many, too few, other or swapped with its neighbour. */
function differsLittle(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1 || a.length < 4) return false;
  let from = 0;
  while (from < a.length && a[from] === b[from]) from += 1;
  const restA = a.slice(from);
  const restB = b.slice(from);
  return (
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    restA.slice(1) === restB.slice(1) ||
    (restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0])
  );
}
