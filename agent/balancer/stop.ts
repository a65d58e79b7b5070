import type { KeptJournal } from "../../lib/elb/flow/journal.ts";
import type { SeenBalancer } from "../../lib/elb/flow/look.ts";
import type { ClassicApi, TargetsApi } from "../../lib/elb/ports.ts";
import { loadBalancerOf, type Service } from "../../lib/elb/service.ts";
import { causes } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { Tell } from "./work/standing.ts";
import { groupName } from "./work/targets-pass.ts";

const LOOK_MS = 1_000;

export interface Leaving {
  readonly services: readonly Service[];
  readonly balancers: ReadonlyMap<string, SeenBalancer>;
  readonly instance: string;
  readonly classic: ClassicApi;
  readonly targets: TargetsApi;
  readonly journal: KeptJournal | undefined;
  readonly clock: Clock;
  /** How long the draining may take. */
  readonly limitMs: number;
  readonly tell: Tell;
}

/**
 * Takes this host out of the load balancers of its services, and the targets that this process has registered out of
 * their groups, and waits until they have drained, or the limit is over. Never rejects: what could not be done is told.
 */
export async function leave(leaving: Leaving): Promise<void> {
  const { services, balancers, instance, journal, clock, limitMs } = leaving;
  const untilMs = clock.now() + limitMs;
  const names = new Set(services.flatMap((service) => loadBalancerOf(service) ?? []));
  const registered = [...names].filter((name) => {
    const seen = balancers.get(name);
    return seen?.kind === "found" && seen.balancer.instances.has(instance);
  });
  const arns = new Set((journal?.targets() ?? []).map(({ targetGroupArn }) => targetGroupArn));
  const waits = [
    ...registered.map((name) => ({ name, drains: leaveBalancer(name, leaving) })),
    ...[...arns].map((arn) => ({ name: groupName(arn), drains: leaveGroup(arn, leaving) })),
  ];
  const started = await Promise.all(
    waits.map(async ({ name, drains }) => ({ name, drains: await drains })),
  );
  let open = started.flatMap(({ name, drains }) =>
    drains === undefined ? [] : [{ name, drains }],
  );
  while (open.length > 0 && clock.now() < untilMs) {
    await clock.sleep(Math.min(LOOK_MS, untilMs - clock.now()));
    const states = await Promise.all(open.map(({ drains }) => drains()));
    open = open.filter((_, index) => states[index]);
  }
  for (const { name } of open) {
    leaving.tell({
      level: "warn",
      about: name,
      text: `${name} still drains after ${Math.round(limitMs / 1000)} s: ends nevertheless`,
    });
  }
}

/** Whether it still drains. */
type Drains = () => Promise<boolean>;

async function leaveBalancer(name: string, leaving: Leaving): Promise<Drains | undefined> {
  const { classic, instance, tell } = leaving;
  const failed = (why: string) => {
    tell({
      level: "warn",
      about: name,
      text: `load balancer ${name}: this host could not be deregistered: ${why}`,
    });
    return undefined;
  };
  try {
    const outcome = await classic.send({
      operation: "DeregisterInstancesFromLoadBalancer",
      loadBalancer: name,
      instance,
    });
    if (outcome.kind === "refused") return failed(`${outcome.code}, ${outcome.message}`);
  } catch (error) {
    return failed(causes(error));
  }
  tell({
    level: "info",
    about: name,
    text: `load balancer ${name}: - instance ${instance}, its connections drain`,
  });
  return async () => {
    const health = await classic.health(name, instance).catch(() => undefined);
    // "Instance deregistration currently in progress." (API reference, InstanceState).
    return (
      health === undefined || (health.kind === "state" && /in progress/i.test(health.description))
    );
  };
}

async function leaveGroup(arn: string, leaving: Leaving): Promise<Drains | undefined> {
  const { targets, journal, tell } = leaving;
  const own = (journal?.targets() ?? []).filter(({ targetGroupArn }) => targetGroupArn === arn);
  const name = groupName(arn);
  try {
    const outcome = await targets.deregister(arn, own);
    if (outcome.kind === "refused") throw new Error(`${outcome.code}, ${outcome.message}`);
    await journal?.disown(own);
  } catch (error) {
    tell({
      level: "warn",
      about: name,
      text: `target group ${name}: targets could not be deregistered: ${causes(error)}`,
    });
    return undefined;
  }
  const keys = new Set(own.map(({ id, port }) => `${id} ${port}`));
  tell({
    level: "info",
    about: name,
    text: `target group ${name}: ${own.length} targets of this host drain`,
  });
  return async () => {
    const answer = await targets.targets(arn).catch(() => undefined);
    if (answer?.kind !== "targets") return answer === undefined;
    return answer.targets.some(
      ({ id, port, state }) => keys.has(`${id} ${port}`) && state === "draining",
    );
  };
}
