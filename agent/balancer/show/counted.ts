import type { Call, CallOutcome } from "../../../lib/elb/calls.ts";
import type { ClassicApi, TargetsApi } from "../../../lib/elb/ports.ts";
import type { TextSource } from "../../../lib/kit/text-source.ts";
import type { Edges } from "../edges.ts";

/** Hears of each request to AWS when it has ended. */
export type Count = (operation: string, result: "ok" | "refused" | "failed") => void;

const isRefused = (answer: unknown): boolean =>
  typeof answer === "object" &&
  answer !== null &&
  ["refused", "problem"].includes(String((answer as { readonly kind?: unknown }).kind));

/** The edges, with every request to AWS counted. */
export function countedEdges(edges: Edges, count: Count): Edges {
  const counted = async <T>(operation: string, asked: Promise<T>): Promise<T> => {
    try {
      const answer = await asked;
      count(operation, isRefused(answer) ? "refused" : "ok");
      return answer;
    } catch (error) {
      count(operation, "failed");
      throw error;
    }
  };
  const text = (source: TextSource): TextSource => ({
    read: () => counted("GetObject", source.read()),
    close: () => source.close(),
  });
  return {
    ...edges,
    file(location, region) {
      const file = edges.file(location, region);
      return location.kind === "s3" ? { ...file, source: text(file.source) } : file;
    },
    control(region) {
      const control = edges.control(region);
      return {
        ...control,
        instances: (cluster, from) =>
          counted("ListContainerInstances", control.instances(cluster, from)),
      };
    },
    tasks(region) {
      const tasks = edges.tasks(region);
      return {
        ...tasks,
        tasks: (selection, from) => counted("ListTasks", tasks.tasks(selection, from)),
        describe: (cluster, arns) => counted("DescribeTasks", tasks.describe(cluster, arns)),
        instances: (cluster, arns) =>
          counted("DescribeContainerInstances", tasks.instances(cluster, arns)),
      };
    },
    classic(region) {
      const api = edges.classic(region);
      const classic: ClassicApi = {
        describe: (question, from) =>
          counted("DescribeLoadBalancers", api.describe(question, from)),
        send: (call: Call): Promise<CallOutcome> => counted(call.operation, api.send(call)),
        health: (name, instance) => counted("DescribeInstanceHealth", api.health(name, instance)),
      };
      return { ...classic, close: () => api.close() };
    },
    targets(region) {
      const api = edges.targets(region);
      const targets: TargetsApi = {
        group: (arn) => counted("DescribeTargetGroups", api.group(arn)),
        targets: (arn) => counted("DescribeTargetHealth", api.targets(arn)),
        register: (arn, all) => counted("RegisterTargets", api.register(arn, all)),
        deregister: (arn, all) => counted("DeregisterTargets", api.deregister(arn, all)),
      };
      return { ...targets, close: () => api.close() };
    },
  };
}
