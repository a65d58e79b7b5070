import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import type { Call, CallOutcome } from "../../../../lib/elb/calls.ts";
import { type JournalStore, openJournal } from "../../../../lib/elb/flow/journal.ts";
import { mover } from "../../../../lib/elb/flow/mover.ts";
import { planBalancer, type Wish } from "../../../../lib/elb/listener-plan.ts";
import { Unavailable } from "../../../../lib/kit/failure.ts";
import type { ClassicBalancer } from "../../../../lib/standins/elb/classic-state.ts";
import { INSTANCE, rulesApi, web } from "../../../support/elb.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const SCOPE = { region: "eu-west-1", instance: INSTANCE };

/** A file that is there after the process is gone. */
function disk(): JournalStore & { text: string | undefined } {
  return {
    text: undefined,
    async read() {
      return this.text;
    },
    async write(text) {
      this.text = text;
    },
    async setAside() {
      this.text = undefined;
    },
  };
}

const wish = (instancePort: number, over: Partial<Wish> = {}): Wish => ({
  service: "web",
  mode: "rewrite",
  ports: { kind: "every", instancePort },
  healthCheck: undefined,
  presence: "in",
  ...over,
});

/** A world that outlives processes: the load balancers, the disk, and time. */
function world(balancers: readonly ClassicBalancer[]) {
  const clock = virtualClock();
  const elb = rulesApi(clock, balancers);
  const store = disk();
  const warnings: string[] = [];
  /** A process: it opens the journal, brings to its end what is in it, and follows the wishes. */
  async function process(
    wishes: readonly Wish[],
    send: (call: Call) => Promise<CallOutcome> = elb.api.send,
    journalStore: JournalStore = store,
  ) {
    const journal = await openJournal(journalStore, SCOPE, (text) => warnings.push(text));
    const moves = mover({ send, journal, clock, random: () => 0.5 });
    for (const begun of journal.begun()) {
      const port = wishes[0]?.ports.kind === "every" ? wishes[0].ports.instancePort : "gone";
      await moves.replay(begun, elb.balancer(begun.loadBalancer), port);
    }
    const balancer = elb.balancer("web");
    return moves.carryOut(planBalancer(balancer, wishes, INSTANCE), balancer, INSTANCE);
  }
  /** What the process comes to, with time passing as it needs it. */
  async function run<T>(act: () => Promise<T>): Promise<T> {
    const ended = act();
    let done = false;
    ended.then(
      () => {
        done = true;
      },
      () => {
        done = true;
      },
    );
    await clock.pass(Number.MAX_SAFE_INTEGER, () => done);
    return ended;
  }
  return { clock, elb, store, warnings, process, run };
}

/** All that a switch must leave: the listener with its policies, the back-end policies on its port and no other. */
const switched = (port: number) => ({
  listeners: [
    {
      lbPort: 80,
      protocol: "HTTP",
      instancePort: port,
      instanceProtocol: "HTTP",
      policies: ["stick"],
    },
  ],
  backEnds: { [port]: ["proxy"] },
  check: { target: `HTTP:${port}/health`, interval: 30, timeout: 5, unhealthy: 2, healthy: 10 },
  instances: [INSTANCE],
});

const operations = (calls: readonly Call[]) => calls.map(({ operation }) => operation);

describe("a switch", () => {
  it("takes the listener's policies and the back end's along, in an order that proves what follows before the delete", async () => {
    const { elb, process, run, store } = world([web()]);
    const { moves, problems } = await run(() => process([wish(32_769)]));
    expect(moves.map(({ outcome }) => outcome)).toEqual([{ kind: "moved" }]);
    expect(problems).toEqual([]);
    expect(elb.plain("web")).toEqual(switched(32_769));
    expect(operations(elb.calls)).toEqual([
      "CreateLoadBalancerListeners",
      "SetLoadBalancerPoliciesOfListener",
      "SetLoadBalancerPoliciesForBackendServer",
      "DeleteLoadBalancerListeners",
      "CreateLoadBalancerListeners",
      "SetLoadBalancerPoliciesOfListener",
      "ConfigureHealthCheck",
      "SetLoadBalancerPoliciesForBackendServer",
    ]);
    expect(store.text).toContain('"begun":[]');
  });

  it("sends nothing when all is as it shall be", async () => {
    const { elb, process, run } = world([web()]);
    await run(() => process([wish(32_768)]));
    expect(elb.calls).toEqual([]);
  });

  it("waits while a deleted listener still counts as there", async () => {
    const { elb, process, run } = world([web()]);
    elb.rules.classic.deleteTakesMs = 3_000;
    const { moves } = await run(() => process([wish(32_769)]));
    expect(moves[0]?.outcome).toEqual({ kind: "moved" });
    expect(elb.plain("web")).toEqual(switched(32_769));
  });

  it("registers the host last", async () => {
    const { elb, process, run } = world([web({ instances: [] })]);
    await run(() => process([wish(32_769)]));
    expect(operations(elb.calls).at(-1)).toBe("RegisterInstancesWithLoadBalancer");
    expect(elb.plain("web")).toEqual(switched(32_769));
  });
});

