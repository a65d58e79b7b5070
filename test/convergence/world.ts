import { SERVICE_NAME_LABEL } from "../../lib/discovery/labels.ts";
import { DEFAULT_STOP_SIGNAL, KILL_SIGNAL } from "../../lib/docker/life.ts";
import type { InstanceId } from "../../lib/ecs/arn.ts";
import type { ZoneRecord } from "../../lib/standins/route53/rules.ts";
import { ZONE } from "../support/build.ts";
import { chance } from "../support/chance.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { agentHost } from "./agent.ts";
import { containers } from "./containers.ts";
import { ecs } from "./ecs.ts";
import { type Engine, engine } from "./engine.ts";
import { faults } from "./faults.ts";
import { BOUND_MS, FLAGS, QUIET_MS } from "./flags.ts";
import { byHand } from "./foreign.ts";
import { hostAddress, instanceOf, laterInstanceOf, type Made } from "./hosts.ts";
import { watch } from "./invariants.ts";
import { disk } from "./journal.ts";
import { prompt } from "./prompt.ts";
import { LAST_MS, type Scenario } from "./scenario.ts";
import { type Host, type Machine, stepper } from "./steps.ts";
import { tally } from "./tally.ts";
import { isRefusable, zone } from "./zone.ts";

export interface Outcome {
  readonly violations: readonly string[];
  /** The kinds of faults and steps that the run held. */
  readonly held: ReadonlySet<string>;
  /** What happened, line by line; empty unless it was asked for. */
  readonly story: readonly string[];
  /** How many batches were sent, and how the zone ended. */
  readonly fingerprint: string;
}

