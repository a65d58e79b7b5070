import { clusterName } from "../../lib/ecs/fleet.ts";
import type { EcsControl } from "../../lib/ecs/io/control.ts";
import type { EcsService } from "../../lib/ecs/io/service.ts";
import { Fatal, Unavailable } from "../../lib/kit/failure.ts";
import { quote } from "../../lib/kit/quote.ts";
import type { Edges } from "./edges.ts";

/** This host. */
export interface HostIdentity {
  /** The cluster of the configuration. */
  readonly cluster: string;
  /** Its container instance's id. */
  readonly containerInstance: string;
  /** Its EC2 instance: `i-…`. */
  readonly instance: string;
}

/** What this host can say of itself without asking AWS. */
export interface LocalIdentity {
  readonly agent: { readonly cluster: string; readonly containerInstance: string } | undefined;
  readonly instance: string | undefined;
}

export async function localIdentity(
  edges: Pick<Edges, "findEcsAgent" | "instanceId">,
): Promise<LocalIdentity> {
  const [agent, instance] = await Promise.all([
    edges.findEcsAgent().catch((error: unknown) => {
      if (!(error instanceof Unavailable)) throw error;
      return undefined;
    }),
    edges.instanceId(),
  ]);
  return {
    agent: agent && { cluster: agent.cluster, containerInstance: agent.owner.instance },
    instance,
  };
}

/**
 * This host in the cluster of the configuration, with as few questions as it takes: what the ECS agent and the instance's
 * metadata do not say, the API does. Throws `Unavailable`, and `Fatal` where this host is none of the cluster's.
 */
export async function hostIn(
  cluster: string,
  { agent, instance }: LocalIdentity,
  api: {
    readonly control: Pick<EcsControl, "instances">;
    readonly tasks: Pick<EcsService, "instances">;
  },
): Promise<HostIdentity> {
  if (agent !== undefined) {
    if (clusterName(agent.cluster) !== clusterName(cluster)) {
      throw new Fatal(
        `the configuration names cluster ${quote(clusterName(cluster))}, and this host's ECS agent says that it is in ` +
          `${quote(clusterName(agent.cluster))}: put right one of them`,
      );
    }
    const { containerInstance } = agent;
    if (instance !== undefined) return { cluster, containerInstance, instance };
    const found = await api.tasks.instances(cluster, [containerInstance]);
    const [id] = found.values();
    if (id !== undefined) return { cluster, containerInstance, instance: id };
    throw new Fatal(
      `ECS knows no container instance ${containerInstance} in cluster ${quote(cluster)}`,
    );
  }
  if (instance === undefined) {
    throw new Unavailable(
      "the ECS agent",
      "was not found, and neither was EC2's instance metadata (a container on a bridge needs a hop limit of 2), so this host can't be told",
    );
  }
  let from: string | undefined;
  let count = 0;
  do {
    const page = await api.control.instances(cluster, from);
    const found =
      page.ids.length === 0
        ? new Map<string, string>()
        : await api.tasks.instances(cluster, page.ids);
    count += page.ids.length;
    for (const [arn, id] of found) {
      if (id === instance)
        return { cluster, containerInstance: arn.replace(/^.*\//, ""), instance };
    }
    from = page.next;
  } while (from !== undefined);
  throw new Fatal(
    `none of the ${count} container instances of cluster ${quote(clusterName(cluster))} is this host, ${instance}: ` +
      "see `cluster` in the configuration file, and AWS_REGION",
  );
}
