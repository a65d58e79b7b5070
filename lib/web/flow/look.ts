import { asContainerId, type Container, type ContainerId } from "../../docker/container.ts";
import type { Lives } from "../../docker/flow/lives.ts";
import type { Life } from "../../docker/life.ts";
import type { NoAnswer, TaskAnswer } from "../../ecs/task.ts";
import { causes, Unavailable } from "../../kit/failure.ts";
import { addressOf } from "../address.ts";
import { type Ask, type LabelRules, readLabels, targetProblem } from "../labels.ts";
import type { Claim } from "../virtual-hosts.ts";

/** Asked again so soon when an address is not known yet: the ECS agent may be a moment behind. */
const AGAIN_MS = 1_000;

/** What a look at one container showed. */
export interface Seen {
  readonly container?: Container;
  readonly life: Life;
  /** Nothing of a container that is dead, or has not begun to serve. */
  readonly claims: readonly Claim[];
  /** Of `dns.hostname`, while it serves. */
  readonly dnsNames: readonly string[];
  /** Why it has no claim though its labels ask for one. */
  readonly reason?: string;
  /** What is wrong with single words of its labels. */
  readonly problems: readonly string[];
  readonly againInMs?: number;
}

export interface LookPorts {
  /** Undefined for a container that is gone. Throws `Unavailable`. */
  readonly inspect: (id: ContainerId) => Promise<Container | undefined>;
  /** Asked only for a container whose address Docker does not know. */
  readonly taskOf: (id: ContainerId) => Promise<TaskAnswer | NoAnswer>;
}

/**
 * Looks at one container: what its labels ask for, and where it is reached. A container that was sent its stop signal, or
 * is paused, gets no new request; one that is unhealthy serves on only where it was healthy before, and nobody else
 * serves (see `virtualHosts`).
 */
export function look({
  ports,
  lives,
  rules,
}: {
  readonly ports: LookPorts;
  readonly lives: Lives;
  readonly rules: LabelRules;
}): (id: ContainerId) => Promise<Seen> {
  const wasHealthy = new Set<ContainerId>();
  /** It lasts as long as the container's process: an ECS agent that is away for a moment takes nobody's address. */
  const addresses = new Map<ContainerId, string>();

  return async (id) => {
    const heard = lives.heard();
    const container = await ports.inspect(id);
    const { life, againInMs } = lives.see(id, container, heard);
    const again = againInMs !== undefined && { againInMs };
    if (container === undefined || life === "dead") {
      wasHealthy.delete(id);
      addresses.delete(id);
      return {
        ...(container && { container }),
        life,
        claims: [],
        dnsNames: [],
        problems: [],
        ...again,
      };
    }
    if (life === "healthy") wasHealthy.add(id);
    const ask = readLabels(container.labels, rules);
    const { problems } = ask;
    const state = stateOf(life, wasHealthy.has(id));
    const base = { container, life, problems, ...again };
    if (state === undefined) return { ...base, claims: [], dnsNames: [], reason: `it is ${life}` };
    const dnsNames = state === "serving" ? ask.dnsNames : [];
    if (ask.hosts.length === 0) {
      return {
        ...base,
        claims: [],
        dnsNames,
        ...(ask.dnsNames.length === 0 && { reason: "its labels name nothing that can be served" }),
      };
    }
    const found = await reach(container, ports);
    if ("address" in found) addresses.set(id, found.address);
    const address = "address" in found ? found.address : found.isPending && addresses.get(id);
    if ("reason" in found && !address) {
      return {
        ...base,
        claims: [],
        dnsNames,
        reason: found.reason,
        ...(found.isPending && { againInMs: AGAIN_MS }),
      };
    }
    return { ...base, dnsNames, ...claimsOf(container, address || "", state, ask, rules) };
  };
}

/** Where the container is reached; asks the ECS agent only where Docker does not know. */
async function reach(
  container: Container,
  { inspect, taskOf }: LookPorts,
): Promise<
  { readonly address: string } | { readonly reason: string; readonly isPending: boolean }
> {
  const wanted = container.labels.get("proxy.network");
  let answer = addressOf(container, wanted);
  if (answer.kind === "shared") {
    const other = asContainerId(answer.container);
    const shared = other === undefined ? undefined : await inspect(other);
    if (shared === undefined)
      return { reason: "the container whose network it shares is gone", isPending: true };
    answer = addressOf(shared, wanted);
  }
  switch (answer.kind) {
    case "address":
      return { address: answer.address };
    case "problem":
      return { reason: answer.problem, isPending: false };
    case "shared":
      return {
        reason: "it shares the network of a container that shares another's",
        isPending: false,
      };
    case "unknown":
      return fromTask(await taskOf(container.id), container.id);
  }
}

function stateOf(life: Life, wasHealthy: boolean): Claim["state"] | undefined {
  switch (life) {
    case "healthy":
      return "serving";
    case "unhealthy":
      return wasHealthy ? "unhealthy" : undefined;
    case "stopping":
    case "paused":
      return "draining";
    case "starting":
    case "dead":
      return undefined;
  }
}

function fromTask(answer: TaskAnswer | NoAnswer, id: ContainerId) {
  switch (answer.kind) {
    case "task": {
      const [address] = answer.task.containers.get(id)?.ipv4 ?? [];
      return address === undefined
        ? { reason: "it has no address: the ECS agent tells of none yet", isPending: true }
        : { address };
    }
    case "unknown":
      return {
        reason: "it has no address: neither Docker nor the ECS agent knows one",
        isPending: true,
      };
    case "malformed":
      return {
        reason: `it has no address: the ECS agent answered with ${answer.problem}`,
        isPending: true,
      };
    case "unavailable":
      return {
        reason: `it has no address: Docker knows none, and ${answer.problem}`,
        isPending: true,
      };
  }
}

function claimsOf(
  { id, name: containerName }: Container,
  address: string,
  state: Claim["state"],
  { hosts, ports, options, problems }: Ask,
  rules: LabelRules,
): Pick<Seen, "claims" | "problems" | "reason"> {
  const bad = ports.flatMap((pair) => targetProblem(pair, address, rules.ports) ?? []);
  const good = ports.filter((pair) => targetProblem(pair, address, rules.ports) === undefined);
  const claims = good.flatMap(({ listen, target }) =>
    hosts.map(
      ({ name, path }): Claim => ({
        container: id,
        containerName,
        name,
        path,
        listen,
        target: { address, port: target },
        state,
        options,
      }),
    ),
  );
  return {
    claims,
    problems: [...problems, ...bad],
    ...(claims.length === 0 && { reason: "none of its ports can be served" }),
  };
}

/** What `taskOf` gives where there may be no ECS agent at all. */
export const askAgent =
  (find: () => Promise<{ taskOf(id: ContainerId): Promise<TaskAnswer> }>) =>
  async (id: ContainerId): Promise<TaskAnswer | NoAnswer> => {
    try {
      return await (await find()).taskOf(id);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return { kind: "unavailable", problem: causes(error) };
    }
  };
