import { DEFAULT_STOP_SIGNAL } from "../../lib/docker/life.ts";
import type { AgentHost } from "./agent.ts";
import type { Containers } from "./containers.ts";
import type { Engine } from "./engine.ts";
import type { Foreign } from "./foreign.ts";
import type { Made } from "./hosts.ts";
import type { Disk } from "./journal.ts";
import type { Step, StepKind } from "./scenario.ts";

const HANGUP = 1;
/** More often than a record may come and go in quick succession. */
const FLAPS = 15;
const FLAP_MS = 250;

/** One host and what runs on it. */
export interface Host {
  readonly engine: Engine;
  readonly agent: AgentHost;
  readonly machine: Machine;
}

/** What a host's agent has its folder on: its own, or one that several share. */
export interface Machine {
  readonly disk: Disk;
  /** Changes with each boot. */
  boot: number;
}

/** Lets one step happen, now. */
export function stepper({
  clock,
  hosts,
  containers,
  foreign,
  asked,
  isKept,
  registersAnew,
}: {
  readonly clock: { now(): number; at(ms: number, act: () => void): void };
  readonly hosts: readonly Host[];
  readonly containers: Containers;
  readonly foreign: Foreign;
  /** This host's agent is asked to stop. */
  readonly asked: (host: number) => void;
  /** An agent that is asked to stop leaves its records. */
  readonly isKept: boolean;
  /** This host's ECS agent has another container instance from now on. */
  readonly registersAnew: (host: number) => void;
}): (step: Step) => void {
  const later = (ms: number, act: () => void): void => clock.at(clock.now() + ms, act);

  /** Sends its stop signal; `then` once it has ended by that, and not by anything else before. */
  const stop = (engine: Engine, { id, stopsInMs }: Made, then = () => {}): void => {
    engine.signal(id, DEFAULT_STOP_SIGNAL);
    const starts = engine.boxes.get(id)?.starts;
    if (stopsInMs === undefined) return;
    later(stopsInMs, () => {
      const box = engine.boxes.get(id);
      if (!box?.running || box.starts !== starts) return;
      engine.die(id);
      then();
    });
  };

  return ({ kind, who }) => {
    const all = containers.all();
    const one = all[who % all.length];
    const hostNumber = who % hosts.length;
    const host = hosts[hostNumber];
    const engine = hosts[one?.host ?? 0]?.engine;
    if (one === undefined || host === undefined || engine === undefined) return;
    const { id } = one;
    const startSoon = () => later((who % 7) * 300 + 5, () => containers.start(one));
    const hands = (): void => foreign.act(kind, who);

    const steps: Readonly<Record<StepKind, () => void>> = {
      "container: crash": () => engine.die(id),
      "container: crash and start again"() {
        engine.die(id);
        startSoon();
      },
      "container: stop": () => stop(engine, one),
      "container: stop and start again": () => stop(engine, one, startSoon),
      "container: other signal": () => engine.signal(id, HANGUP),
      "container: remove"() {
        engine.die(id);
        engine.remove(id);
      },
      "container: pause": () => engine.pause(id),
      "container: unpause": () => engine.unpause(id),
      "container: ill": () => engine.turn(id, false),
      "container: well": () => engine.turn(id, true),
      "container: replaced by a new one"() {
        containers.start(containers.make({ ...one, startsAtMs: clock.now(), isSidecar: false }));
        stop(engine, one);
      },
      "docker: stream cut": () => host.engine.cut(),
      "docker: restart": () => host.engine.restart(),
      "docker: back empty": () => host.engine.comeBackEmpty(),
      "agent: killed": () => host.agent.kill(),
      "agent: killed before a call": () => host.agent.killAt(1 + (who % 40), "before"),
      "agent: killed after a call": () => host.agent.killAt(1 + (who % 40), "after"),
      "agent: SIGTERM"() {
        asked(hostNumber);
        host.agent.signal("SIGTERM");
      },
      "agent: two signals"() {
        asked(hostNumber);
        host.agent.signal("SIGINT");
        host.agent.signal("SIGTERM");
      },
      "agent: replaced while it drains"() {
        // Otherwise it would take with it what its successor has published.
        if (isKept) host.agent.replace();
        else host.agent.signal("SIGTERM");
        asked(hostNumber);
      },
      "docker: a container flaps"() {
        for (let n = 0; n < FLAPS; n += 1) {
          later(n * 2 * FLAP_MS, () => engine.die(id));
          later((n * 2 + 1) * FLAP_MS, () => containers.start(one));
        }
      },
      "ecs: registered anew": () => registersAnew(hostNumber),
      "host: reboot"() {
        const { machine } = host;
        for (const one of hosts.filter((other) => other.machine === machine)) {
          one.agent.kill();
          one.engine.restart();
        }
        machine.disk.forget(who % 4);
        machine.boot += 1;
      },
      "journal: garbage": () =>
        host.machine.disk.spoil(who % 2 === 0 ? "{}\n" : '{"format":1,"published":['),
      "journal: lost": () => host.machine.disk.spoil(undefined),
      "foreign: another TTL": hands,
      "foreign: another host's record": hands,
      "foreign: simple record in the way": hands,
      "foreign: CNAME in the way": hands,
      "foreign: name filled up": hands,
      "foreign: gone again": hands,
      "by hand: our record deleted": hands,
      "by hand: our record edited": hands,
    };
    steps[kind]();
  };
}
