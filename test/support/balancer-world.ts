import type { BalancerConfig } from "../../agent/balancer/config.ts";
import { flags } from "../../agent/balancer/config.ts";
import type { Edges } from "../../agent/balancer/edges.ts";
import { observer } from "../../agent/balancer/show/observer.ts";
import { openWorld } from "../../agent/balancer/world.ts";
import { readFlags } from "../../agent/cli/read-flags.ts";
import type { Surroundings } from "../../agent/process/surroundings.ts";
import type { ServiceTask } from "../../lib/ecs/service-task.ts";
import type { CallOutcome } from "../../lib/elb/calls.ts";
import type { TargetsApi } from "../../lib/elb/ports.ts";
import { Fatal, Unavailable } from "../../lib/kit/failure.ts";
import type { TextRead } from "../../lib/kit/text-source.ts";
import type { ClassicBalancer } from "../../lib/standins/elb/classic-state.ts";
import { Form, Refusal } from "../../lib/standins/elb/form.ts";
import { addGroup, plainTargets, type StandInGroup } from "../../lib/standins/elb/targets-rules.ts";
import { INSTANCE, rulesApi } from "./elb.ts";
import { virtualClock } from "./virtual-clock.ts";

export const GROUP =
  "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/g/0123456789abcdef";

/** What goes wrong with a request: `landed` has its effect and no answer; a kill is the end of the process. */
export type Fault = "none" | "lost" | "landed" | "refused" | "killed before" | "killed after";

/** The end of a process, where a test kills it. */
export class Killed extends Error {}

/** A text that tests change. */
interface Text {
  text: string;
  fails: boolean;
}

/** Reads the text as one process does: what it has read before is unchanged. */
function reader(of: Text): () => Promise<TextRead> {
  let last: string | undefined;
  return async () => {
    if (of.fails) throw new Unavailable("S3", "did not answer");
    if (of.text === last) return { kind: "unchanged" };
    last = of.text;
    return { kind: "text", text: of.text };
  };
}

const port = (at: number) => ({ first: at, last: at });
let started = 0;

/** A task of this host, younger than those before it, whose container `app` has port 80 bound. */
export function hostTask(
  family: string,
  hostPort: number,
  over: Partial<ServiceTask> = {},
): ServiceTask {
  started += 1;
  return {
    arn: `arn:aws:ecs:eu-west-1:123456789012:task/prod/${started.toString(16).padStart(32, "0")}`,
    definition: `arn:aws:ecs:eu-west-1:123456789012:task-definition/${family}:1`,
    lastStatus: "RUNNING",
    desiredStatus: "RUNNING",
    health: "UNKNOWN",
    startedAt: started,
    containers: [
      {
        name: "app",
        lastStatus: "RUNNING",
        health: "UNKNOWN",
        bindings: [
          { container: port(80), host: port(hostPort) },
          { container: port(81), host: port(hostPort + 1) },
        ],
      },
    ],
    ...over,
  };
}

/**
 * The mode's parts over the stand-ins' rules, without sockets: each cycle is called by the test, time is the test's own,
 * and every request to AWS is in `calls`.
 */
