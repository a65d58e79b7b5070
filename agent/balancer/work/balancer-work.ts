import type { Begun } from "../../../lib/elb/journal.ts";
import type { BalancerPlan } from "../../../lib/elb/listener-plan.ts";
import type { WantedPort } from "../../../lib/elb/recovery.ts";
import { loadBalancerOf } from "../../../lib/elb/service.ts";
import { wishOf } from "../../../lib/elb/wishes.ts";
import type { BalancerWish, PlannedRecovery } from "./classic-pass.ts";
import type { CycleOptions, Failed } from "./parts.ts";
import { type Seen, stateOf } from "./services.ts";
import type { Standing } from "./standing.ts";

/**
 * The part of a cycle that is about Classic Load Balancers: they are looked at when what is wanted of them is another than
 * last time, when something was not at its end, and when it is their turn.
 */
export function balancerWork(options: CycleOptions) {
  const { classic, journal } = options;
  const standings = new Map<string, Standing>();
  let plans: readonly BalancerPlan[] = [];
  let recoveries: readonly PlannedRecovery[] = [];
  let asked = "";
  let isUnfinished = true;

  return {
    standings: (): ReadonlyMap<string, Standing> => standings,
    plans: () => plans,
    recoveries: () => recoveries,
    /** True when something was changed, or is not at its end. */
    async run(
      seen: readonly Seen[],
      { tasksKnown, isDue }: { readonly tasksKnown: boolean; readonly isDue: boolean },
      failed: Failed,
    ): Promise<boolean> {
      const wishes = wishesOf(seen, options);
      const text = textOf(wishes);
      const begun = journal?.begun().length ?? 0;
      if (!isDue && text === asked && !isUnfinished && begun === 0) return false;
      try {
        const result = await classic.run(wishes, wantedPort(wishes, tasksKnown));
        asked = text;
        isUnfinished = result.again;
        ({ plans, recoveries } = result);
        standings.clear();
        for (const [key, standing] of result.standings) standings.set(key, standing);
        return result.again;
      } catch (error) {
        failed(error);
        isUnfinished = true;
        return false;
      }
    },
  };
}

const textOf = (wishes: readonly BalancerWish[]): string =>
  JSON.stringify(wishes, (_, value: unknown) => (value instanceof Map ? [...value] : value));

const wishesOf = (
  seen: readonly Seen[],
  { forward, serving, resting }: CycleOptions,
): readonly BalancerWish[] =>
  seen.flatMap((one): readonly BalancerWish[] => {
    const { service, found } = one;
    const loadBalancer = loadBalancerOf(service);
    const assumed = found.kind === "some" && forward.problemOf(service) === undefined;
    const wish = wishOf(
      stateOf(one, {
        isServing: serving === "assumed" ? assumed : forward.isServing(service),
        isResting: resting.reason(service.key) !== undefined,
      }),
    );
    return wish === undefined || loadBalancer === undefined ? [] : [{ loadBalancer, wish }];
  });

/** Where a listener that is missing shall lead today. */
const wantedPort =
  (wishes: readonly BalancerWish[], tasksKnown: boolean) =>
  ({ service, from }: Begun): WantedPort => {
    if (!tasksKnown) return "unknown";
    const ports = wishes.find(({ wish }) => wish.service === service)?.wish.ports;
    if (ports === undefined || ports.kind === "none") return "gone";
    return ports.kind === "every"
      ? ports.instancePort
      : (ports.byLbPort.get(from.listener.lbPort) ?? "gone");
  };
