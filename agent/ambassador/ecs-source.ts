import { ec2 } from "../../lib/aws/io/ec2.ts";
import { serviceTasks } from "../../lib/ecs/flow/service-tasks.ts";
import { findRegion } from "../../lib/ecs/io/region.ts";
import { ecsService } from "../../lib/ecs/io/service.ts";
import { servedBy } from "../../lib/ecs/service-task.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { AmbassadorConfig } from "./config.ts";
import type { Source } from "./source.ts";

/** The tasks of a service or family, by the APIs of ECS and EC2. Throws `Fatal` where nobody knows the region. */
export async function ecsSource(
  config: AmbassadorConfig,
  env: Surroundings["env"],
): Promise<Source> {
  const { cluster, service, family, name = "", ports } = config;
  const region = await findRegion(env);
  if (region === undefined) {
    throw new Fatal(
      "no AWS region: set AWS_REGION (neither AWS_DEFAULT_REGION nor the metadata of the task or the instance told one)",
    );
  }
  const ecs = ecsService({ region });
  const machines = ec2({ region, credentials: ecs.credentials, env });
  const tasks = serviceTasks({
    api: {
      ...ecs,
      addresses: (kind, ids) =>
        kind === "instance" ? machines.instances(ids) : machines.interfaces(ids),
    },
    selection: {
      cluster,
      ...(service !== undefined && { service }),
      ...(family !== undefined && { family: family.family }),
    },
    wanted: {
      container: name,
      ...(family?.revision !== undefined && { revision: family.revision }),
      byHealth: config.health !== "off",
    },
    isPublic: config.public,
  });
  const which =
    family === undefined
      ? `the service ${service}`
      : `the family ${[family.family, family.revision].filter((one) => one !== undefined).join(":")}`;
  return {
    name: `${which} in the cluster ${cluster.replace(/^.*\//, "")} (${region})`,
    look: async () => servedBy(await tasks.look(), ports),
  };
}
