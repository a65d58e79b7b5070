import type { Call } from "../../lib/elb/calls.ts";
import type { LoadBalancer } from "../../lib/elb/load-balancer.ts";
import type { ClassicApi } from "../../lib/elb/ports.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import {
  addBalancer,
  type ClassicBalancer,
  plainBalancer,
} from "../../lib/standins/elb/classic-state.ts";
import { Form, Refusal } from "../../lib/standins/elb/form.ts";
import { elbRules } from "../../lib/standins/elb/server.ts";

export const INSTANCE = "i-0123456789abcdef0";

/** A load balancer with one HTTP listener, 80 to 32768, that keeps sessions; and PROXY protocol towards the instance. */
export const web = (over: Partial<ClassicBalancer> = {}): ClassicBalancer => ({
  name: "web",
  listeners: [
    {
      lbPort: 80,
      protocol: "HTTP",
      instancePort: 32_768,
      instanceProtocol: "HTTP",
      policies: ["stick"],
    },
  ],
  policies: { stick: "LBCookieStickinessPolicyType", proxy: "ProxyProtocolPolicyType" },
  backEnds: { 32768: ["proxy"] },
  healthCheck: { target: "HTTP:32768/health" },
  instances: [INSTANCE],
  ...over,
});

/** The form of a call, as the SDK would send it. */
export function formOf(call: Call): Form {
  const fields: Record<string, string> = { LoadBalancerName: call.loadBalancer };
  const list = (name: string, values: readonly string[]) => {
    if (values.length === 0) fields[name] = "";
    values.forEach((value, index) => {
      fields[`${name}.member.${index + 1}`] = value;
    });
  };
  switch (call.operation) {
    case "SetLoadBalancerPoliciesOfListener":
      fields["LoadBalancerPort"] = String(call.lbPort);
      list("PolicyNames", call.policies);
      break;
    case "SetLoadBalancerPoliciesForBackendServer":
      fields["InstancePort"] = String(call.instancePort);
      list("PolicyNames", call.policies);
      break;
    case "DeleteLoadBalancerListeners":
      list("LoadBalancerPorts", [String(call.lbPort)]);
      break;
    case "CreateLoadBalancerListeners": {
      const { lbPort, protocol, instancePort, instanceProtocol, certificate } = call.listener;
      const at = "Listeners.member.1";
      fields[`${at}.LoadBalancerPort`] = String(lbPort);
      fields[`${at}.Protocol`] = protocol;
      fields[`${at}.InstancePort`] = String(instancePort);
      fields[`${at}.InstanceProtocol`] = instanceProtocol;
      if (certificate !== undefined) fields[`${at}.SSLCertificateId`] = certificate;
      break;
    }
    case "ConfigureHealthCheck": {
      const { healthCheck } = call;
      fields["HealthCheck.Target"] = healthCheck.target;
      fields["HealthCheck.Interval"] = String(healthCheck.intervalSeconds);
      fields["HealthCheck.Timeout"] = String(healthCheck.timeoutSeconds);
      fields["HealthCheck.UnhealthyThreshold"] = String(healthCheck.unhealthyThreshold);
      fields["HealthCheck.HealthyThreshold"] = String(healthCheck.healthyThreshold);
      break;
    }
    default:
      fields["Instances.member.1.InstanceId"] = call.instance;
  }
  return new Form(new URLSearchParams(fields).toString());
}

/** The stand-in's rules as the API that flows see, without a server: time may be a test's own. */
export function rulesApi(clock: Clock, balancers: readonly ClassicBalancer[]) {
  const rules = elbRules(clock);
  for (const balancer of balancers) addBalancer(rules.classic, balancer);
  const calls: Call[] = [];
  const balancer = (name: string): LoadBalancer => {
    const seen = plainBalancer(rules.classic, name);
    const { check } = seen;
    return {
      name,
      listeners: seen.listeners.map(({ policies, ...listener }) => ({ listener, policies })),
      backEnds: new Map(Object.entries(seen.backEnds).map(([port, all]) => [Number(port), all])),
      healthCheck: {
        target: check.target,
        intervalSeconds: check.interval,
        timeoutSeconds: check.timeout,
        unhealthyThreshold: check.unhealthy,
        healthyThreshold: check.healthy,
      },
      instances: new Set(seen.instances),
    };
  };
  const api: ClassicApi = {
    async describe(question) {
      const names =
        question.kind === "names" ? question.names : [...rules.classic.balancers.keys()];
      return names.every((name) => rules.classic.balancers.has(name))
        ? { kind: "page", balancers: names.map(balancer) }
        : { kind: "not-found" };
    },
    async send(call) {
      calls.push(call);
      try {
        rules.answer("2012-06-01", call.operation, formOf(call));
        return { kind: "done" };
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return { kind: "refused", code: error.code, message: error.message };
      }
    },
    async health() {
      return { kind: "gone" };
    },
  };
  return {
    rules,
    api,
    calls,
    balancer,
    plain: (name: string) => plainBalancer(rules.classic, name),
  };
}
