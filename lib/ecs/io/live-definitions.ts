import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
  ListServicesCommand,
} from "@aws-sdk/client-ecs";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { causes, Fatal } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";

/** DescribeServices takes at most ten (API reference). */
const MOST_SERVICES = 10;

export interface LiveDefinitions {
  /**
   * The named services of a cluster with the task definitions they run, as ECS describes them; all of the cluster's when
   * none is named. Throws `Fatal` for a service that is not there, and for anything ECS refuses.
   */
  services(
    cluster: string,
    names: readonly string[],
  ): Promise<readonly { readonly service: unknown; readonly task: unknown }[]>;
  close(): void;
}

/** Region, credentials and endpoint come from where the AWS SDK finds them. */
export function liveDefinitions(): LiveDefinitions {
  const client = new ECSClient(clientDefaults());
  const asked = <T>(operation: string, answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown): never => {
      throw new Fatal(
        `ECS did not answer ${operation}: see AWS_REGION, the credentials, and that ecs:${operation} is allowed: ${causes(error)}`,
      );
    });

  async function allNames(cluster: string): Promise<readonly string[]> {
    const names: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = await asked(
        "ListServices",
        client.send(new ListServicesCommand({ cluster, nextToken, maxResults: 100 })),
      );
      names.push(...(page.serviceArns ?? []));
      nextToken = page.nextToken || undefined;
    } while (nextToken !== undefined);
    return names;
  }

  return {
    async services(cluster, given) {
      const names = given.length > 0 ? given : await allNames(cluster);
      const found: { readonly service: unknown; readonly task: unknown }[] = [];
      const tasks = new Map<string, Promise<unknown>>();
      for (let from = 0; from < names.length; from += MOST_SERVICES) {
        const page = names.slice(from, from + MOST_SERVICES);
        const { services = [], failures = [] } = await asked(
          "DescribeServices",
          client.send(
            new DescribeServicesCommand({ cluster, services: [...page], include: ["TAGS"] }),
          ),
        );
        const [failure] = failures;
        if (failure !== undefined) {
          throw new Fatal(
            `ECS has no service ${quote(failure.arn ?? "")} in cluster ${quote(cluster)}: ${failure.reason ?? "no reason given"}; see \`aws ecs list-services\``,
          );
        }
        for (const service of services) {
          const arn = service.taskDefinition ?? "";
          const task =
            tasks.get(arn) ??
            asked(
              "DescribeTaskDefinition",
              client.send(
                new DescribeTaskDefinitionCommand({ taskDefinition: arn, include: ["TAGS"] }),
              ),
            );
          tasks.set(arn, task);
          found.push({ service, task: await task });
        }
      }
      return found;
    },
    close: () => client.destroy(),
  };
}