/** Runs the scenario to its end, in virtual time. The same scenario is the same run. */
export async function run(scenario: Scenario, isTold = false): Promise<Outcome> {
  const clock = virtualClock();
  const chanceOf = (salt: number) => chance(scenario.seed * 31 + salt);
  const held = tally();
  const story: string[] = [];
  const tell = (text: () => string): void => {
    if (isTold) story.push(`${clock.now().toFixed(0).padStart(7)} ${text()}`);
  };
  const { routing, allUnhealthy, health, onStop, workers } = scenario;
  const rules = { ...FLAGS, routing, allUnhealthy, health, onStop, workers };
  const last = prompt(scenario.seed, LAST_MS + BOUND_MS + QUIET_MS, chanceOf(4));
  const windows = [
    ...scenario.windows.map((one) => ({ ...one, host: one.host % scenario.hosts })),
    ...last.windows,
  ];
  const happens = faults({ windows, clock, random: chanceOf(1), tally: held });

  const engines: Engine[] = [];
  const registered = Array.from(
    { length: scenario.hosts },
    (_, n): [InstanceId, ...InstanceId[]] => [instanceOf(n)],
  );
  const instancesOf = (host: number) => registered[host] ?? ([instanceOf(host)] as const);
  const all = containers({ clock, engines, taskChanged: (id) => watching.changed(id) });
  const watching = watch({
    clock,
    rules,
    containers: all,
    boxOf: ({ host, id }) => engines[host]?.boxes.get(id),
    records: () => route53.records(),
    instancesOf: (host) => instancesOf(host) as [InstanceId],
    takenOver: (host) => takenOver(host),
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

  const machines: Machine[] = [];
  const hosts: readonly Host[] = Array.from({ length: scenario.hosts }, (_, number) =>
    newHost(number),
  );
  let before: Made | undefined;
  for (const plan of scenario.plans) {
    const one = all.make({ ...plan, host: plan.host % hosts.length }, before);
    clock.at(plan.startsAtMs, () => all.start(one));
    before = one;
  }
  const isWeighted = routing === "weighted";
  const foreign = byHand({ zone: route53, watching, tally: held, isWeighted });
  foreign.seed(scenario);
  for (const { agent } of hosts) agent.start();
  const act = stepper({
    clock,
    hosts,
    containers: all,
    foreign,
    asked(host) {
      if (onStop === "remove") watching.removes(host);
    },
    isKept: onStop === "keep",
    registersAnew(host) {
      if (!canRegisterAnew(scenario)) return;
      registered[host]?.push(laterInstanceOf(host, registered[host].length));
      held.count("ecs: registered anew, done");
    },
  });
  for (const step of [...scenario.steps, ...last.steps]) {
    clock.at(step.atMs, () => {
      tell(() => `-- ${step.kind} (${step.who})`);
      held.count(step.kind);
      act(step);
    });
  }

  const isWrong = () => watching.violations.length > 0;
  await clock.pass(LAST_MS, isWrong);
  foreign.clear();
  for (const { agent } of hosts) agent.spare();
  tell(() => "-- all faults are over");
  await clock.pass(LAST_MS + BOUND_MS, isWrong);
  if (!isWrong()) watching.settled();
  const sent = route53.sent();
  await clock.pass(LAST_MS + BOUND_MS + QUIET_MS, isWrong);
  if (!isWrong()) watching.settled();
  if (!isWrong() && route53.sent() > sent) {
    watching.violate("(c) not quiet", `${route53.sent() - sent} batches sent after the bound`);
  }
  flicker();
  await clock.pass(clock.now() + last.withinMs, isWrong);
  if (!isWrong()) watching.settled(last.isRefusing ? isRefusable : undefined);
  return {
    violations: watching.violations,
    held: held.kinds,
    story,
    fingerprint: JSON.stringify([route53.sent(), route53.records().map(shown)]),
  };

  /** Some containers end and start in quick succession, besides; by hand even those whose task has stopped. */
  function flicker(): void {
    const random = chanceOf(3);
    tell(() => "-- containers flicker");
    for (const one of all.all().filter(() => random() < 0.5)) {
      const engineOf = engines[one.host];
      for (const inMs of last.flickersInMs()) {
        clock.at(clock.now() + inMs, () => {
          if (engineOf?.boxes.get(one.id)?.running) engineOf.die(one.id);
          else engineOf?.start(one.id);
        });
      }
    }
  }

  /** Former selves, and, on the same machine, hosts whose agents were away for so long that they count as dead. */
  function takenOver(number: number): readonly InstanceId[] {
    const { machine } = hosts[number] ?? {};
    return hosts.flatMap((other, n) => {
      if (n === number || other.machine !== machine) return [];
      const { forMs, untilMs } = other.agent.lastAway();
      const isDead = forMs >= DEAD_MS && clock.now() - untilMs <= UNDER_WAY_MS;
      return isDead ? instancesOf(n) : instancesOf(n).slice(0, -1);
    });
  }

  function machineOf(number: number): Machine {
    const at = scenario.isOneMachine ? 0 : number;
    machines[at] ??= { disk: disk({ host: at, clock, faults: happens }), boot: 1 };
    return machines[at];
  }

  function newHost(number: number): Host {
    const docker = engine({
      host: number,
      clock,
      random: chanceOf(10 + number),
      faults: happens,
      label: SERVICE_NAME_LABEL,
      hooks: {
        changed({ id }) {
          tell(() => `host ${number}: container ${id.slice(-2)} ${stateOf(docker, id)}`);
          watching.changed(id);
          all.changed(id);
        },
        heard(id, event) {
          tell(() => `host ${number} hears ${event.kind} of ${id.slice(-2)}`);
          if (event.kind === "start" || event.kind === "die") watching.renewed(id);
          if (event.kind !== "signal") return;
          if (event.signal === DEFAULT_STOP_SIGNAL || event.signal === KILL_SIGNAL) {
            watching.signalled(id);
          }
        },
      },
    });
    engines.push(docker);
    const introspection = ecs({
      host: number,
      owner: () => ({
        instance: instancesOf(number).at(-1) as InstanceId,
        region: "eu-west-1",
      }),
      tasks: () => all.tasksOn(number),
      clock,
      random: chanceOf(20 + number),
      faults: happens,
    });
    const machine = machineOf(number);
    const files = machine.disk;
    const agent = agentHost({
      host: number,
      seed: scenario.seed,
      clock,
      config: { ...rules, hostAddress: { ipv4: hostAddress(number) } },
      log: logOf((line) => {
        for (const [words, kind] of Object.entries(TOLD)) {
          if (line.includes(words)) held.count(kind);
        }
        tell(() => `host ${number}: ${line}`);
      }),
      ended(ending) {
        tell(() => `host ${number}: ends, code ${ending.code}, ${ending.why}`);
        held.count(`ending: ${ending.code}, ${ending.why.replace(/SIG\w+/, "signal")}`);
        watching.ended(number, ending, { wasDenied: held.kinds.has("route 53: denied") });
      },
      edgesOf: (life) => ({
        docker: () => ({
          ...docker,
          events: (label, stop) => docker.events(label, AbortSignal.any([stop, life.dead])),
          async inspect(id, givenUp) {
            const answered = watching.asks(id, "container");
            const container = await docker.inspect(id, givenUp);
            if (life.deadForMs() === 0 && givenUp?.aborted !== true) answered();
            return container;
          },
        }),
        async findEcsAgent() {
          const { agent: found, ...facts } = await introspection.find();
          const taskOf: typeof found.taskOf = (id) => {
            const answered = watching.asks(id, "task");
            return found.taskOf(id).finally(() => {
              if (life.deadForMs() === 0) answered();
            });
          };
          return { ...facts, agent: { ...found, taskOf } };
        },
        hostedZone: () => route53.as(number, life),
        hostAddresses: async () => ({}),
        bootId: async () => `boot ${machine.boot}`,
        journal: (name) => files.store(name, life),
        journalNames: files.names,
      }),
    });
    return { engine: docker, agent, machine };
  }
}

/** An agent that was away for so long counts as dead to another one of its machine, */
const DEAD_MS = 10_000;
/** and what that one has sent lands within this time. */
const UNDER_WAY_MS = 20_000;

/** What agents say of themselves, where a fault would otherwise not show that it has had its effect. */
const TOLD = {
  "are kept though Docker shows no container": "discover: doubtful deletes held back",
  "was another container instance before": "discover: a former self's records removed",
  "shares --stateDir": "discover: another agent's records left alone",
  "lives again, and has taken": "discover: a former self lives again",
};

/** A host knows its former self by its journal alone: where that may be lost, only a sweep can help. */
const canRegisterAnew = ({ windows, steps, others, leftovers }: Scenario): boolean =>
  others < 300 &&
  leftovers === 0 &&
  !windows.some(({ kind }) => kind.startsWith("journal: ")) &&
  !steps.some(({ kind }) => kind.startsWith("journal: ") || kind === "host: reboot");

const stateOf = ({ boxes }: Engine, id: Parameters<Engine["start"]>[0]): string => {
  const box = boxes.get(id);
  if (box === undefined) return "is gone";
  const { running, paused, health } = box;
  return `is ${running ? "running" : "ended"}${paused ? ", paused" : ""}, health ${health}`;
};

const shown = ({ name, type, setIdentifier = "", ttlSeconds, weight, values }: ZoneRecord) =>
  `${name} ${type} ${setIdentifier.slice(-36)} ttl ${ttlSeconds} ${weight ?? "-"} ${values.join(" ")}`;

const logOf = (line: (text: string) => void) => {
  const at = (level: string) => (message: string, fields?: object) =>
    line(`${level} ${message} ${fields === undefined ? "" : JSON.stringify(fields)}`);
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: () => {} };
};
