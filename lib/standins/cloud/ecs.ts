import {
  type Answer,
  arnOf,
  type Input,
  type Now,
  ok,
  refused,
  textIn,
  textsIn,
} from "./answer.ts";

interface Tag {
  readonly key: string;
  readonly value: string;
}

interface Revision {
  readonly arn: string;
  readonly family: string;
  readonly revision: number;
  status: "ACTIVE" | "INACTIVE" | "DELETE_IN_PROGRESS";
  readonly content: Input;
  tags: readonly Tag[];
}

interface Service {
  readonly name: string;
  readonly arn: string;
  readonly cluster: string;
  members: Input;
  taskDefinition: string;
  desired: number;
  status: "ACTIVE" | "DRAINING" | "INACTIVE";
  /** How many ran when it was last changed, and when that was. */
  before: number;
  changedAt: number;
  deployment: number;
  tags: readonly Tag[];
  events: readonly { readonly id: string; readonly createdAt: number; readonly message: string }[];
}

const FAMILY = /^[A-Za-z0-9_-]{1,255}$/;
/** An image that no registry has: tasks of it never start. */
const BROKEN = /broken/;

const tagsOf = (input: Input): readonly Tag[] =>
  (input["tags"] as readonly Tag[] | undefined) ?? [];

interface Ecs {
  readonly now: Now;
  /** How long tasks take to start and to stop. */
  readonly taskMs: number;
  readonly clusters: Set<string>;
  readonly revisions: Revision[];
  readonly services: Map<string, Service>;
}

