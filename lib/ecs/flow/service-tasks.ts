import {
  type Absence,
  absenceOf,
  type Definition,
  type DescribedTask,
  needsDefinition,
  type Observed,
  placesOf,
  type Selection,
  type ServiceTask,
  type Wanted,
} from "../service-task.ts";

interface Page {
  readonly arns: readonly string[];
  readonly next?: string;
}

/**
 * What is asked of AWS; each function is one request, with at most `MOST_ASKED` ids. All throw `Unavailable` when trying
 * again may help, and `Fatal` when only an operator can.
 */
export interface ServiceApi {
  /** Of tasks whose desired status is RUNNING; those that do not run yet are among them. */
  tasks(selection: Selection, from: string | undefined): Promise<Page>;
  /** By ARN. Whoever is not in the map: ECS has said nothing. */
  describe(cluster: string, arns: readonly string[]): Promise<ReadonlyMap<string, DescribedTask>>;
  /** The EC2 ids of container instances, by ARN; of one that is gone, none. */
  instances(cluster: string, arns: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Undefined for one that ECS does not know. */
  definition(arn: string): Promise<Definition | undefined>;
  /** Addresses of EC2 instances and of network interfaces, by id. */
  addresses(
    kind: "instance" | "interface",
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, Ec2Addresses>>;
}

interface Ec2Addresses {
  readonly private?: string;
  readonly public?: string;
}

export interface ServiceTasks {
  /**
   * Looks once: two requests where every host and every definition is known, one more for each hundred tasks after the
   * first. Throws what the API throws; what is known so far is kept.
   */
  look(): Promise<readonly Observed[]>;
}

/** Amazon ECS API Reference, DescribeTasks and DescribeContainerInstances. */
const MOST_ASKED = 100;
/** EC2 API Reference: a filter has at most 200 values. */
const MOST_FILTERED = 200;
/** A cluster of thousands replaces its hosts for years. */
const MOST_REMEMBERED = 10_000;

/**
 * The tasks of a service or family with the places where they answer. A container instance's address, and what a task
 * definition says, never change: each is asked for once.
 */
export function serviceTasks({
  api,
  selection,
  wanted,
  isPublic,
}: {
  readonly api: ServiceApi;
  readonly selection: Selection;
  readonly wanted: Wanted;
  /** Whether the public addresses count. */
  readonly isPublic: boolean;
}): ServiceTasks {
  const memory: Memory = { hosts: new Map(), interfaces: new Map(), definitions: new Map() };
  /** The last answer about each task: ECS may be silent about one while it tells of the others. */
  let last: ReadonlyMap<string, DescribedTask> = new Map();

  return {
    async look() {
      const arns = await listed(api, selection);
      const described = await chunked(arns, MOST_ASKED, (some) =>
        api.describe(selection.cluster, some),
      );
      const now = new Map<string, DescribedTask>();
      for (const arn of arns) {
        const known = described.get(arn) ?? last.get(arn);
        if (known !== undefined) now.set(arn, known);
      }
      const candidates = [...now.values()].flatMap((one) =>
        one.kind === "task" && absenceOf(one.task, wanted) === undefined ? [one.task] : [],
      );
      await learn(memory, { api, cluster: selection.cluster, wanted, isPublic }, candidates);
      last = now;
      return [...now].flatMap(([arn, one]) => observe(arn, one, memory, wanted, isPublic));
    },
  };
}

interface Memory {
  /** By the container instance's ARN. */
  readonly hosts: Map<string, Ec2Addresses>;
  readonly interfaces: Map<string, Ec2Addresses>;
  readonly definitions: Map<string, Definition>;
}

async function listed(api: ServiceApi, selection: Selection): Promise<readonly string[]> {
  const arns = new Set<string>();
  let from: string | undefined;
  do {
    // A page may be empty though others follow.
    const page = await api.tasks(selection, from);
    for (const arn of page.arns) arns.add(arn);
    from = page.next;
  } while (from !== undefined);
  return [...arns];
}

/** Asks for what the candidates need and nobody has told yet. */
async function learn(
  memory: Memory,
  about: {
    readonly api: ServiceApi;
    readonly cluster: string;
    readonly wanted: Wanted;
    readonly isPublic: boolean;
  },
  candidates: readonly ServiceTask[],
): Promise<void> {
  const { api, cluster, wanted, isPublic } = about;
  const hosts = unknown(
    candidates.map(({ network, instance }) => (network === undefined ? instance : undefined)),
    memory.hosts,
  );
  const ec2Ids = await chunked(hosts, MOST_ASKED, (some) => api.instances(cluster, some));
  // An external instance (`mi-…`) is none of EC2's.
  const ids = [...new Set(ec2Ids.values())].filter((id) => id.startsWith("i-"));
  const addresses = await chunked(ids, MOST_FILTERED, (some) => api.addresses("instance", some));
  for (const [host, id] of ec2Ids) {
    const found = addresses.get(id);
    // What EC2 does not know yet it may know in a moment; an external instance it never will.
    if (found !== undefined || !id.startsWith("i-")) memory.hosts.set(host, found ?? {});
  }
  if (isPublic) {
    const interfaces = unknown(
      candidates.map(({ network }) => network?.interface),
      memory.interfaces,
    );
    const found = await chunked(interfaces, MOST_FILTERED, (some) =>
      api.addresses("interface", some),
    );
    for (const [id, one] of found) memory.interfaces.set(id, one);
  }
  const definitions = unknown(
    candidates.flatMap((task) => (needsDefinition(task, wanted) ? [task.definition] : [])),
    memory.definitions,
  );
  for (const arn of definitions) {
    const definition = await api.definition(arn);
    if (definition !== undefined) memory.definitions.set(arn, definition);
  }
  for (const one of [memory.hosts, memory.interfaces, memory.definitions]) forgetOldest(one);
}

const unknown = (
  keys: readonly (string | undefined)[],
  known: ReadonlyMap<string, unknown>,
): readonly string[] => [
  ...new Set(keys.filter((key) => key !== undefined && !known.has(key)) as string[]),
];

function forgetOldest(known: Map<string, unknown>): void {
  for (const key of known.keys()) {
    if (known.size <= MOST_REMEMBERED) return;
    known.delete(key);
  }
}

async function chunked<T>(
  ids: readonly string[],
  size: number,
  ask: (some: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): Promise<ReadonlyMap<string, T>> {
  const all = new Map<string, T>();
  for (let at = 0; at < ids.length; at += size) {
    for (const [id, one] of await ask(ids.slice(at, at + size))) all.set(id, one);
  }
  return all;
}

function observe(
  arn: string,
  described: DescribedTask,
  memory: Memory,
  wanted: Wanted,
  isPublic: boolean,
): readonly Observed[] {
  const id = arn.replace(/^.*\//, "");
  switch (described.kind) {
    case "missing":
      return [];
    case "garbage": {
      const absence: Absence = { reason: "garbage", detail: described.problem };
      return [{ id, places: absence }];
    }
    case "task": {
      const { task } = described;
      const absence = absenceOf(task, wanted);
      if (absence !== undefined) return [{ id, places: absence }];
      const address = addressOf(task, memory, isPublic);
      const definition = memory.definitions.get(task.definition);
      return [
        {
          id,
          places: placesOf(task, wanted, {
            ...(address !== undefined && { address }),
            ...(definition !== undefined && { definition }),
          }),
        },
      ];
    }
  }
}

function addressOf(task: ServiceTask, memory: Memory, isPublic: boolean): string | undefined {
  const { network, instance } = task;
  if (network !== undefined) {
    if (isPublic) return memory.interfaces.get(network.interface ?? "")?.public;
    return network.ipv4 ?? network.ipv6;
  }
  const host = memory.hosts.get(instance ?? "");
  return isPublic ? host?.public : host?.private;
}
