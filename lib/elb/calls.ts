import { type HealthCheck, type Listener, listenerText } from "./load-balancer.ts";

/** One request that changes something. Each may be repeated: the second time it changes nothing. */
export type Call =
  | {
      readonly operation: "SetLoadBalancerPoliciesOfListener";
      readonly loadBalancer: string;
      readonly lbPort: number;
      /** The whole set; none turns all off. */
      readonly policies: readonly string[];
    }
  | {
      readonly operation: "SetLoadBalancerPoliciesForBackendServer";
      readonly loadBalancer: string;
      readonly instancePort: number;
      readonly policies: readonly string[];
    }
  | {
      readonly operation: "DeleteLoadBalancerListeners";
      readonly loadBalancer: string;
      readonly lbPort: number;
    }
  | {
      readonly operation: "CreateLoadBalancerListeners";
      readonly loadBalancer: string;
      readonly listener: Listener;
    }
  | {
      readonly operation: "ConfigureHealthCheck";
      readonly loadBalancer: string;
      readonly healthCheck: HealthCheck;
    }
  | {
      readonly operation:
        | "RegisterInstancesWithLoadBalancer"
        | "DeregisterInstancesFromLoadBalancer";
      readonly loadBalancer: string;
      readonly instance: string;
    };

/** What a load balancer's API said to a call that it took in. */
export type CallOutcome =
  | { readonly kind: "done" }
  /** It will say the same again, as far as its code tells. */
  | { readonly kind: "refused"; readonly code: string; readonly message: string };

/**
 * Refusals that pass by themselves. A listener that was just deleted may count as there for a moment, and a certificate
 * that was just uploaded as missing (hashicorp/terraform-provider-aws, `elb/load_balancer.go`).
 */
export const PASSING: readonly string[] = ["DuplicateListener", "CertificateNotFound"];

export function callText(call: Call): string {
  const of = `${call.operation} ${call.loadBalancer}`;
  switch (call.operation) {
    case "SetLoadBalancerPoliciesOfListener":
      return `${of} listener ${call.lbPort}: ${policiesText(call.policies)}`;
    case "SetLoadBalancerPoliciesForBackendServer":
      return `${of} instance port ${call.instancePort}: ${policiesText(call.policies)}`;
    case "DeleteLoadBalancerListeners":
      return `${of} listener ${call.lbPort}`;
    case "CreateLoadBalancerListeners":
      return `${of} listener ${listenerText(call.listener)}`;
    case "ConfigureHealthCheck":
      return `${of} ${checkText(call.healthCheck)}`;
    case "RegisterInstancesWithLoadBalancer":
    case "DeregisterInstancesFromLoadBalancer":
      return `${of} ${call.instance}`;
  }
}

const policiesText = (policies: readonly string[]): string =>
  policies.length === 0 ? "no policy" : policies.join(", ");

export const checkText = (check: HealthCheck): string =>
  `${check.target} every ${check.intervalSeconds} s, timeout ${check.timeoutSeconds} s, ` +
  `healthy after ${check.healthyThreshold}, unhealthy after ${check.unhealthyThreshold}`;