const revisionOf = (ecs: Ecs, reference: string): Revision | undefined => {
  const name = reference.replace(/^arn:[^/]*\//, "");
  const of = ecs.revisions.filter(({ family, revision }) => name === `${family}:${revision}`);
  return (
    of[0] ?? ecs.revisions.findLast(({ family, status }) => family === name && status === "ACTIVE")
  );
};
const imagesOf = ({ content }: Revision): readonly string[] =>
  ((content["containerDefinitions"] as readonly Input[] | undefined) ?? []).map((one) =>
    textIn(one, "image"),
  );
const isBroken = (ecs: Ecs, service: Service): boolean => {
  const revision = revisionOf(ecs, service.taskDefinition);
  return revision !== undefined && imagesOf(revision).some((image) => BROKEN.test(image));
};
const isMoved = (ecs: Ecs, service: Service): boolean =>
  ecs.now() - service.changedAt >= ecs.taskMs;
const running = (ecs: Ecs, service: Service): number => {
  if (!isMoved(ecs, service)) return service.before;
  return isBroken(ecs, service) ? Math.min(service.before, service.desired) : service.desired;
};
const shown = (ecs: Ecs, service: Service): Input => {
  const count = running(ecs, service);
  const isDone = count === service.desired && isMoved(ecs, service);
  const failed = isMoved(ecs, service) && isBroken(ecs, service) && service.desired > 0;
  return {
    ...service.members,
    ...{ serviceName: service.name, serviceArn: service.arn, status: service.status },
    ...{ taskDefinition: service.taskDefinition, desiredCount: service.desired },
    ...{ runningCount: count, pendingCount: Math.max(0, service.desired - count) },
    schedulingStrategy: service.members["schedulingStrategy"] ?? "REPLICA",
    deployments: [
      {
        ...{ id: `ecs-svc/${service.deployment}`, status: "PRIMARY" },
        ...{ taskDefinition: service.taskDefinition, desiredCount: service.desired },
        ...{ runningCount: count, failedTasks: failed ? 3 : 0 },
        rolloutState: failed ? "FAILED" : isDone ? "COMPLETED" : "IN_PROGRESS",
        ...(failed && {
          rolloutStateReason: "ECS deployment circuit breaker: tasks failed to start.",
        }),
      },
    ],
    events: failed
      ? [
          {
            id: `failed-${service.deployment}`,
            createdAt: 1_700_000_000,
            message: `(service ${service.name}) was unable to start tasks: CannotPullContainerError.`,
          },
          ...service.events,
        ]
      : service.events,
    tags: service.tags,
  };
};
const change = (ecs: Ecs, service: Service, act: () => void): void => {
  service.before = running(ecs, service);
  act();
  service.changedAt = ecs.now();
  service.deployment += 1;
};
const clusterIn = (input: Input): string =>
  (textIn(input, "cluster") || "default").replace(/^.*\//, "");
const noCluster = () => refused("ClusterNotFoundException", "Cluster not found.");
const noService = () => refused("ServiceNotFoundException", "Service not found.");
const serviceIn = (ecs: Ecs, input: Input): Service | undefined =>
  ecs.services.get(`${clusterIn(input)}/${textIn(input, "service")}`);
const sweep = (ecs: Ecs): void => {
  for (const one of ecs.services.values()) {
    if (one.status === "DRAINING" && isMoved(ecs, one)) one.status = "INACTIVE";
  }
};

const operations: Readonly<Record<string, (ecs: Ecs, input: Input) => Answer>> = {
  DescribeClusters: (ecs, input) =>
    ok({
      clusters: textsIn(input, "clusters")
        .filter((name) => ecs.clusters.has(name))
        .map((name) => ({
          ...{ clusterName: name, status: "ACTIVE", registeredContainerInstancesCount: 2 },
          runningTasksCount: [...ecs.services.values()].reduce(
            (sum, one) => sum + running(ecs, one),
            0,
          ),
        })),
    }),
  ListServices(ecs, input) {
    if (!ecs.clusters.has(clusterIn(input))) return noCluster();
    const all = [...ecs.services.values()].filter(
      ({ status, cluster }) => status !== "INACTIVE" && cluster === clusterIn(input),
    );
    return ok({ serviceArns: all.map(({ arn }) => arn) });
  },
  DescribeServices(ecs, input) {
    if (!ecs.clusters.has(clusterIn(input))) return noCluster();
    const names = textsIn(input, "services");
    if (names.length > 10)
      return refused("InvalidParameterException", "Service list cannot have more than 10 entries.");
    sweep(ecs);
    const found = names.flatMap((name) => ecs.services.get(`${clusterIn(input)}/${name}`) ?? []);
    return ok({ services: found.map((one) => shown(ecs, one)), failures: [] });
  },
  CreateService(ecs, input) {
    const cluster = clusterIn(input);
    const name = textIn(input, "serviceName");
    if (!ecs.clusters.has(cluster)) return noCluster();
    sweep(ecs);
    const there = ecs.services.get(`${cluster}/${name}`);
    if (there?.status === "ACTIVE")
      return refused("InvalidParameterException", "Creation of service was not idempotent.");
    if (there?.status === "DRAINING")
      return refused(
        "InvalidParameterException",
        "Unable to Start a service that is still Draining.",
      );
    const revision = revisionOf(ecs, textIn(input, "taskDefinition"));
    if (revision?.status !== "ACTIVE")
      return refused("ClientException", "TaskDefinition is inactive");
    const { tags: _, ...members } = input;
    const isDaemon = input["schedulingStrategy"] === "DAEMON";
    const service: Service = {
      ...{ name, cluster, members, arn: arnOf("ecs", `service/${cluster}/${name}`) },
      ...{ taskDefinition: revision.arn, status: "ACTIVE", before: 0, changedAt: ecs.now() },
      ...{ deployment: 1, tags: tagsOf(input), events: [] },
      desired: isDaemon ? 2 : Number(input["desiredCount"] ?? 0),
    };
    ecs.services.set(`${cluster}/${name}`, service);
    return ok({ service: shown(ecs, service) });
  },
  UpdateService(ecs, input) {
    const service = serviceIn(ecs, input);
    if (service === undefined) return noService();
    if (service.status !== "ACTIVE")
      return refused("ServiceNotActiveException", "Service was not ACTIVE.");
    const revision = revisionOf(ecs, textIn(input, "taskDefinition") || service.taskDefinition);
    if (revision === undefined) return refused("ClientException", "TaskDefinition not found.");
    change(ecs, service, () => {
      service.taskDefinition = revision.arn;
      if (typeof input["desiredCount"] === "number") service.desired = input["desiredCount"];
      const { service: _, cluster: __, taskDefinition: ___, ...members } = input;
      service.members = { ...service.members, ...members };
    });
    return ok({ service: shown(ecs, service) });
  },
  DeleteService(ecs, input) {
    const service = serviceIn(ecs, input);
    if (service === undefined || service.status === "INACTIVE") return noService();
    change(ecs, service, () => {
      service.status = "DRAINING";
      service.desired = 0;
    });
    return ok({ service: shown(ecs, service) });
  },
  TagResource(ecs, input) {
    const arn = textIn(input, "resourceArn");
    const owner =
      [...ecs.services.values()].find((one) => one.arn === arn) ??
      ecs.revisions.find((one) => one.arn === arn);
    if (owner === undefined) return refused("ResourceNotFoundException", "no such resource");
    const added = new Map(tagsOf(input).map((tag) => [tag.key, tag]));
    owner.tags = [...owner.tags.filter(({ key }) => !added.has(key)), ...added.values()];
    return ok();
  },
  ListTasks(ecs, input) {
    const service = ecs.services.get(`${clusterIn(input)}/${textIn(input, "serviceName")}`);
    const isStopped = service !== undefined && isBroken(ecs, service) && isMoved(ecs, service);
    return ok({
      taskArns: isStopped ? [arnOf("ecs", `task/${service.cluster}/${"a".repeat(32)}`)] : [],
    });
  },
  DescribeTasks: (_, input) =>
    ok({
      tasks: textsIn(input, "tasks").map((taskArn) => ({
        taskArn,
        stoppedReason: "CannotPullContainerError: pull access denied",
        containers: [],
      })),
    }),
  ListTaskDefinitionFamilies(ecs, input) {
    const prefix = textIn(input, "familyPrefix");
    const active = ecs.revisions.filter(
      ({ status, family }) => status === "ACTIVE" && family.startsWith(prefix),
    );
    return ok({ families: [...new Set(active.map(({ family }) => family))].toSorted() });
  },
  ListTaskDefinitions(ecs, input) {
    const family = textIn(input, "familyPrefix");
    const active = ecs.revisions.filter(
      (one) => one.status === "ACTIVE" && (family === "" || one.family === family),
    );
    return ok({ taskDefinitionArns: active.map(({ arn }) => arn) });
  },
  DescribeTaskDefinition(ecs, input) {
    const found = revisionOf(ecs, textIn(input, "taskDefinition"));
    if (found === undefined)
      return refused("ClientException", "Unable to describe task definition.");
    return ok({ taskDefinition: shownRevision(found), tags: found.tags });
  },
  RegisterTaskDefinition(ecs, input) {
    const family = textIn(input, "family");
    if (!FAMILY.test(family))
      return refused("ClientException", "Family contains invalid characters.");
    const revision =
      1 +
      Math.max(
        0,
        ...ecs.revisions.filter((one) => one.family === family).map((one) => one.revision),
      );
    const { tags: _, ...content } = input;
    const made: Revision = {
      ...{ family, revision, content, status: "ACTIVE", tags: tagsOf(input) },
      arn: arnOf("ecs", `task-definition/${family}:${revision}`),
    };
    ecs.revisions.push(made);
    return ok({ taskDefinition: shownRevision(made), tags: made.tags });
  },
  DeregisterTaskDefinition(ecs, input) {
    const found = revisionOf(ecs, textIn(input, "taskDefinition"));
    if (found === undefined)
      return refused("ClientException", "The specified task definition does not exist.");
    found.status = "INACTIVE";
    return ok({ taskDefinition: shownRevision(found) });
  },
  DeleteTaskDefinitions(ecs, input) {
    for (const reference of textsIn(input, "taskDefinitions")) {
      const found = revisionOf(ecs, reference);
      if (found?.status === "INACTIVE") found.status = "DELETE_IN_PROGRESS";
    }
    return ok({ failures: [] });
  },
};
/** What ECS has: clusters, task definitions and services whose tasks take `taskMs` to start and stop. */
export function ecsAccount(now: Now, { taskMs }: { readonly taskMs: number }) {
  const ecs: Ecs = { now, taskMs, clusters: new Set(), revisions: [], services: new Map() };
  return {
    ...ecs,
    answer: (operation: string, input: Input): Answer =>
      operations[operation]?.(ecs, input) ??
      refused("UnknownOperationException", `no rule for ${operation}`),
  };
}

const shownRevision = ({ arn, family, revision, status, content }: Revision): Input => ({
  ...content,
  ...{ taskDefinitionArn: arn, family, revision, status },
});
