import type { Wish } from "./listener-plan.ts";
import { loadBalancerOf, type Service } from "./service.ts";
import { type Answering, type Candidates, hostPortOf } from "./task-choice.ts";

/** What is known of a service at this moment. */
export interface ServiceState {
  readonly service: Service;
  readonly found: Candidates;
  /** The task that was chosen, for `rewrite`. */
  readonly chosen: Answering | undefined;
  /** Two looks in a row have found that no task is meant to run here. */
  readonly isAbsent: boolean;
  /** Of `forward`: every port of it listens, and a task was reached. */
  readonly isServing: boolean;
  /** It was refused a moment ago, and is left alone for a while. */
  readonly isResting: boolean;
}

/**
 * What a service asks of its load balancer; undefined for one that has none.
 *
 * | the service                             | listeners              | this host |
 * |-----------------------------------------|------------------------|-----------|
 * | rests                                   | as they are            | leave     |
 * | rewrite, a task is chosen               | to the task's port     | in        |
 * | forward, its ports listen               | to the ports           | in        |
 * | forward, its ports do not listen        | as they are            | leave     |
 * | no task is meant to run, seen twice     | as they are            | out       |
 * | its tasks can't be sent to for now      | as they are            | leave     |
 */
export function wishOf(state: ServiceState): Wish | undefined {
  const { service, chosen, isAbsent, isServing, isResting } = state;
  const { outlet } = service;
  if (outlet.mode === "targets" || loadBalancerOf(service) === undefined) return undefined;
  const plain = { service: service.key, mode: outlet.mode, healthCheck: outlet.healthCheck };
  const nothing = { ...plain, ports: { kind: "none" as const } };
  if (isResting) return { ...nothing, presence: "leave" };
  if (isAbsent) return { ...nothing, presence: "out" };
  if (outlet.mode === "forward") {
    if (!isServing) return { ...nothing, presence: "leave" };
    const byLbPort = new Map(
      outlet.ports.flatMap(({ lbPort, listenPort }) =>
        lbPort === undefined ? [] : [[lbPort, listenPort] as const],
      ),
    );
    const ports: Wish["ports"] =
      byLbPort.size > 0
        ? { kind: "each", byLbPort }
        : { kind: "every", instancePort: outlet.ports[0].listenPort };
    return { ...plain, ports, presence: "in" };
  }
  if (chosen === undefined) return { ...nothing, presence: "leave" };
  if (outlet.ports.length === 0) {
    const [{ host }] = chosen.ports;
    return { ...plain, ports: { kind: "every", instancePort: host }, presence: "in" };
  }
  const byLbPort = new Map(
    outlet.ports.flatMap(({ lbPort, containerPort }) => {
      const port = hostPortOf(chosen.ports, containerPort);
      return port === undefined ? [] : [[lbPort, port] as const];
    }),
  );
  return { ...plain, ports: { kind: "each", byLbPort }, presence: "in" };
}
