import * as z from "zod";
import { asContainerId, type ContainerId } from "../../docker/container.ts";
import { causes, Unavailable } from "../../kit/failure.ts";
import { get } from "../../kit/io/http-json.ts";
import { shapeProblem } from "../../kit/io/shape.ts";
import { quote } from "../../kit/quote.ts";
import { type Owner, ownerOf, type TaskId, taskIdOf } from "../arn.ts";
import type { Task, TaskAnswer } from "../task.ts";

/** This host, as its ECS agent knows it. */
interface Host {
  readonly owner: Owner;
  readonly cluster: string;
  /** The agent's. */
  readonly version: string;
}

export interface FoundEcsAgent extends Host {
  readonly agent: EcsAgent;
}

/** The ECS agent's introspection endpoint, v1. Every function throws `Unavailable` when it does not answer. */
export interface EcsAgent {
  readonly url: string;
  /** Who this host is, and the agent's version. Throws `Unavailable` also while the agent has not registered yet. */
  metadata(): Promise<{
    readonly owner: Owner;
    readonly cluster: string;
    readonly version: string;
  }>;
  /** The task that a container belongs to. */
  taskOf(id: ContainerId): Promise<TaskAnswer>;
  /** Ids of the tasks that have not stopped. */
  liveTasks(): Promise<ReadonlySet<TaskId>>;
}

const REQUEST_LIMIT_MS = 2_000;

const Metadata = z.object({
  Cluster: z.string(),
  ContainerInstanceArn: z.string().nullish(),
  Version: z.string(),
});

/** A list, or one address by itself; absent for tasks without a network of their own and for IPv6-only ones. */
const addresses = (of: z.ZodType<string>) =>
  z
    .union([z.array(of), of.transform((address) => [address])])
    .nullish()
    .transform((all) => all ?? []);

/** A port of 0 is one that is not known yet, and then mostly left out. */
const PortNumber = z
  .int()
  .min(0)
  .max(65_535)
  .nullish()
  .transform((port) => port || undefined);

const IntrospectedTask = z.object({
  Arn: z.string(),
  KnownStatus: z.string(),
  Containers: z
    .array(
      z.object({
        // Empty until Docker has created the container.
        DockerId: z.string(),
        Networks: z
          .array(
            z.object({ IPv4Addresses: addresses(z.ipv4()), IPv6Addresses: addresses(z.ipv6()) }),
          )
          .nullish()
          .transform((networks) => networks ?? []),
        Ports: z
          .array(z.object({ ContainerPort: PortNumber, HostPort: PortNumber }))
          .nullish()
          .transform((ports) => ports ?? []),
      }),
    )
    .nullish()
    .transform((containers) => containers ?? []),
});
const IntrospectedTasks = z.object({
  Tasks: z
    .array(z.object({ Arn: z.string(), KnownStatus: z.string() }))
    .nullish()
    .transform((tasks) => tasks ?? []),
});

/** The endpoint at `url`, such as `http://127.0.0.1:51678`. */
export function ecsAgent(url: string): EcsAgent {
  const ask = async (path: string) => {
    try {
      return await get(new URL(path, url).href, REQUEST_LIMIT_MS);
    } catch (error) {
      throw new Unavailable("the ECS agent", `at ${url} did not answer`, { cause: error });
    }
  };
  const unexpected = (path: string, problem: string) =>
    new Unavailable("the ECS agent", `at ${url} answered ${path} with ${problem}`);

  const read = async <T>(path: string, schema: z.ZodType<T>): Promise<T> => {
    const { status, body } = await ask(path);
    if (status !== 200) throw unexpected(path, `status ${status}`);
    const answer = parse(body, schema);
    if (!answer.ok) throw unexpected(path, answer.problem);
    return answer.value;
  };

  return {
    url,
    async metadata() {
      const { Cluster, ContainerInstanceArn, Version } = await read("/v1/metadata", Metadata);
      const owner = ownerOf(ContainerInstanceArn ?? "");
      if (owner === undefined) {
        throw unexpected(
          "/v1/metadata",
          ContainerInstanceArn
            ? `an unknown container instance ARN, ${quote(ContainerInstanceArn, 200)}`
            : "no container instance ARN: it has not registered with its cluster",
        );
      }
      return { owner, cluster: Cluster, version: Version };
    },
    async taskOf(id) {
      const path = `/v1/tasks?dockerid=${id}`;
      const { status, body } = await ask(path);
      if (status === 404) return { kind: "unknown" };
      if (status >= 500) throw unexpected(path, `status ${status}`);
      if (status !== 200) return { kind: "malformed", problem: `status ${status}` };
      const answer = parse(body, IntrospectedTask);
      if (!answer.ok) return { kind: "malformed", problem: answer.problem };
      const task = readTask(answer.value);
      return task === undefined
        ? { kind: "malformed", problem: `an unknown task ARN, ${quote(answer.value.Arn, 200)}` }
        : { kind: "task", task };
    },
    async liveTasks() {
      const { Tasks } = await read("/v1/tasks", IntrospectedTasks);
      return new Set(
        Tasks.filter(({ KnownStatus }) => KnownStatus !== "STOPPED")
          .map(({ Arn }) => taskIdOf(Arn))
          .filter((id) => id !== undefined),
      );
    },
  };
}

/**
 * The candidate that is the first to answer as an ECS agent does. All are asked at once and none is waited for, because
 * one behind a firewall that drops packets answers nothing until its time limit.
 * Throws `Unavailable`, with what each of them said, when none does.
 */
export async function findEcsAgent(urls: readonly string[]): Promise<FoundEcsAgent> {
  const asked = urls.map(async (url) => {
    const agent = ecsAgent(url);
    return { agent, ...(await agent.metadata()) };
  });
  try {
    return await Promise.any(asked);
  } catch (error) {
    const problems = (error as AggregateError).errors.map((one: unknown) => causes(one));
    throw new Unavailable("the ECS agent", "was not found", { cause: problems.join("; ") });
  }
}

function readTask({ Arn, KnownStatus, Containers }: z.output<typeof IntrospectedTask>) {
  const id = taskIdOf(Arn);
  if (id === undefined) return undefined;
  const containers: Task["containers"] = new Map(
    Containers.flatMap(({ DockerId, Networks, Ports }) => {
      const container = asContainerId(DockerId);
      const ipv4 = Networks.flatMap(({ IPv4Addresses }) => IPv4Addresses);
      const ipv6 = Networks.flatMap(({ IPv6Addresses }) => IPv6Addresses);
      const ports = Ports.flatMap(({ ContainerPort, HostPort }) =>
        ContainerPort === undefined
          ? []
          : [{ container: ContainerPort, ...(HostPort !== undefined && { host: HostPort }) }],
      );
      return container === undefined ? [] : [[container, { ipv4, ipv6, ports }] as const];
    }),
  );
  return { id, containers, stopped: KnownStatus === "STOPPED" };
}

type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

function parse<T>(body: string, schema: z.ZodType<T>): Parsed<T> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return { ok: false, problem: "text that is not JSON" };
  }
  const parsed = schema.safeParse(json);
  return parsed.success
    ? { ok: true, value: parsed.data }
    : { ok: false, problem: `an unknown shape, ${shapeProblem(parsed.error)}` };
}
