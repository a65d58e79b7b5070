import { readdir } from "node:fs/promises";
import { cloudFormation } from "../../../lib/cloud/io/cloudformation.ts";
import { ecsDeploy } from "../../../lib/ecs/io/deploy.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { type Ask, outcomes } from "../asking.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import { answer } from "../report.ts";
import { askAws, type Call } from "./aws.ts";

interface Config {
  readonly folder: string;
  readonly cluster: string | undefined;
  readonly profile: string | undefined;
  readonly json: boolean;
}

const OURS = /\.(?:taskdef|service|cf|params|template|mk)$/;
/** No stack of anybody is called so: the answer that there is none shows that the question is allowed. */
const NO_STACK = "ecs-discovery-doctor-asks";

/** Whether the folder has files, and ECS and CloudFormation answer. What the files say, `cluster plan` checks. */
export async function cluster(config: Config, surroundings: Surroundings): Promise<Answer> {
  const ask = outcomes(surroundings);
  const env = {
    ...surroundings.env,
    ...(config.profile !== undefined && { AWS_PROFILE: config.profile }),
  };
  const [folder, aws] = await Promise.all([
    askFolder(ask, config.folder),
    askAws(
      { ask, env, policy: "agent/cluster/README.md, What it needs" },
      ["ecs", "stacks"],
      (region) => calls(config, region),
    ),
  ]);
  return answer([folder, ...aws], config);
}

async function askFolder(ask: Ask, path: string): Promise<Finding> {
  const found = await ask(() => readdir(path));
  if (found.kind === "failed") return fail("folder", found.problem, "give --folder=<path>");
  const count = found.value.filter((name) => OURS.test(name)).length;
  return count > 0
    ? ok("folder", `${path} has ${count} files; \`cluster plan\` reads them`)
    : warn(
        "folder",
        `${path} has no .taskdef, .service, .cf or .params`,
        "`cluster templates` writes skeletons; deploy/cluster/example is a whole folder",
      );
}

function calls({ cluster: name, profile }: Config, region: string): readonly Call[] {
  const options = { region, ...(profile !== undefined && { profile }) };
  return [
    {
      check: "ecs",
      permission: "ecs:DescribeClusters",
      async asks() {
        const asked = name ?? "default";
        const ecs = ecsDeploy(options);
        const found = await ecs.cluster(asked).finally(() => ecs.close());
        return found === undefined
          ? `answers; there is no cluster ${asked} yet`
          : `the cluster ${asked} has ${found.hosts} hosts and ${found.running} running tasks`;
      },
    },
    {
      check: "stacks",
      permission: "cloudformation:DescribeStacks",
      async asks() {
        const stacks = cloudFormation(options);
        await stacks.stack(NO_STACK).finally(() => stacks.close());
        return "CloudFormation answers";
      },
    },
  ];
}
