import { ecsControl } from "../../../lib/ecs/io/control.ts";
import { hostedZone } from "../../../lib/route53/io/zone.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { outcomes } from "../asking.ts";
import { skip } from "../finding.ts";
import { answer } from "../report.ts";
import { askAws, type Call } from "./aws.ts";

interface Config {
  readonly hostedZoneId: string;
  readonly clusters: readonly string[] | undefined;
  readonly json: boolean;
}

const CALLS = ["zone", "read", "clusters", "instances", "tasks"];

/** The zone, and what ECS knows of hosts and tasks. Whether it may delete, `sweep --dryRun` can't show either. */
export async function sweep(config: Config, surroundings: Surroundings): Promise<Answer> {
  const ask = outcomes(surroundings);
  const { env } = surroundings;
  const found = await askAws({ ask, env, policy: "deploy/iam-sweep.json" }, CALLS, (region) =>
    calls(config, region),
  );
  return answer(found, config);
}

function calls({ hostedZoneId: zoneId, clusters }: Config, region: string): readonly Call[] {
  const zone = hostedZone({ zoneId, region });
  const ecs = ecsControl({ region });
  let names = clusters ?? [];
  const inFirst = (check: string, act: (cluster: string) => Promise<string>) => async () => {
    const [first] = names;
    return first === undefined
      ? skip(check, "not tried", "there is no cluster that it could be tried with")
      : act(first);
  };
  return [
    {
      check: "zone",
      permission: "route53:GetHostedZone",
      async asks() {
        const { name, size } = await zone.facts();
        return `${name}, ${size} record sets`;
      },
    },
    {
      check: "read",
      permission: "route53:ListResourceRecordSets",
      async asks() {
        await zone.list(undefined);
        return "its record sets can be read";
      },
    },
    {
      check: "clusters",
      permission: "ecs:ListClusters",
      async asks() {
        if (clusters !== undefined) {
          return skip("clusters", "not needed", `--clusters names ${clusters.join(", ")}`);
        }
        names = (await ecs.clusters(undefined)).ids;
        return `${names.length} clusters`;
      },
    },
    {
      check: "instances",
      permission: "ecs:ListContainerInstances",
      asks: inFirst("instances", async (cluster) => {
        const { ids } = await ecs.instances(cluster, undefined);
        return `${ids.length} container instances in ${cluster}`;
      }),
    },
    {
      check: "tasks",
      permission: "ecs:ListTasks",
      asks: inFirst("tasks", async (cluster) => {
        const { ids } = await ecs.runningTasks(cluster, undefined);
        return `${ids.length} running tasks in ${cluster}`;
      }),
    },
  ];
}
