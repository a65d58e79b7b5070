import { isObject, Unresolved } from "./definition.ts";

/** What a stack is created with: values by name, pseudo parameters such as `AWS::Region` among them. */
export type Parameters = ReadonlyMap<string, string>;

/** A member that a template takes away: `Ref: AWS::NoValue`. */
const NO_VALUE = Symbol("AWS::NoValue");

interface Template {
  readonly values: ReadonlyMap<string, unknown>;
  readonly conditions: Readonly<Record<string, unknown>>;
  readonly mappings: Readonly<Record<string, unknown>>;
}

const MAX_DEPTH = 100;

/** What CloudFormation finds elsewhere: a resource, a parameter without a value, another stack. */
const elsewhere = (name: string): Unresolved => new Unresolved(`\${${name}}`);

/**
 * The resources of a CloudFormation template with its functions worked out from the parameters given, or else from their
 * defaults; what only CloudFormation can know is `Unresolved`. A condition that can't be decided counts as true.
 * Source: CloudFormation user guide, intrinsic function reference.
 */
export function resolveTemplate(
  document: Readonly<Record<string, unknown>>,
  given: Parameters,
): ReadonlyMap<string, unknown> {
  const part = (name: string) => {
    const value = document[name];
    return isObject(value) ? value : {};
  };
  const template: Template = {
    values: parameterValues(part("Parameters"), given),
    conditions: part("Conditions"),
    mappings: part("Mappings"),
  };
  return new Map(
    Object.entries(part("Resources")).flatMap(([id, resource]): [string, unknown][] => {
      if (!isObject(resource)) return [];
      const { Condition: condition } = resource;
      if (typeof condition === "string" && decide(condition, template, 0) === false) return [];
      const type = String(resource["Type"]);
      // Nothing else of a template is of use here, and some of it is large.
      if (!type.startsWith("AWS::ECS::")) return [];
      const properties = resolve(resource["Properties"], template, 0);
      return [[id, { Type: type, Properties: properties }]];
    }),
  );
}

function parameterValues(
  declared: Readonly<Record<string, unknown>>,
  given: Parameters,
): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>(given);
  for (const [name, parameter] of Object.entries(declared)) {
    if (!isObject(parameter)) continue;
    const value = given.get(name) ?? parameter["Default"];
    if (value === undefined) continue;
    const isList = /^(?:CommaDelimitedList|List<)/.test(String(parameter["Type"]));
    values.set(name, isList ? String(value as string).split(",") : value);
  }
  return values;
}

function resolve(value: unknown, template: Template, depth: number): unknown {
  if (depth > MAX_DEPTH) return elsewhere("nested too deeply");
  if (Array.isArray(value)) {
    return value
      .map((item: unknown) => resolve(item, template, depth + 1))
      .filter((item) => item !== NO_VALUE);
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && isFunction(first[0])) {
    return call(first[0].replace(/^Fn::/, ""), first[1], template, depth + 1);
  }
  return Object.fromEntries(
    entries.flatMap(([name, item]) => {
      const resolved = resolve(item, template, depth + 1);
      return resolved === NO_VALUE ? [] : [[name, resolved]];
    }),
  );
}

const isFunction = (name: string): boolean => name === "Ref" || /^Fn::\w+$/.test(name);

