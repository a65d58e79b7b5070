import { type Answer, arnOf, type Input, type Now, ok, refused, textIn } from "./answer.ts";

interface Pair {
  readonly name: string;
  readonly value: string;
}

interface Block {
  readonly type: string;
  readonly text: string;
}

interface ChangeSet {
  readonly name: string;
  readonly template: string;
  readonly parameters: readonly Pair[];
  readonly tags: readonly Pair[];
  readonly create: boolean;
  isExecuted: boolean;
}

interface Stack {
  readonly name: string;
  readonly id: string;
  template: string;
  parameters: readonly Pair[];
  tags: readonly Pair[];
  /** What it is until `until`, and from then on. */
  now: string;
  later: string;
  until: number;
  changeSets: Map<string, ChangeSet>;
  events: {
    readonly id: string;
    readonly resource: string;
    readonly type: string;
    readonly status: string;
  }[];
}

/** What stacks make that others see. */
interface Makes {
  readonly cluster: (name: string, isThere: boolean) => void;
  readonly fileSystem: (id: string, tags: readonly Pair[]) => void;
}

interface Stacks {
  readonly now: Now;
  readonly makes: Makes;
  /** How long a change takes. */
  readonly stackMs: number;
  readonly stacks: Stack[];
  made: number;
}

const statusOf = (all: Stacks, stack: Stack): string =>
  all.now() >= stack.until ? stack.later : stack.now;
const byName = (all: Stacks, name: string): Stack | undefined => {
  const byId = all.stacks.find(({ id }) => id === name);
  return (
    byId ??
    all.stacks.findLast(
      (stack) => stack.name === name && statusOf(all, stack) !== "DELETE_COMPLETE",
    )
  );
};
const missing = (name: string) =>
  refused("ValidationError", `Stack with id ${name} does not exist`);
const move = (all: Stacks, stack: Stack, verb: string): void => {
  stack.now = `${verb}_IN_PROGRESS`;
  stack.later = `${verb}_COMPLETE`;
  stack.until = all.now() + all.stackMs;
  const log = (resource: string, type: string, status: string) =>
    stack.events.push({ id: `event-${stack.events.length}-${stack.id}`, resource, type, status });
  log(stack.name, "AWS::CloudFormation::Stack", stack.now);
  for (const [id, { type }] of resourcesIn(stack.template)) log(id, type, `${verb}_COMPLETE`);
  log(stack.name, "AWS::CloudFormation::Stack", stack.later);
};
const come = (all: Stacks, stack: Stack): void => {
  for (const [id, { type }] of resourcesIn(stack.template)) {
    const named = stack.parameters.find(({ name }) => name === "ClusterName")?.value;
    if (type === "AWS::ECS::Cluster" && named !== undefined) all.makes.cluster(named, true);
    if (type === "AWS::EFS::FileSystem")
      all.makes.fileSystem(physical(stack, id, type), stack.tags);
  }
};

