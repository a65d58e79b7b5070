import type { DiscoverConfig } from "../../agent/discover/config.ts";
import type { ContainerId } from "../../lib/core/container.ts";
import { SERVICE_NAME_LABEL } from "../../lib/core/labels.ts";
import { DEFAULT_STOP_SIGNAL, KILL_SIGNAL } from "../../lib/core/life.ts";
import type { ZoneRecord } from "../../lib/sandbox/route53-rules.ts";
import { ZONE } from "../support/build.ts";
import { chance } from "../support/chance.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { type AgentHost, agentHost, LONGEST_RESTART_MS } from "./agent.ts";
import { ecs, type KnownTask } from "./ecs.ts";
import { type Engine, engine } from "./engine.ts";
import { faults } from "./faults.ts";
import { byHand, type Foreign } from "./foreign.ts";
import { hostAddress, instanceOf, introspected, type Made, made, type Plan } from "./hosts.ts";
import { watch } from "./invariants.ts";
import { type Disk, disk } from "./journal.ts";
import { LAST_MS, type Scenario, type Step } from "./scenario.ts";
import { tally } from "./tally.ts";
import { zone } from "./zone.ts";

/** The flags of every agent; what a scenario does not choose. */
const FLAGS: DiscoverConfig = {
  hostedZoneId: "Z1",
  introspectionUrl: undefined,
  stateDir: "/var/lib/ecs-discovery-agent",
  patience: 20,
  dryRun: false,
  drainTimeout: 25,
  logLevel: "debug",
  logFormat: "text",
  workers: 5,
  ttl: 10,
  weight: 1,
  resync: 90,
  health: "docker",
  allUnhealthy: "keep",
  stopGrace: 15,
  onStop: "keep",
  allowedNames: ["*"],
  addressSource: "auto",
  hostAddress: undefined,
  srv: false,
  routing: "weighted",
  once: false,
  force: false,
};

/**
 * How long after the last fault the zone may still be wrong, in ms. One after the other, at the worst:
 * - what hung then gives up, after five tries of 10 s, and the patience ends it: 50 s + patience;
 * - the drain and the restart: 25 s and a minute;
 * - a start that meets a container without an address keeps asking for the patience, and looks again at the resync;
 * - a refused change comes again after 5 minutes;
 * - a name is read again within the resync, and what that shows is sent, in a paced host's turn: a minute.
 */
const BOUND_MS =
  50_000 +
  2 * FLAGS.patience * 1000 +
  FLAGS.drainTimeout * 1000 +
  LONGEST_RESTART_MS +
  300_000 +
  2 * FLAGS.resync * 1000 +
  FLAGS.stopGrace * 1000 +
  60_000;
const QUIET_MS = FLAGS.resync * 1000 + 10_000;
/** An ECS agent says that a task has stopped so long after its last container has ended. */
const ECS_NOTICES_MS = 5_000;

export interface Outcome {
  readonly violations: readonly string[];
  readonly held: ReadonlySet<string>;
  /** What the agents said and what happened to them, where it was asked for. */
  readonly story: readonly string[];
  /** Requests that changed the zone or tried to, and how the zone ended: for a run's fingerprint. */
  readonly fingerprint: string;
}

