import type { Call, CallOutcome } from "./calls.ts";
import type { LoadBalancer } from "./load-balancer.ts";
import type { Question } from "./names.ts";
import type { Target, TargetState } from "./target-plan.ts";

/** A refusal of a question: no permission, or something that only an operator can mend. */
interface RefusedQuestion {
  readonly kind: "refused";
  readonly code: string;
  readonly message: string;
}

/**
 * The Classic API, each function one request. All throw `Unavailable` when trying again may help; what the API refuses
 * comes back.
 */
export interface ClassicApi {
  /** One page; `from` is where it begins. */
  describe(
    question: Question,
    from: string | undefined,
  ): Promise<
    | { readonly kind: "page"; readonly balancers: readonly LoadBalancer[]; readonly next?: string }
    /** One of the names is of no load balancer; which one can't be told for sure. */
    | { readonly kind: "not-found" }
    | RefusedQuestion
  >;
  send(call: Call): Promise<CallOutcome>;
  /** InService or OutOfService, and in words why; `gone` when the load balancer does not know the instance (any more). */
  health(
    loadBalancer: string,
    instance: string,
  ): Promise<
    | { readonly kind: "state"; readonly state: string; readonly description: string }
    | { readonly kind: "gone" }
    | RefusedQuestion
  >;
}

interface TargetGroup {
  readonly arn: string;
  /** instance, ip, lambda or alb. */
  readonly targetType: string;
}

/** Target groups (the API of 2015-12-01), in the same manner. */
export interface TargetsApi {
  group(
    arn: string,
  ): Promise<{ readonly kind: "group"; readonly group: TargetGroup } | RefusedQuestion>;
  targets(
    arn: string,
  ): Promise<
    { readonly kind: "targets"; readonly targets: readonly TargetState[] } | RefusedQuestion
  >;
  register(arn: string, targets: readonly Target[]): Promise<CallOutcome>;
  deregister(arn: string, targets: readonly Target[]): Promise<CallOutcome>;
}