export async function balancerWorld({
  services,
  balancers = [],
  groups = [],
  flagsGiven = [],
}: {
  readonly services: readonly object[] | string;
  readonly balancers?: readonly ClassicBalancer[];
  readonly groups?: readonly StandInGroup[];
  readonly flagsGiven?: readonly string[];
}) {
  const clock = virtualClock();
  const elb = rulesApi(clock, balancers);
  for (const group of groups) addGroup(elb.rules.targets, group);
  const calls: string[] = [];
  let faultOf: (name: string) => Fault = () => "none";
  /** A request, or a writing of the journal, with what goes wrong with it. */
  const faulty = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    switch (faultOf(name)) {
      case "none":
        return act();
      case "landed":
        await act();
        throw new Unavailable("Elastic Load Balancing", "did not answer");
      case "lost":
        throw new Unavailable("Elastic Load Balancing", "did not answer");
      case "refused":
        if (name === "journal") throw new Error("ENOSPC");
        if (name === "ListTasks" || name === "DescribeTasks") throw new Fatal("ECS refused it");
        if (name === "GetObject") return { kind: "problem", problem: "S3 refused it" } as T;
        return { kind: "refused", code: "InvalidConfigurationRequest", message: "no" } as T;
      case "killed before":
        throw new Killed();
      case "killed after":
        await act();
        throw new Killed();
    }
  };
  const heard =
    <A extends readonly unknown[], T>(name: string, act: (...args: A) => Promise<T>) =>
    (...args: A): Promise<T> => {
      calls.push(name);
      return faulty(name, () => act(...args));
    };
  const outside = {
    tasks: [] as ServiceTask[],
    ecsFails: false,
    configuration: { text: '{"cluster": "prod"}', fails: false },
    services: {
      text: typeof services === "string" ? services : JSON.stringify(services),
      fails: false,
    },
    disk: undefined as string | undefined,
  };
  const ecs = {
    async tasks(_: unknown, from: string | undefined) {
      if (outside.ecsFails) throw new Unavailable("ECS", "did not answer");
      const start = Number(from ?? 0);
      const page = outside.tasks.filter(({ desiredStatus }) => desiredStatus === "RUNNING");
      const arns = page.slice(start, start + 100).map(({ arn }) => arn);
      return start + 100 < page.length ? { arns, next: String(start + 100) } : { arns };
    },
    async describe(_: string, arns: readonly string[]) {
      if (arns.length > 100) throw new Error("more than 100 tasks in one question");
      return new Map(
        outside.tasks
          .filter(({ arn }) => arns.includes(arn))
          .map((task) => [task.arn, { kind: "task" as const, task }]),
      );
    },
  };
  const targetsApi: TargetsApi = {
    group: async (arn) => {
      const found = groups.find((one) => one.arn === arn);
      return found === undefined
        ? { kind: "refused", code: "TargetGroupNotFound", message: "none" }
        : { kind: "group", group: { arn, targetType: found.targetType ?? "instance" } };
    },
    targets: async (arn) => ({
      kind: "targets",
      targets: plainTargets(elb.rules.targets, arn).map((text) => {
        const [at = "", state = "healthy"] = text.split(" ");
        const [id = "", number = ""] = at.split(":");
        return { id, port: Number(number), state, reason: "" };
      }),
    }),
    register: async (arn, targets) => change("RegisterTargets", arn, targets),
    deregister: async (arn, targets) => change("DeregisterTargets", arn, targets),
  };
  const change = (
    operation: string,
    arn: string,
    targets: readonly { readonly id: string; readonly port: number }[],
  ): CallOutcome => {
    const fields: Record<string, string> = { TargetGroupArn: arn };
    targets.forEach((target, index) => {
      fields[`Targets.member.${index + 1}.Id`] = target.id;
      fields[`Targets.member.${index + 1}.Port`] = String(target.port);
    });
    try {
      elb.rules.answer("2015-12-01", operation, new Form(new URLSearchParams(fields).toString()));
      return { kind: "done" };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { kind: "refused", code: error.code, message: error.message };
    }
  };
  const closing = <T extends object>(api: T) => ({ ...api, close() {} });
  const edges = {
    region: async () => "eu-west-1",
    file: (location: { readonly kind: string; readonly key?: string }) => {
      const source = location.key === "config" ? outside.configuration : outside.services;
      return closing({
        where: `s3://bkt/${location.key}`,
        source: { read: heard("GetObject", reader(source)), close() {} },
      });
    },
    findEcsAgent: async () => ({
      agent: {} as never,
      cluster: "prod",
      version: "1",
      owner: { instance: "c0".repeat(16) as never, region: "eu-west-1" },
    }),
    instanceId: async () => INSTANCE,
    hostAddress: async () => "10.0.0.1",
    control: () =>
      closing({ instances: heard("ListContainerInstances", async () => ({ ids: [] })) }),
    tasks: () =>
      closing({
        tasks: heard("ListTasks", ecs.tasks),
        describe: heard("DescribeTasks", ecs.describe),
        instances: heard("DescribeContainerInstances", async () => new Map()),
      }),
    classic: () =>
      closing({
        describe: heard("DescribeLoadBalancers", elb.api.describe),
        send: (call: Parameters<typeof elb.api.send>[0]) =>
          heard(call.operation, () => elb.api.send(call))(),
        health: elb.api.health,
      }),
    targets: () =>
      closing({
        group: heard("DescribeTargetGroups", targetsApi.group),
        targets: heard("DescribeTargetHealth", targetsApi.targets),
        register: heard("RegisterTargets", targetsApi.register),
        deregister: heard("DeregisterTargets", targetsApi.deregister),
      }),
    docker: () => undefined,
    journal: () => ({
      path: "journal",
      read: async () => outside.disk,
      write: (text: string) =>
        faulty("journal", async () => {
          outside.disk = text;
        }),
      setAside: async () => {
        outside.disk = undefined;
      },
    }),
    localPorts: async () => [32_768, 60_999] as const,
  } as unknown as Edges;
  const log: string[] = [];
  const say = (level: string) => (message: string) => void log.push(`${level} ${message}`);
  const stop = new AbortController();
  const surroundings: Surroundings = {
    clock,
    random: () => 0.5,
    env: {},
    log: { error: say("error"), warn: say("warn"), info: say("info"), debug: say("debug") },
    stop: { signal: stop.signal, fail: (cause) => stop.abort(cause), wasAsked: () => false },
  };
  const line = readFlags(
    { usage: "", summary: "" },
    flags,
    ["--configurationUrl=s3://bkt/config", "--servicesUrl=s3://bkt/services", ...flagsGiven],
    {},
  );
  if (line.kind !== "config") throw new Error(JSON.stringify(line));
  const config = line.config as BalancerConfig;
  const seen = observer(config, surroundings);
  /** A process: what it knows is new, the disk and AWS are not. */
  const start = (over: Partial<BalancerConfig> = {}) =>
    openWorld({ ...config, ...over }, surroundings, edges, seen, () => {});
  let parts = await start();
  /** One cycle, with as much time as it needs. */
  const cycle = async () => {
    const ended = parts.cycle();
    let done = false;
    void ended
      .finally(() => {
        done = true;
      })
      .catch(() => {});
    await clock.pass(Number.MAX_SAFE_INTEGER, () => done);
    const result = await ended;
    seen.cycled(result, 10);
    return result;
  };
  return {
    ...{ outside, elb, calls, log, cycle, clock },
    standing: (result: Awaited<ReturnType<typeof cycle>>, key: string) =>
      result.standings.get(key)?.text,
    targets: (arn: string) => plainTargets(elb.rules.targets, arn),
    /** What goes wrong with each request, and each writing of the journal, from now on. */
    faults(next: (name: string) => Fault): void {
      faultOf = next;
    },
    async restart(over: Partial<BalancerConfig> = {}) {
      parts.close();
      parts = await start(over);
    },
  };
}