/** Runs the scenario to its end, in virtual time. */
export async function run(scenario: Scenario, isTold = false): Promise<Outcome> {
  const clock = virtualClock();
  const chanceOf = (salt: number) => chance(scenario.seed * 31 + salt);
  const held = tally();
  const happens = faults({ windows: scenario.windows, clock, random: chanceOf(1), tally: held });
  const story: string[] = [];
  const tell = (text: () => string): void => {
    if (isTold) story.push(`${clock.now().toFixed(0).padStart(7)} ${text()}`);
  };

  const containers = new Map<ContainerId, Made>();
  const tasks: KnownTask[][] = Array.from({ length: scenario.hosts }, () => []);
  const engines: Engine[] = [];
  const agents: AgentHost[] = [];
  const disks: Disk[] = [];
  const boots = Array.from({ length: scenario.hosts }, () => 1);
  const taskOf = ({ host, task }: Made) => tasks[host]?.find(({ id }) => id === task);

  const rules = {
    ...FLAGS,
    routing: scenario.routing,
    allUnhealthy: scenario.allUnhealthy,
    health: scenario.health,
  };
  const watching = watch({
    clock,
    rules,
    containers: () => containers.values(),
    boxOf: (one) => engines[one.host]?.boxes.get(one.id),
    isTaskUp(one) {
      const task = taskOf(one);
      return task !== undefined && !task.stopped && clock.now() >= task.addressFromMs;
    },
    records: () => route53.records(),
  });
  const route53 = zone({
    zoneName: ZONE,
    clock,
    random: chanceOf(2),
    faults: happens,
    tally: held,
    landed(what) {
      for (const { action, record } of what.applied) {
        tell(() => `host ${what.host}: ${action} ${shown(record)}`);
      }
      watching.landed(what);
    },
  });

  for (let host = 0; host < scenario.hosts; host += 1) {
    const docker = engine({
      host,
      clock,
      random: chanceOf(10 + host),
      faults: happens,
      label: SERVICE_NAME_LABEL,
      hooks: {
        changed({ id }) {
          watching.changed(id);
          const one = containers.get(id);
          if (one !== undefined) noticeEnd(one);
        },
        heard(id, event) {
          tell(() => `host ${host} hears ${event.kind} of ${id.slice(-2)}`);
          if (event.kind !== "signal") return;
          if (event.signal === DEFAULT_STOP_SIGNAL || event.signal === KILL_SIGNAL) {
            watching.signalled(id);
          }
        },
        inspected: watching.inspected,
      },
    });
    const introspection = ecs({
      host,
      owner: { instance: instanceOf(host), region: "eu-west-1" },
      tasks: () => tasks[host] ?? [],
      clock,
      random: chanceOf(20 + host),
      faults: happens,
    });
    const files = disk({ host, clock, faults: happens });
    const denials = 0;
    engines.push(docker);
    disks.push(files);
    agents.push(
      agentHost({
        host,
        seed: scenario.seed,
        clock,
        config: {
          ...FLAGS,
          ...rules,
          onStop: scenario.onStop,
          workers: scenario.workers,
          hostAddress: { ipv4: hostAddress(host) },
        },
        log: logOf((line) => tell(() => `host ${host}: ${line}`)),
        ended(ending) {
          tell(() => `host ${host}: ends, code ${ending.code}, ${ending.why}`);
          held.count(`ending: ${ending.code}, ${ending.why.replace(/SIG\w+/, "signal")}`);
          watching.ended(host, ending, { denied: held.kinds.has("route 53: denied") });
        },
        edgesOf: (life) => ({
          docker: () => ({
            ...docker,
            events: (label, stop) => docker.events(label, AbortSignal.any([stop, life.dead])),
          }),
          findEcsAgent: async () => {
            const { agent, ...found } = await introspection.find();
            const ask: typeof agent.taskOf = async (id) => {
              try {
                return await agent.taskOf(id);
              } finally {
                if (life.deadForMs() === 0) watching.answered(id);
              }
            };
            return { ...found, agent: { ...agent, taskOf: ask } };
          },
          hostedZone: () => route53.as(host, life),
          hostAddresses: async () => ({}),
          bootId: async () => `boot ${boots[host]}`,
          journal: files.store,
        }),
      }),
    );
    void denials;
  }

  /** Some time after the last container of a task has ended, its ECS agent says so, and never takes that back. */
  function noticeEnd(one: Made): void {
    const isOver = () =>
      [...containers.values()]
        .filter(({ task }) => task === one.task)
        .every(({ host, id }) => !engines[host]?.boxes.get(id)?.running);
    if (!isOver()) return;
    clock.at(clock.now() + ECS_NOTICES_MS, () => {
      const task = taskOf(one);
      if (task === undefined || task.stopped || !isOver()) return;
      task.stopped = true;
      watching.changed(one.id);
    });
  }

  /** The number of a task decides its address: 0 is none. */
  let taskNumber = 0;
  let number = 0;
  const make = (plan: Plan, before: Made | undefined): Made => {
    const isWith = plan.isSidecar && before?.host === plan.host && before.mode === plan.mode;
    if (!isWith) taskNumber += 1;
    const shared = isWith
      ? { hasIpv6: before.hasIpv6, hasPort: before.hasPort, weight: before.weight }
      : {};
    const one = made({ ...plan, ...shared }, number, taskNumber);
    number += 1;
    containers.set(one.id, one);
    const { host, id, labels, hasCheck, isWell, mode } = one;
    const known = taskOf(one);
    if (known !== undefined) (known.containers as Set<ContainerId>).add(id);
    else if (mode !== "no task") {
      tasks[host]?.push({
        id: one.task,
        containers: new Set([id]),
        says: introspected(one),
        addressFromMs: plan.startsAtMs + (mode === "awsvpc" ? plan.addressAfterMs : 0),
        stopped: false,
      });
      const task = taskOf(one);
      if (task !== undefined) clock.at(task.addressFromMs, () => watching.changed(id));
    }
    engines[host]?.create({
      id,
      labels,
      hasCheck,
      isWell,
      networkMode: mode === "awsvpc" ? "container:pause" : "bridge",
    });
    return one;
  };
  /** A task that has stopped never starts again. */
  const start = (one: Made): void => {
    if (taskOf(one)?.stopped) return;
    tell(() => `container ${one.id.slice(-2)} of host ${one.host} starts`);
    engines[one.host]?.start(one.id);
  };

  let before: Made | undefined;
  for (const plan of scenario.plans) {
    before = make({ ...plan, host: plan.host % scenario.hosts }, before);
    const one = before;
    clock.at(plan.startsAtMs, () => start(one));
  }

  const hands: Foreign = byHand({
    zone: route53,
    watching,
    tally: held,
    weighted: scenario.routing === "weighted",
  });
  hands.seed(scenario);
  for (const agent of agents) agent.start();
  for (const step of scenario.steps) clock.at(step.atMs, () => act(step));

  function act({ kind, who, atMs }: Step): void {
    const all = [...containers.values()];
    const one = all[who % all.length];
    const host = who % scenario.hosts;
    const docker = engines[one?.host ?? 0];
    const agent = agents[host];
    if (one === undefined || docker === undefined || agent === undefined) return;
    tell(() => `-- ${kind} (${kind.startsWith("container") ? one.id.slice(-2) : host})`);
    const { id } = one;
    const stop = (then: () => void): void => {
      docker.signal(id, DEFAULT_STOP_SIGNAL);
      const { stopsInMs } = one;
      if (stopsInMs === undefined) return;
      const starts = docker.boxes.get(id)?.starts;
      clock.at(atMs + stopsInMs, () => {
        if (docker.boxes.get(id)?.starts !== starts) return;
        docker.die(id);
        then();
      });
    };
    const startAgain = () => clock.at(clock.now() + (who % 7) * 300 + 5, () => start(one));
    held.count(kind);
    switch (kind) {
      case "container: crash":
        return docker.die(id);
      case "container: crash and start again":
        docker.die(id);
        return startAgain();
      case "container: stop":
        return stop(() => {});
      case "container: stop and start again":
        return stop(startAgain);
      case "container: other signal":
        return docker.signal(id, 1);
      case "container: remove":
        docker.die(id);
        return docker.remove(id);
      case "container: pause":
        return docker.pause(id);
      case "container: unpause":
        return docker.unpause(id);
      case "container: ill":
        return docker.turn(id, false);
      case "container: well":
        return docker.turn(id, true);
      case "container: replaced by a new one": {
        start(make({ ...one, startsAtMs: clock.now(), isSidecar: false }, undefined));
        return stop(() => {});
      }
      case "docker: stream cut":
        return engines[host]?.cut();
      case "docker: restart":
        return engines[host]?.restart();
      case "agent: killed":
        return agent.kill();
      case "agent: killed before a call":
        return agent.killAt(1 + (who % 40), "before");
      case "agent: killed after a call":
        return agent.killAt(1 + (who % 40), "after");
      case "agent: SIGTERM":
        if (scenario.onStop === "remove") watching.removes(host);
        return agent.signal("SIGTERM");
      case "agent: two signals":
        if (scenario.onStop === "remove") watching.removes(host);
        agent.signal("SIGINT");
        return agent.signal("SIGTERM");
      case "host: reboot":
        agent.kill();
        engines[host]?.restart();
        disks[host]?.forget(who % 4);
        boots[host] = (boots[host] ?? 0) + 1;
        return;
      case "journal: garbage":
        return disks[host]?.spoil(who % 2 === 0 ? "{}\n" : '{"format":1,"published":[');
      case "journal: lost":
        return disks[host]?.spoil(undefined);
      default:
        return hands.act(kind, who);
    }
  }

  const isWrong = () => watching.violations.length > 0;
  await clock.pass(LAST_MS, isWrong);
  hands.clear();
  tell(() => "-- all faults are over");
  await clock.pass(LAST_MS + BOUND_MS, isWrong);
  if (!isWrong()) watching.settled();
  const sent = route53.sent();
  await clock.pass(LAST_MS + BOUND_MS + QUIET_MS, isWrong);
  if (!isWrong()) {
    watching.settled();
    if (route53.sent() > sent) {
      watching.violate("(c) not quiet", `${route53.sent() - sent} requests that change nothing`);
    }
  }
  return {
    violations: watching.violations,
    held: held.kinds,
    story,
    fingerprint: JSON.stringify([route53.sent(), route53.records().map(shown)]),
  };
}

const shown = ({ name, type, setIdentifier = "", ttlSeconds, weight, values }: ZoneRecord) =>
  `${name} ${type} ${setIdentifier.slice(-36)} ttl ${ttlSeconds} ${weight ?? "-"} ${values.join(" ")}`;

const logOf = (line: (text: string) => void) => {
  const at = (level: string) => (message: string, fields?: object) =>
    level !== "debug" &&
    line(`${level} ${message} ${fields === undefined ? "" : JSON.stringify(fields)}`);
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
};
