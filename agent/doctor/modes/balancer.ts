import { existsSync } from "node:fs";
import { ecsService } from "../../../lib/ecs/io/service.ts";
import { readConfiguration } from "../../../lib/elb/files/configuration.ts";
import { type Location, locationText } from "../../../lib/elb/files/location.ts";
import { type FileProblem, problemText } from "../../../lib/elb/files/members.ts";
import { readServices } from "../../../lib/elb/files/services-file.ts";
import { classicApi } from "../../../lib/elb/io/classic.ts";
import { targetsApi } from "../../../lib/elb/io/targets.ts";
import { textAt } from "../../../lib/elb/io/text-at.ts";
import type { Service } from "../../../lib/elb/service.ts";
import { writeProblem } from "../../../lib/route53/io/journal-file.ts";
import type { StatusAddress } from "../../page/status-address.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { askAgents, askDocker, askStatus, foundAmong, outcomes } from "../asking.ts";
import { type Finding, fail, notChecked, ok, skip } from "../finding.ts";
import * as host from "../host-checks.ts";
import { answer } from "../report.ts";
import { askAws, type Call } from "./aws.ts";

interface Config {
  readonly configurationUrl: Location;
  readonly servicesUrl: Location;
  readonly introspectionUrl: string | undefined;
  readonly stateDir: string;
  readonly statusAddress: StatusAddress | undefined;
  readonly json: boolean;
}

const CALLS = ["configuration", "services", "tasks", "load-balancers", "target-groups"];
const POLICY = "deploy/balancer/iam.json";
const SOCKET = "/var/run/docker.sock";
/** Every container counts: balancer knows its own by the task definition's family. */
const ANY_CONTAINER = "com.amazonaws.ecs.task-arn";

/** Both files, the host, and the load balancers that the services file names. */
export async function balancer(config: Config, surroundings: Surroundings): Promise<Answer> {
  const { env } = surroundings;
  const ask = outcomes(surroundings);
  const hasDocker = Boolean(env["DOCKER_HOST"]) || existsSync(SOCKET);
  const [docker, agents, journal, status, aws] = await Promise.all([
    hasDocker
      ? askDocker(ask, env, ANY_CONTAINER)
      : skip("docker", `no engine at ${SOCKET}`, "looks come by time alone, without its events"),
    askAgents(ask, config),
    writeProblem(config.stateDir),
    askStatus(ask, config.statusAddress),
    askAws({ ask, env, policy: POLICY }, CALLS, (region) => calls(config, region, env)),
  ]);
  const findings: readonly Finding[] = [
    docker,
    host.introspection(agents),
    host.identity(foundAmong(agents)),
    ...aws,
    journalNeeded(config.stateDir, journal),
    status,
  ];
  return answer(findings, config);
}

/** Without it no listener is moved. */
const journalNeeded = (folder: string, problem: NodeJS.ErrnoException | undefined): Finding =>
  problem === undefined
    ? host.journalFolder(folder, undefined)
    : fail(
        "journal",
        `${folder} can't be written (${problem.code}): no listener would be moved, and no target registered`,
        "mount a folder there that the agent's user may write, or choose another with --stateDir",
      );

function calls(config: Config, region: string, env: Surroundings["env"]): readonly Call[] {
  let cluster: string | undefined;
  let services: readonly Service[] | undefined;
  const textOf = async (location: Location): Promise<string> => {
    const source = textAt(location, region, env);
    try {
      const read = await source.read();
      if (read.kind === "text") return read.text;
      throw new Error(read.kind === "problem" ? read.problem : "nothing was read");
    } finally {
      source.close();
    }
  };
  const wrong = (check: string, location: Location, problems: readonly FileProblem[]) =>
    fail(
      check,
      `${locationText(location)}: ${problems.map(problemText).join("; ")}`,
      "correct the file: deploy/balancer has one of each kind",
    );
  return [
    {
      check: "configuration",
      permission: config.configurationUrl.kind === "file" ? "" : "s3:GetObject",
      async asks() {
        const read = readConfiguration(await textOf(config.configurationUrl));
        if (!read.ok) return wrong("configuration", config.configurationUrl, read.problems);
        ({ cluster } = read.value);
        return `the cluster ${cluster}, a look each ${read.value.sleepTimeSeconds} s`;
      },
    },
    {
      check: "services",
      permission: config.servicesUrl.kind === "file" ? "" : "s3:GetObject",
      async asks() {
        const read = readServices(await textOf(config.servicesUrl));
        if (!read.ok) return wrong("services", config.servicesUrl, read.problems);
        ({ services } = read);
        const broken = read.broken.flatMap(({ problems }) => problems);
        if (broken.length > 0) return wrong("services", config.servicesUrl, broken);
        return `${services.length} services`;
      },
    },
    {
      check: "tasks",
      permission: "ecs:ListTasks",
      async asks() {
        if (cluster === undefined) return notChecked("tasks", "configuration");
        const ecs = ecsService({ region });
        const { arns } = await ecs.tasks({ cluster }, undefined).finally(() => ecs.close());
        return `${arns.length} tasks in the cluster ${cluster}`;
      },
    },
    {
      check: "load-balancers",
      permission: "elasticloadbalancing:DescribeLoadBalancers",
      asks: async () =>
        services === undefined
          ? notChecked("load-balancers", "services")
          : findBalancers(services, region),
    },
    {
      check: "target-groups",
      permission: "elasticloadbalancing:DescribeTargetGroups",
      asks: async () =>
        services === undefined
          ? notChecked("target-groups", "services")
          : findGroups(services, region),
    },
  ];
}

async function findBalancers(
  services: readonly Service[],
  region: string,
): Promise<string | Finding> {
  const names = services
    .map(({ outlet }) => (outlet.mode === "targets" ? undefined : outlet.loadBalancer))
    .filter((one) => one !== undefined);
  if (names.length === 0) return ok("load-balancers", "no service has one");
  const api = classicApi({ region });
  const lacking: string[] = [];
  try {
    // One by one: of several names that are asked for at once, the answer does not tell which one is unknown.
    for (const name of new Set(names)) {
      const found = await api.describe({ kind: "names", names: [name] }, undefined);
      if (found.kind === "refused") throw new Error(`${found.code}: ${found.message}`);
      if (found.kind === "not-found") lacking.push(name);
    }
  } finally {
    api.close();
  }
  return lacking.length === 0
    ? `all ${new Set(names).size} are there`
    : fail(
        "load-balancers",
        `there is no Classic Load Balancer ${lacking.join(", ")} in ${region}`,
        "make it, or correct loadBalancerName in the services file",
      );
}

async function findGroups(services: readonly Service[], region: string): Promise<string | Finding> {
  const arns = services
    .map(({ outlet }) => (outlet.mode === "targets" ? outlet.targetGroupArn : undefined))
    .filter((one) => one !== undefined);
  if (arns.length === 0) return ok("target-groups", "no service has one");
  const api = targetsApi({ region });
  try {
    for (const arn of new Set(arns)) {
      const found = await api.group(arn);
      if (found.kind === "refused") throw new Error(`${arn}: ${found.code}: ${found.message}`);
    }
  } finally {
    api.close();
  }
  return `all ${new Set(arns).size} are there`;
}