function call(name: string, argument: unknown, template: Template, depth: number): unknown {
  const resolved = () => resolve(argument, template, depth);
  const list = (): readonly unknown[] => {
    const items = resolved();
    return Array.isArray(items) ? items : [];
  };
  switch (name) {
    case "Ref":
      if (argument === "AWS::NoValue") return NO_VALUE;
      return reference(String(argument), template);
    case "Sub":
      return substitute(argument, template, depth);
    case "GetAtt":
      return elsewhere(Array.isArray(argument) ? argument.map(String).join(".") : String(argument));
    case "Join": {
      const [separator, items] = list();
      if (!Array.isArray(items)) return elsewhere("Fn::Join");
      return joined(items, String(separator));
    }
    case "Split": {
      const [separator, text] = list();
      return typeof text === "string" ? text.split(String(separator)) : elsewhere("Fn::Split");
    }
    case "Select": {
      const [index, items] = list();
      const chosen: unknown = Array.isArray(items) ? items[Number(index)] : undefined;
      return chosen ?? elsewhere("Fn::Select");
    }
    case "If": {
      const [condition, then, otherwise] = Array.isArray(argument) ? argument : [];
      const holds = decide(String(condition), template, depth);
      return resolve(holds === false ? otherwise : then, template, depth);
    }
    case "FindInMap": {
      const [map, top, second] = list().map((key) =>
        key instanceof Unresolved ? "" : String(key),
      );
      const rows = template.mappings[map ?? ""];
      const row = isObject(rows) ? rows[top ?? ""] : undefined;
      const found = isObject(row) ? row[second ?? ""] : undefined;
      return found ?? elsewhere(`Fn::FindInMap ${map}`);
    }
    case "ImportValue": {
      const exported = resolved();
      const text = exported instanceof Unresolved ? exported.text : String(exported);
      return elsewhere(`Fn::ImportValue ${text}`);
    }
    default:
      return elsewhere(`Fn::${name}`);
  }
}

const reference = (name: string, { values }: Template): unknown =>
  values.has(name) ? values.get(name) : elsewhere(name);

function substitute(argument: unknown, template: Template, depth: number): unknown {
  const [text, own] = Array.isArray(argument) ? argument : [argument, {}];
  if (typeof text !== "string") return elsewhere("Fn::Sub");
  const values = isObject(own) ? own : {};
  let isWhole = true;
  const put = text.replace(/\$\{([^!}][^}]*)\}/g, (whole, inner: string) => {
    const name = inner.trim();
    const value = Object.hasOwn(values, name)
      ? resolve(values[name], template, depth)
      : template.values.get(name);
    if (value instanceof Unresolved) {
      isWhole = false;
      return value.text;
    }
    if (value === undefined || typeof value === "object") {
      isWhole = false;
      return whole;
    }
    return String(value as string);
  });
  // `${!Literal}` stays as `${Literal}`.
  const said = put.replace(/\$\{!/g, "${");
  return isWhole ? said : new Unresolved(said);
}

function joined(items: readonly unknown[], separator: string): unknown {
  const texts = items.map((item) => (item instanceof Unresolved ? item.text : String(item)));
  const text = texts.join(separator);
  return items.some((item) => item instanceof Unresolved) ? new Unresolved(text) : text;
}

/** Whether a condition holds; undefined where it hangs on what only CloudFormation knows. */
function decide(name: string, template: Template, depth: number): boolean | undefined {
  return Object.hasOwn(template.conditions, name)
    ? holds(template.conditions[name], template, depth + 1)
    : undefined;
}

function holds(condition: unknown, template: Template, depth: number): boolean | undefined {
  if (depth > MAX_DEPTH || !isObject(condition)) return undefined;
  const [name, argument] = Object.entries(condition)[0] ?? [];
  const parts = Array.isArray(argument) ? argument : [];
  const all = () => parts.map((one: unknown) => holds(one, template, depth + 1));
  switch (name) {
    case "Condition":
      return decide(String(argument), template, depth + 1);
    case "Fn::Equals": {
      const [a, b] = parts.map((one: unknown) => resolve(one, template, depth + 1));
      if (a instanceof Unresolved || b instanceof Unresolved) return undefined;
      return String(a) === String(b);
    }
    case "Fn::Not": {
      const [inner] = all();
      return inner === undefined ? undefined : !inner;
    }
    case "Fn::And": {
      const each = all();
      if (each.includes(false)) return false;
      return each.includes(undefined) ? undefined : true;
    }
    case "Fn::Or": {
      const each = all();
      if (each.includes(true)) return true;
      return each.includes(undefined) ? undefined : false;
    }
    default:
      return undefined;
  }
}