const operations: Readonly<Record<string, (all: Stacks, input: Input) => Answer>> = {
  DescribeStacks(all, input) {
    const stack = byName(all, textIn(input, "StackName"));
    return stack === undefined
      ? missing(textIn(input, "StackName"))
      : ok({ Stacks: [shown(stack, statusOf(all, stack))] });
  },
  GetTemplate(all, input) {
    const stack = byName(all, textIn(input, "StackName"));
    return stack === undefined
      ? missing(textIn(input, "StackName"))
      : ok({ TemplateBody: stack.template });
  },
  DescribeStackEvents(all, input) {
    const stack = byName(all, textIn(input, "StackName"));
    if (stack === undefined) return missing(textIn(input, "StackName"));
    const isBusy = all.now() < stack.until;
    const events = isBusy ? stack.events.slice(0, -1) : stack.events;
    return ok({
      StackEvents: events.toReversed().map(({ id, resource, type, status }) => ({
        ...{
          EventId: id,
          LogicalResourceId: resource,
          ResourceType: type,
          ResourceStatus: status,
        },
        ...{ StackId: stack.id, StackName: stack.name, Timestamp: "2026-01-01T00:00:00.000Z" },
      })),
    });
  },
  ListStackResources(all, input) {
    const stack = byName(all, textIn(input, "StackName"));
    if (stack === undefined) return missing(textIn(input, "StackName"));
    return ok({
      StackResourceSummaries: [...resourcesIn(stack.template)].map(([id, { type }]) => ({
        ...{ LogicalResourceId: id, ResourceType: type, ResourceStatus: "CREATE_COMPLETE" },
        PhysicalResourceId: physical(stack, id, type),
        LastUpdatedTimestamp: "2026-01-01T00:00:00.000Z",
      })),
    });
  },
  CreateChangeSet(all, input) {
    const name = textIn(input, "StackName");
    const create = textIn(input, "ChangeSetType") === "CREATE";
    let stack = byName(all, name);
    if (!create && stack === undefined) return missing(name);
    if (create && stack !== undefined && statusOf(all, stack) !== "REVIEW_IN_PROGRESS") {
      return refused(
        "ValidationError",
        `Stack [${name}] already exists and cannot be created again with the changeSet [x].`,
      );
    }
    if (stack === undefined) {
      all.made += 1;
      stack = {
        ...{
          name,
          id: arnOf("cloudformation", `stack/${name}/${all.made}`),
          template: "",
          parameters: [],
          tags: [],
        },
        ...{
          now: "REVIEW_IN_PROGRESS",
          later: "REVIEW_IN_PROGRESS",
          until: 0,
          changeSets: new Map(),
          events: [],
        },
      };
      all.stacks.push(stack);
    }
    const changeSet = textIn(input, "ChangeSetName");
    if (stack.changeSets.has(changeSet))
      return refused(
        "AlreadyExistsException",
        `ChangeSet ${changeSet} cannot be created due to a mismatch with existing attribute Name`,
      );
    stack.changeSets.set(changeSet, {
      ...{ name: changeSet, create, template: textIn(input, "TemplateBody"), isExecuted: false },
      parameters: pairs(input, "Parameters", "ParameterKey", "ParameterValue"),
      tags: pairs(input, "Tags", "Key", "Value"),
    });
    return ok({ Id: changeSet, StackId: stack.id });
  },
  DescribeChangeSet(all, input) {
    const stack = byName(all, textIn(input, "StackName"));
    const set = stack?.changeSets.get(textIn(input, "ChangeSetName"));
    if (stack === undefined || set === undefined)
      return refused("ChangeSetNotFound", "ChangeSet does not exist");
    const changes = changesOf(stack, set);
    if (changes.length === 0) {
      return ok({
        Status: "FAILED",
        StatusReason:
          "The submitted information didn't contain changes. Submit different information to create a change set.",
      });
    }
    return ok({
      ...{
        Status: "CREATE_COMPLETE",
        ExecutionStatus: set.isExecuted ? "EXECUTE_COMPLETE" : "AVAILABLE",
      },
      Changes: changes,
    });
  },
  DeleteChangeSet(all, input) {
    byName(all, textIn(input, "StackName"))?.changeSets.delete(textIn(input, "ChangeSetName"));
    return ok();
  },
  ExecuteChangeSet(all, input) {
    const stack = byName(all, textIn(input, "StackName"));
    const set = stack?.changeSets.get(textIn(input, "ChangeSetName"));
    if (stack === undefined || set === undefined)
      return refused("ChangeSetNotFound", "ChangeSet does not exist");
    if (set.isExecuted)
      return refused("InvalidChangeSetStatus", "ChangeSet is in EXECUTE_COMPLETE state.");
    set.isExecuted = true;
    Object.assign(stack, { template: set.template, parameters: set.parameters, tags: set.tags });
    stack.changeSets = new Map();
    move(all, stack, set.create ? "CREATE" : "UPDATE");
    come(all, stack);
    return ok();
  },
  DeleteStack(all, input) {
    const stack = byName(all, textIn(input, "StackName"));
    if (stack === undefined) return ok();
    move(all, stack, "DELETE");
    const named = stack.parameters.find(({ name }) => name === "ClusterName")?.value;
    const hasCluster = [...resourcesIn(stack.template).values()].some(
      ({ type }) => type === "AWS::ECS::Cluster",
    );
    if (named !== undefined && hasCluster) all.makes.cluster(named, false);
    return ok();
  },
};
/**
 * Stacks and change sets of templates in YAML's plain block form, two spaces a level. A stack takes `stackMs`. Of what is
 * in a template only a cluster and a file system, which stays, come to be.
 */
export function stackAccount(now: Now, makes: Makes, { stackMs }: { readonly stackMs: number }) {
  const all: Stacks = { now, makes, stackMs, stacks: [], made: 0 };
  return {
    statusOf(name: string): string | undefined {
      const stack = byName(all, name);
      return stack && statusOf(all, stack);
    },
    answer: (operation: string, input: Input): Answer =>
      operations[operation]?.(all, input) ?? refused("InvalidAction", `no rule for ${operation}`),
  };
}