describe("a refusal", () => {
  test.each([
    ["CreateLoadBalancerListeners", "CreateLoadBalancerListeners"],
    ["SetLoadBalancerPoliciesOfListener", "SetLoadBalancerPoliciesOfListener"],
    ["SetLoadBalancerPoliciesForBackendServer", "SetLoadBalancerPoliciesForBackendServer"],
    ["DeleteLoadBalancerListeners", "DeleteLoadBalancerListeners"],
  ])("for want of the permission %s touches nothing, and names it", async (operation, named) => {
    const { elb, process, run } = world([web()]);
    const before = elb.plain("web");
    const denied = async (call: Call): Promise<CallOutcome> =>
      call.operation === operation
        ? { kind: "refused", code: "AccessDenied", message: "not authorized" }
        : elb.api.send(call);
    const { moves } = await run(() => process([wish(32_769)], denied));
    expect(moves[0]?.outcome).toEqual({
      kind: "untouched",
      reason: expect.stringContaining(`denied elasticloadbalancing:${named} on load balancer web`),
    });
    expect(elb.plain("web")).toEqual(before);
  });

  it("of the new listener for good brings the old one back, policies and all", async () => {
    const { elb, process, run, store } = world([web()]);
    const before = elb.plain("web");
    const send = async (call: Call): Promise<CallOutcome> =>
      call.operation === "CreateLoadBalancerListeners" && call.listener.instancePort === 32_769
        ? { kind: "refused", code: "InvalidConfigurationRequest", message: "no" }
        : elb.api.send(call);
    const { moves } = await run(() => process([wish(32_769)], send));
    expect(moves[0]?.outcome).toMatchObject({ kind: "restored" });
    expect(elb.plain("web")).toEqual(before);
    expect(store.text).toContain('"begun":[]');
  });

  it("of back-end policies before the listener is there sets them after it", async () => {
    const { elb, process, run } = world([web()]);
    const send = async (call: Call): Promise<CallOutcome> =>
      call.operation === "SetLoadBalancerPoliciesForBackendServer" &&
      !elb.plain("web").listeners.some((one) => one.instancePort === call.instancePort) &&
      call.policies.length > 0
        ? { kind: "refused", code: "InvalidConfigurationRequest", message: "no listener" }
        : elb.api.send(call);
    const { moves } = await run(() => process([wish(32_769)], send));
    expect(moves[0]?.outcome).toEqual({ kind: "moved" });
    expect(elb.plain("web")).toEqual(switched(32_769));
  });

  it("of the journal's disk touches nothing", async () => {
    const { elb, process, run, store } = world([web()]);
    const before = elb.plain("web");
    const full = { ...store, write: async () => Promise.reject(new Error("ENOSPC")) };
    const { moves } = await run(() => process([wish(32_769)], elb.api.send, full));
    expect(moves[0]?.outcome).toMatchObject({
      kind: "untouched",
      reason: "the journal can't be written: ENOSPC",
    });
    expect(elb.plain("web")).toEqual(before);
  });
});

class Killed extends Error {}

/** Lets so many awaits pass, before and after each effect, and then nothing more: as a process that was killed there. */
function killedAfter(count: number) {
  let left = count;
  const moment = async (): Promise<void> => {
    left -= 1;
    if (left < 0) throw new Killed();
  };
  return {
    around:
      <A, T>(act: (argument: A) => Promise<T>) =>
      async (argument: A): Promise<T> => {
        await moment();
        const result = await act(argument);
        await moment();
        return result;
      },
    get wasKilled() {
      return left < 0;
    },
  };
}

const TWO_LISTENERS = web({
  listeners: [
    {
      lbPort: 80,
      protocol: "HTTP",
      instancePort: 32_768,
      instanceProtocol: "HTTP",
      policies: ["stick"],
    },
    {
      lbPort: 443,
      protocol: "HTTPS",
      instancePort: 32_768,
      instanceProtocol: "HTTP",
      certificate: "arn:aws:acm:eu-west-1:123456789012:certificate/a",
      policies: ["tls12", "stick"],
    },
  ],
  policies: {
    stick: "LBCookieStickinessPolicyType",
    tls12: "SSLNegotiationPolicyType",
    proxy: "ProxyProtocolPolicyType",
  },
});

/** Kills a switch at its n-th await; undefined when it has fewer. */
async function killedAt(count: number, next: readonly Wish[]) {
  const all = world([TWO_LISTENERS, { ...TWO_LISTENERS, name: "other" }]);
  const { elb, process, run, store } = all;
  const kill = killedAfter(count);
  const send = kill.around(elb.api.send);
  const write = kill.around((text: string) => store.write(text));
  const first = run(() =>
    process([wish(32_769)], send, { ...store, write, read: () => store.read() }),
  );
  await first.catch((error: unknown) => {
    if (!(error instanceof Killed)) throw error;
  });
  const held = elb.plain("web").listeners.length;
  if (!kill.wasKilled) return undefined;
  await run(() => process(next));
  // Only now may it have nothing left to do.
  elb.calls.length = 0;
  await run(() => process(next));
  return { ...all, held };
}

