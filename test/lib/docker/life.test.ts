import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import {
  type Health,
  LIFELESS,
  type LifeEvent,
  lifeOf,
  nextVitals,
  signalNumber,
  type Vitals,
} from "../../../lib/docker/life.ts";
import { act, type ContainerAction } from "../../../lib/standins/docker/life.ts";
import { type ContainerState, isRunning } from "../../../lib/standins/docker/state.ts";

const vitals = (over: Partial<Vitals> = {}): Vitals => ({
  running: true,
  paused: false,
  health: "healthy",
  stopping: false,
  ...over,
});

describe("the vitals after an event", () => {
  const stopping = vitals({ stopping: true });
  const dead = vitals({ running: false });
  const unchecked = vitals({ health: "none" });
  const seen = (over: Partial<Vitals> = {}): LifeEvent => ({ kind: "seen", vitals: vitals(over) });
  test.each<[string, Vitals, LifeEvent, Vitals]>([
    ["seen", LIFELESS, seen({ paused: true }), vitals({ paused: true })],
    ["seen while stopping", stopping, seen({ health: "none" }), { ...stopping, health: "none" }],
    ["seen dead while stopping", stopping, seen({ running: false }), dead],
    ["start", dead, { kind: "start" }, vitals({ health: "starting" })],
    ["start without a check", { ...unchecked, running: false }, { kind: "start" }, unchecked],
    ["start while stopping", stopping, { kind: "start" }, vitals({ health: "starting" })],
    ["die", stopping, { kind: "die" }, vitals({ running: false, health: "unhealthy" })],
    ["die without a check", unchecked, { kind: "die" }, { ...unchecked, running: false }],
    ["pause", vitals(), { kind: "pause" }, vitals({ paused: true, health: "unhealthy" })],
    ["unpause", vitals({ paused: true }), { kind: "unpause" }, vitals()],
    ["health", vitals(), { kind: "health", health: "unhealthy" }, vitals({ health: "unhealthy" })],
    ["stop-signal", vitals(), { kind: "stop-signal" }, stopping],
    ["stop-signal to the dead", dead, { kind: "stop-signal" }, dead],
    ["survived", stopping, { kind: "survived" }, vitals()],
  ])("%s", (_, before, event, after) => {
    expect(nextVitals(before, event)).toEqual(after);
  });
});

describe("what the vitals come to, the first that applies", () => {
  test.each([
    ["dead", vitals({ running: false, stopping: true, paused: true })],
    ["stopping", vitals({ stopping: true, paused: true, health: "unhealthy" })],
    ["paused", vitals({ paused: true, health: "unhealthy" })],
    ["starting", vitals({ health: "starting" })],
    ["unhealthy", vitals({ health: "unhealthy" })],
    ["healthy", vitals({ health: "healthy" })],
    ["healthy", vitals({ health: "none" })],
  ])("%s", (life, of) => {
    expect(lifeOf(of)).toBe(life);
  });
});

describe("signals", () => {
  test.each([
    ["15", 15],
    ["SIGTERM", 15],
    ["TERM", 15],
    ["sigusr1", 10],
    ["SIGQUIT", 3],
    ["9", 9],
    ["SIGRTMIN", 34],
    ["SIGRTMIN+3", 37],
    ["RTMAX-1", 63],
    ["", undefined],
    ["SIG", undefined],
    ["SIGFOO", undefined],
    ["RTMIN-1", undefined],
    ["RTMAX+1", undefined],
    ["toString", undefined],
    ["1e1", undefined],
    ["-9", undefined],
  ])("%j is %p", (text, number) => {
    expect(signalNumber(text)).toBe(number);
  });
});

/** What an engine's event is to the reducer, for a container whose stop signal is TERM. */
function lifeEvents(action: string, signal: string | undefined): readonly LifeEvent[] {
  if (action === "start" || action === "die" || action === "pause" || action === "unpause") {
    return [{ kind: action }];
  }
  if (action === "kill" && signal === "15") return [{ kind: "stop-signal" }];
  const [, health] = /^health_status: (.*)$/.exec(action) ?? [];
  return health === undefined ? [] : [{ kind: "health", health: health as Health }];
}

describe("the events of a whole life", () => {
  const action = fc.oneof<fc.Arbitrary<ContainerAction>[]>(
    fc.constantFrom<ContainerAction>(
      { verb: "start" },
      { verb: "stop" },
      { verb: "stop", ignoresTerm: true },
      { verb: "kill" },
      { verb: "kill", signal: 1 },
      { verb: "crash" },
      { verb: "oom" },
      { verb: "restart" },
      { verb: "autoRestart" },
      { verb: "pause" },
      { verb: "unpause" },
      { verb: "health", health: "healthy" },
      { verb: "health", health: "unhealthy" },
    ),
  );

  it("come to the state in which they leave the container", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), fc.boolean(), (actions, healthcheck) => {
        let container: ContainerState = {
          id: "a".repeat(64),
          name: "web",
          image: "web:1",
          labels: {},
          networkMode: "bridge",
          status: "created",
          exitCode: 0,
          oomKilled: false,
          createdMs: 0,
          healthcheck,
          restartCount: 0,
        };
        let after: Vitals = { ...LIFELESS, health: healthcheck ? "starting" : "none" };
        for (const one of actions) {
          let step: ReturnType<typeof act>;
          try {
            step = act(container, one, 0);
          } catch {
            // What the engine refuses in this state did not happen.
            continue;
          }
          for (const { Type, Action, Actor } of step.events) {
            if (Type !== "container") continue;
            for (const event of lifeEvents(Action, Actor.Attributes["signal"])) {
              after = nextVitals(after, event);
            }
          }
          container = step.container ?? container;
          expect(after.running).toBe(isRunning(container));
          expect(after.paused).toBe(container.status === "paused");
          expect(after.stopping).toBe(false);
          if (after.running) expect(after.health).toBe(container.health ?? "none");
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