const pairs = (input: Input, list: string, key: string, value: string): readonly Pair[] =>
  Object.keys(input)
    .flatMap((name) => new RegExp(`^${list}\\.member\\.(\\d+)\\.${key}$`).exec(name)?.[1] ?? [])
    .map((at) => ({
      name: textIn(input, `${list}.member.${at}.${key}`),
      value: textIn(input, `${list}.member.${at}.${value}`),
    }));

const shown = (stack: Stack, status: string): Input => ({
  ...{ StackName: stack.name, StackId: stack.id, StackStatus: status },
  CreationTime: "2026-01-01T00:00:00.000Z",
  Parameters: [...defaultsIn(stack.template), ...stack.parameters]
    .filter(({ name }, at, all) => all.findLastIndex((one) => one.name === name) === at)
    .map(({ name, value }) => ({ ParameterKey: name, ParameterValue: value })),
  Tags: stack.tags.map(({ name, value }) => ({ Key: name, Value: value })),
  Outputs: status.endsWith("_COMPLETE")
    ? [...outputsIn(stack.template)].flatMap(([name, resource]) => {
        const type = resourcesIn(stack.template).get(resource)?.type;
        return type === undefined
          ? []
          : [{ OutputKey: name, OutputValue: physical(stack, resource, type) }];
      })
    : [],
});

/** The same for the same resource of the same stack, in the form of its kind. */
function physical(stack: Stack, id: string, type: string): string {
  const number = `${stack.id}${id}`
    .split("")
    .reduce((sum, sign) => (sum * 31 + sign.charCodeAt(0)) >>> 0, 7);
  const hex = number.toString(16).padStart(8, "0");
  const kinds: Readonly<Record<string, string>> = {
    "AWS::EFS::FileSystem": "fs-",
    "AWS::EFS::AccessPoint": "fsap-",
    "AWS::EC2::SecurityGroup": "sg-",
  };
  return `${kinds[type] ?? `${id}-`}${hex}`;
}

function changesOf(stack: Stack, set: ChangeSet): readonly Input[] {
  const [before, after] = [resourcesIn(stack.template), resourcesIn(set.template)];
  const old = new Map(stack.parameters.map(({ name, value }) => [name, value]));
  const moved = set.parameters
    .filter(({ name, value }) => old.get(name) !== value)
    .map(({ name }) => name);
  const one = (Action: string, id: string, type: string, more: Input = {}): Input => ({
    Type: "Resource",
    ResourceChange: { Action, LogicalResourceId: id, ResourceType: type, ...more },
  });
  const changes: Input[] = [];
  for (const [id, { type, text }] of after) {
    const earlier = before.get(id);
    const uses = moved.some((name) => new RegExp(`!Ref ${name}\\b|\\$\\{${name}\\}`).test(text));
    if (earlier === undefined) changes.push(one("Add", id, type));
    else if (earlier.text !== text || uses) {
      changes.push(
        one("Modify", id, type, {
          Replacement: type === "AWS::EFS::FileSystem" ? "True" : "False",
        }),
      );
    }
  }
  for (const [id, { type }] of before) if (!after.has(id)) changes.push(one("Remove", id, type));
  return changes;
}

/** The entries of a section of a template, each with its own lines. */
function entriesIn(template: string, section: string): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  let inside = false;
  let entry: string | undefined;
  for (const line of template.split(/\r?\n/)) {
    if (/^\S/.test(line) && !line.startsWith("#")) {
      inside = line.trimEnd() === `${section}:`;
      entry = undefined;
    } else if (inside) {
      const [, name] = /^ {2}([A-Za-z0-9]+):/.exec(line) ?? [];
      entry = name ?? entry;
      if (entry !== undefined && !/^\s*#/.test(line))
        entries.set(entry, `${entries.get(entry) ?? ""}${line}\n`);
    }
  }
  return entries;
}

const resourcesIn = (template: string): ReadonlyMap<string, Block> =>
  new Map(
    [...entriesIn(template, "Resources")].map(([id, text]) => [
      id,
      { text: text.trimEnd(), type: /^ {4}Type: (\S+)/m.exec(text)?.[1] ?? "" },
    ]),
  );

const outputsIn = (template: string): ReadonlyMap<string, string> =>
  new Map(
    [...entriesIn(template, "Outputs")].map(([id, text]) => [
      id,
      /Value: !Ref (\w+)/.exec(text)?.[1] ?? "",
    ]),
  );

const defaultsIn = (template: string): readonly Pair[] =>
  [...entriesIn(template, "Parameters")].flatMap(([name, text]) => {
    const [, value] = /^ {4}Default: "?([^"\n]*)"?$/m.exec(text) ?? [];
    return value === undefined ? [] : [{ name, value }];
  });
