import { ec2 } from "../../../lib/aws/io/ec2.ts";
import { ecsService } from "../../../lib/ecs/io/service.ts";
import type { ServiceTask } from "../../../lib/ecs/service-task.ts";
import { kernelFacts } from "../../../lib/net/io/kernel-facts.ts";
import { nftables } from "../../../lib/net/io/nftables.ts";
import { serviceResolver } from "../../../lib/net/io/service-records.ts";
import { kernelLacks } from "../../../lib/net/kernel-lacks.ts";
import type { StatusAddress } from "../../page/status-address.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { type Ask, askStatus, outcomes } from "../asking.ts";
import { type Finding, fail, ok, skip, warn } from "../finding.ts";
import { answer } from "../report.ts";
import { askAws, type Call } from "./aws.ts";

interface Config {
  readonly name: string | undefined;
  readonly family: { readonly family: string; readonly revision?: number } | undefined;
  readonly service: string | undefined;
  readonly cluster: string;
  readonly dns: string | undefined;
  readonly resolver: string | undefined;
  readonly dataPlane: "auto" | "kernel" | "proxy";
  readonly statusAddress: StatusAddress | undefined;
  readonly json: boolean;
}

const CALLS = ["tasks", "describe", "hosts", "addresses"];
const POLICY = "deploy/ambassador/iam.json";

/** Whether the tasks can be found, and which data plane there would be. */
export async function ambassador(config: Config, surroundings: Surroundings): Promise<Answer> {
  const { env } = surroundings;
  const ask = outcomes(surroundings);
  const [found, plane, status] = await Promise.all([
    config.dns === undefined
      ? askAws({ ask, env, policy: POLICY }, CALLS, (region) => calls(config, region, env))
      : askRecords(ask, config.dns, config.resolver).then((one) => [one]),
    askPlane(ask, config.dataPlane),
    askStatus(ask, config.statusAddress),
  ]);
  return answer([...found, plane, status], config);
}

/** Each request of a look at the tasks. */
function calls(config: Config, region: string, env: Surroundings["env"]): readonly Call[] {
  const { cluster, service, family, name = "" } = config;
  const ecs = ecsService({ region });
  const machines = ec2({ region, credentials: ecs.credentials, env });
  let arns: readonly string[] = [];
  let tasks: readonly ServiceTask[] = [];
  let instances: readonly string[] = [];
  const nobody = (check: string) =>
    skip(check, "not tried", "no task runs that it could be tried with");
  return [
    {
      check: "tasks",
      permission: "ecs:ListTasks",
      async asks() {
        const selection = {
          cluster,
          ...(service !== undefined && { service }),
          ...(family !== undefined && { family: family.family }),
        };
        ({ arns } = await ecs.tasks(selection, undefined));
        const of =
          service === undefined ? `the family ${family?.family}` : `the service ${service}`;
        return arns.length > 0
          ? `${arns.length} tasks of ${of} in the cluster ${cluster}`
          : warn(
              "tasks",
              `no task of ${of} runs in the cluster ${cluster} (ecs:ListTasks)`,
              "start one, or check --service, --family and --cluster; until then connections are refused",
            );
      },
    },
    {
      check: "describe",
      permission: "ecs:DescribeTasks",
      async asks() {
        if (arns.length === 0) return nobody("describe");
        const described = await ecs.describe(cluster, arns.slice(0, 100));
        tasks = [...described.values()].flatMap((one) => (one.kind === "task" ? [one.task] : []));
        const names = new Set(tasks.flatMap(({ containers }) => containers.map((one) => one.name)));
        return names.has(name) || tasks.length === 0
          ? `${tasks.length} of them can be described`
          : fail(
              "describe",
              `none of ${tasks.length} tasks has a container ${name}; they have ${[...names].toSorted().join(", ")}`,
              "give --name one of these",
            );
      },
    },
    {
      check: "hosts",
      permission: "ecs:DescribeContainerInstances",
      async asks() {
        const hosts = [...new Set(tasks.map((one) => one.instance))].filter(
          (one) => one !== undefined,
        );
        if (hosts.length === 0) return nobody("hosts");
        instances = [...(await ecs.instances(cluster, hosts.slice(0, 100))).values()];
        return `${instances.length} of ${hosts.length} hosts known`;
      },
    },
    {
      check: "addresses",
      permission: "ec2:DescribeInstances",
      async asks() {
        if (instances.length === 0) return nobody("addresses");
        const known = await machines.instances(instances);
        return `addresses of ${known.size} of ${instances.length} hosts known`;
      },
    },
  ];
}

async function askRecords(ask: Ask, name: string, server: string | undefined): Promise<Finding> {
  const resolver = serviceResolver(server);
  const who = `the resolver ${resolver.servers.join(", ") || "of this host"}`;
  const found = await ask(() => resolver.ask(name));
  if (found.kind === "failed") {
    return fail(
      "records",
      `${who}: ${found.problem}`,
      "see /etc/resolv.conf and that port 53 is open to it, or name another with --resolver",
    );
  }
  switch (found.value.kind) {
    case "srv":
      return ok("records", `${who} knows ${found.value.places.length} places of ${name} (SRV)`);
    case "none":
      return warn(
        "records",
        `${who} knows no record of ${name}`,
        "start a task of it, or check --dns; until then connections are refused",
      );
    default:
      return ok("records", `${who} knows ${found.value.addresses.length} addresses of ${name}`);
  }
}

/** Only `--dataPlane=kernel` needs it. */
async function askPlane(ask: Ask, wanted: Config["dataPlane"]): Promise<Finding> {
  if (wanted === "proxy") return ok("data-plane", "the proxy, as --dataPlane says");
  const found = await ask(async () =>
    kernelLacks(await kernelFacts(await nftables().problem()), "own"),
  );
  const lacks = found.kind === "done" ? found.value : [found.problem];
  if (lacks.length === 0) return ok("data-plane", "the kernel can hand connections on");
  return wanted === "auto"
    ? ok(
        "data-plane",
        `the proxy hands connections on, because the kernel can't: ${lacks.join("; ")}`,
      )
    : fail(
        "data-plane",
        `the kernel can't hand connections on: ${lacks.join("; ")}`,
        "mend this (deploy/ambassador/README.md), or take --dataPlane=proxy",
      );
}
