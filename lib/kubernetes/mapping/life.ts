import { quote } from "../../kit/quote.ts";
import { type Context, isWindows, type NamedContainer } from "./context.ts";
import { literal } from "./environment.ts";
import { type Fields, present } from "./fields.ts";

/** How a container lives in the pod. */
export type Role =
  /** It starts beside the others, and runs as long as the pod. */
  | "main"
  /** Another one waits for its start: an init container that goes on running. */
  | "sidecar"
  /** Another one waits for its end. */
  | "init";

export interface Roles {
  readonly of: (container: NamedContainer) => Role;
  /** Sidecars and init containers in the order in which they must start: a pod starts them one after the other. */
  readonly first: readonly NamedContainer[];
}

const CONDITIONS = ["START", "HEALTHY", "COMPLETE", "SUCCESS"];

/** What dependsOn makes of each container; refuses a cycle, and a dependency on a container that is not there. */
export function rolesOf({ containers, report }: Context): Roles {
  const roles = new Map<NamedContainer, Role>();
  const needs = new Map<NamedContainer, NamedContainer[]>();
  for (const container of containers) {
    for (const [index, dependency] of (container.definition.dependsOn ?? []).entries()) {
      const at = `${container.at}.dependsOn[${index}]`;
      const target = containers.find(({ original }) => original === dependency.containerName);
      const condition = (dependency.condition ?? "").toUpperCase();
      if (target === undefined) {
        report.refuse(
          `${at}.containerName`,
          `expected another container of the task, got ${quote(dependency.containerName ?? "")}`,
        );
        continue;
      }
      if (!CONDITIONS.includes(condition)) {
        report.refuse(
          `${at}.condition`,
          `expected one of ${CONDITIONS.join(", ")}, got ${quote(dependency.condition ?? "")}`,
        );
        continue;
      }
      needs.set(container, [...(needs.get(container) ?? []), target]);
      const untilEnd = condition === "COMPLETE" || condition === "SUCCESS";
      if (untilEnd || roles.get(target) === "init") roles.set(target, "init");
      else roles.set(target, "sidecar");
      if (condition === "COMPLETE") {
        report.unmapped(
          `${at}.condition`,
          `an init container that fails is started again, and holds the pod; COMPLETE would go on`,
          `let the command of ${quote(target.original)} end with 0 in any case`,
        );
      }
      if (condition === "HEALTHY" && probeCommand(target.definition.healthCheck) === undefined) {
        report.unmapped(
          `${at}.condition`,
          `${quote(target.original)} has no health check, so its start is waited for instead`,
          "give it a healthCheck",
        );
      }
    }
  }
  const order = sorted(containers, needs);
  if ("cycle" in order) {
    const [first] = order.cycle;
    const names = [...order.cycle, first].map((one) => quote(one?.original ?? "")).join(" → ");
    report.refuse(`${first?.at}.dependsOn`, `expected no cycle, got ${names}`);
  }
  const roleOf = (container: NamedContainer) => roles.get(container) ?? "main";
  const first = "cycle" in order ? [] : order.filter((one) => roleOf(one) !== "main");
  return { of: roleOf, first };
}

/** Each after what it needs, otherwise in the order of the definition; or the first cycle. */
function sorted(
  containers: readonly NamedContainer[],
  needs: ReadonlyMap<NamedContainer, readonly NamedContainer[]>,
): readonly NamedContainer[] | { readonly cycle: readonly NamedContainer[] } {
  const done = new Set<NamedContainer>();
  const visit = (
    container: NamedContainer,
    trail: readonly NamedContainer[],
  ): readonly NamedContainer[] | undefined => {
    const at = trail.indexOf(container);
    if (at !== -1) return trail.slice(at);
    if (done.has(container)) return undefined;
    for (const need of needs.get(container) ?? []) {
      const cycle = visit(need, [...trail, container]);
      if (cycle !== undefined) return cycle;
    }
    done.add(container);
    return undefined;
  };
  for (const container of containers) {
    const cycle = visit(container, []);
    if (cycle !== undefined) return { cycle };
  }
  return [...done];
}

type HealthCheck = NamedContainer["definition"]["healthCheck"];

/** What a probe runs; undefined without a health check, for `NONE`, and for a form that Docker does not know. */
function probeCommand(healthCheck: HealthCheck): readonly string[] | undefined {
  const [form, ...rest] = healthCheck?.command ?? [];
  if (rest.length === 0) return undefined;
  if (form === "CMD") return rest;
  return form === "CMD-SHELL" ? ["/bin/sh", "-c", rest.join(" ")] : undefined;
}

/** Defaults of ECS (API reference, HealthCheck); Kubernetes has others. */
const HEALTH = { interval: 30, timeout: 5, retries: 3 };

/**
 * The probes that stand for a health check. Startup takes the start period and the service's grace period, while
 * nothing counts; readiness keeps traffic away; liveness replaces the container, as ECS replaces the task.
 */