describe("killed at any await of a switch, the next start", () => {
  it("leaves both listeners as wanted, with their policies, and touches nothing else", async () => {
    let gaps = 0;
    let kills = 0;
    for (let count = 0; ; count += 1) {
      const after = await killedAt(count, [wish(32_769)]);
      if (after === undefined) break;
      kills += 1;
      if (after.held < 2) gaps += 1;
      const { elb, store } = after;
      expect({ count, ...elb.plain("web") }).toEqual({
        count,
        listeners: [
          {
            lbPort: 80,
            protocol: "HTTP",
            instancePort: 32_769,
            instanceProtocol: "HTTP",
            policies: ["stick"],
          },
          expect.objectContaining({
            lbPort: 443,
            instancePort: 32_769,
            policies: ["tls12", "stick"],
          }),
        ],
        backEnds: { 32769: ["proxy"] },
        check: expect.objectContaining({ target: "HTTP:32769/health" }),
        instances: [INSTANCE],
      });
      expect(elb.plain("other").listeners).toEqual(
        world([{ ...TWO_LISTENERS, name: "other" }]).elb.plain("other").listeners,
      );
      expect(store.text).toContain('"begun":[]');
      expect(elb.calls).toEqual([]);
    }
    // The switch of two listeners has so many awaits, and in some of them a listener is missing.
    expect(kills).toBeGreaterThan(30);
    expect(gaps).toBeGreaterThanOrEqual(4);
  });

  it("moves on to a third port, when the task was replaced meanwhile", async () => {
    for (let count = 0; ; count += 1) {
      const after = await killedAt(count, [wish(32_770)]);
      if (after === undefined) break;
      const { listeners, backEnds } = after.elb.plain("web");
      expect({ count, ports: listeners.map((one) => one.instancePort), backEnds }).toEqual({
        count,
        ports: [32_770, 32_770],
        backEnds: { 32770: ["proxy"] },
      });
      expect(listeners.map((one) => one.policies)).toEqual([["stick"], ["tls12", "stick"]]);
    }
  });

  it("has both listeners again though the task is gone", async () => {
    for (let count = 0; ; count += 1) {
      const after = await killedAt(count, [
        wish(0, { ports: { kind: "none" }, presence: "leave" }),
      ]);
      if (after === undefined) break;
      const { listeners, backEnds } = after.elb.plain("web");
      expect({ count, policies: listeners.map((one) => one.policies) }).toEqual({
        count,
        policies: [["stick"], ["tls12", "stick"]],
      });
      // PROXY protocol on each port that a listener leads to, and on no other.
      const ports = new Set(listeners.map((one) => String(one.instancePort)));
      expect(new Set(Object.keys(backEnds))).toEqual(ports);
    }
  });
});

describe("whatever goes wrong with any call", () => {
  const fault = fc.oneof(
    { weight: 3, arbitrary: fc.constant("none" as const) },
    fc.constantFrom("throttled", "lost", "landed", "refused", "killed" as const),
  );
  const lives = fc.array(
    fc.record({
      port: fc.constantFrom(32_768, 32_769, 32_770, 32_771),
      faults: fc.array(fault, { maxLength: 25 }),
    }),
    { minLength: 1, maxLength: 4 },
  );

  it("no listener is lost for good, no policy, and nothing else is touched", async () => {
    await fc.assert(
      fc.asyncProperty(lives, async (all) => {
        const { elb, process, run, store } = world([
          TWO_LISTENERS,
          { ...TWO_LISTENERS, name: "other" },
        ]);
        const other = elb.plain("other");
        for (const { port, faults } of all) {
          const left = [...faults];
          const send = async (call: Call): Promise<CallOutcome> => {
            switch (left.shift() ?? "none") {
              case "none":
                return elb.api.send(call);
              case "throttled":
              case "lost":
                throw new Unavailable("Elastic Load Balancing", "did not answer");
              case "landed":
                await elb.api.send(call);
                throw new Unavailable("Elastic Load Balancing", "did not answer");
              case "refused":
                return { kind: "refused", code: "InvalidConfigurationRequest", message: "no" };
              default:
                throw new Killed();
            }
          };
          await run(() => process([wish(port)], send)).catch((error: unknown) => {
            if (!(error instanceof Killed || error instanceof Unavailable)) throw error;
          });
        }
        const port = all.at(-1)?.port ?? 0;
        await run(() => process([wish(port)]));
        const after = elb.plain("web");
        expect(after.listeners.map((one) => [one.lbPort, one.instancePort, one.policies])).toEqual([
          [80, port, ["stick"]],
          [443, port, ["tls12", "stick"]],
        ]);
        expect(after.backEnds[port]).toEqual(["proxy"]);
        expect(after.check.target).toBe(`HTTP:${port}/health`);
        expect(after.instances).toEqual([INSTANCE]);
        expect(elb.plain("other")).toEqual(other);
        expect(store.text ?? '"begun":[]').toContain('"begun":[]');
      }),
      { numRuns: Number(globalThis.process.env["FUZZ_RUNS"] ?? 300) },
    );
  });
});