export function probesOf(container: NamedContainer, role: Role, context: Context): Fields {
  const { report, service } = context;
  const { at, definition } = container;
  const { healthCheck } = definition;
  const { interval, timeout, retries, startPeriod = 0 } = { ...HEALTH, ...healthCheck };
  if (healthCheck === undefined) return {};
  const shell = probeCommand(healthCheck);
  const command =
    shell !== undefined && isWindows(context) && shell[0] === "/bin/sh"
      ? ["cmd", "/S", "/C", ...shell.slice(2)]
      : shell;
  if (command === undefined) {
    const isNone = healthCheck.command?.[0] === "NONE";
    report.unmapped(
      `${at}.healthCheck`,
      isNone
        ? "it turns off a check that the image brings, and Kubernetes runs none of the image's"
        : `expected a list that begins with CMD or CMD-SHELL, got ${quote(healthCheck.command?.[0] ?? "")}`,
      isNone ? "nothing is to be done" : "put CMD or CMD-SHELL before it",
    );
    return {};
  }
  if (role === "init") {
    report.unmapped(
      `${at}.healthCheck`,
      "a container that others wait for to end can't have probes",
      "nothing is to be done: the next one starts after its end",
    );
    return {};
  }
  for (const [name, value, least] of [
    ["interval", interval, 1],
    ["timeout", timeout, 1],
    ["retries", retries, 1],
    ["startPeriod", startPeriod, 0],
  ] as const) {
    if (value < least) {
      report.refuse(`${at}.healthCheck.${name}`, `expected at least ${least}, got ${value}`);
    }
  }
  const probe = {
    exec: { command: command.map(literal) },
    periodSeconds: interval,
    timeoutSeconds: timeout,
  };
  const graceSeconds = startPeriod + (service?.healthCheckGracePeriodSeconds ?? 0);
  return {
    startupProbe: { ...probe, failureThreshold: Math.ceil(graceSeconds / interval) + retries },
    readinessProbe: { ...probe, failureThreshold: retries },
    livenessProbe: { ...probe, failureThreshold: retries },
  };
}

/** Whether and when the container is started again, where that differs from what a pod does anyway. */
export function restartsOf(container: NamedContainer, role: Role, context: Context): Fields {
  const { report } = context;
  const { at, definition } = container;
  const { restartPolicy, essential = true } = definition;
  if (role === "main" && !essential) {
    report.unmapped(
      `${at}.essential`,
      "when it ends, Kubernetes starts it again, and ECS would leave it stopped",
      "if it runs once, make it a Job or let another container depend on its SUCCESS; if it runs on, nothing is to be done",
    );
  }
  if (role !== "main" && !essential) {
    report.note(
      `${at}.essential`,
      role === "sidecar"
        ? "others wait for its start, so the pod starts it again whenever it ends"
        : "others wait for its end, so the pod starts it again until it ends well",
      "nothing is to be done",
    );
  }
  if (role === "sidecar") return { restartPolicy: "Always" };
  if (restartPolicy === undefined) return {};
  report.note(
    `${at}.restartPolicy`,
    "a pod starts its containers again in any case, with growing pauses",
    "nothing is to be done",
  );
  const codes = restartPolicy.ignoredExitCodes ?? [];
  if (codes.length === 0 || role === "init") return {};
  const wrong = codes.filter((code) => code < 0 || code > 255);
  if (wrong.length > 0) {
    report.refuse(
      `${at}.restartPolicy.ignoredExitCodes`,
      `expected exit codes from 0 to 255, got ${wrong.join(", ")}`,
    );
  }
  return {
    restartPolicy: "Never",
    restartPolicyRules: [
      { action: "Restart", exitCodes: { operator: "NotIn", values: [...new Set(codes)] } },
    ],
  };
}

/** The longest time that a container may take to end; the pod has one for all. */
export function gracePeriodOf({ containers, report }: Context): number | undefined {
  const times = containers.flatMap(({ at, definition: { stopTimeout } }) => {
    if (stopTimeout === undefined) return [];
    if (stopTimeout < 0) report.refuse(`${at}.stopTimeout`, `expected seconds, got ${stopTimeout}`);
    return [{ at, stopTimeout }];
  });
  if (times.length === 0) return undefined;
  const longest = Math.max(...times.map(({ stopTimeout }) => stopTimeout));
  for (const { at, stopTimeout } of times) {
    if (stopTimeout === longest) continue;
    report.note(
      `${at}.stopTimeout`,
      `the pod has one time for all its containers, the longest: ${longest} s`,
      "nothing is to be done",
    );
  }
  return longest;
}

export const commandOf = ({ definition }: NamedContainer): Fields =>
  present({
    command: definition.entryPoint?.map(literal),
    args: definition.command?.map(literal),
    workingDir: definition.workingDirectory,
  });
