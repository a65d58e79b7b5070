import {
  BACK_END,
  type BalancerState,
  type ClassicCheck,
  type ClassicState,
  DEFAULT_TLS_POLICY,
  defaultProtocol,
  HTTP_STICKY,
  type ListenerState,
  TLS,
} from "./classic-state.ts";
import { type Form, Refusal } from "./form.ts";

/**
 * What Classic Load Balancers answer, in the API of 2012-06-01.
 * Sources: [API] API reference 2012-06-01, the operation's own page, and botocore's model of it; [TF] hashicorp/
 * terraform-provider-aws, `elb/load_balancer.go`; [CPA] kubernetes/cloud-provider-aws, `aws_loadbalancer.go`; [GUIDE]
 * the guide of Classic Load Balancers. Texts without a source are ours.
 */

export type ClassicOperation = keyof typeof classicOperations;

/** Each operation that the stand-in knows: what is in its result. Throws `Refusal`. */
export const classicOperations = {
  DescribeLoadBalancers(state: ClassicState, form: Form) {
    const names = form.texts("LoadBalancerNames");
    const size = form.number("PageSize") ?? 400;
    // 1 to 400 [API].
    if (size < 1 || size > 400) throw new Refusal("ValidationError", "PageSize: 1 to 400");
    const marker = form.text("Marker");
    const missing = names.find((name) => !state.balancers.has(name));
    if (missing !== undefined) throw notFound(missing);
    const all =
      names.length > 0
        ? names.map((name) => state.balancers.get(name) as BalancerState)
        : [...state.balancers.values()];
    const from = marker === undefined ? 0 : all.findIndex(({ name }) => name === marker);
    if (from === -1) throw new Refusal("ValidationError", "Invalid marker");
    const next = all[from + size];
    return {
      LoadBalancerDescriptions: all.slice(from, from + size).map(described),
      ...(next !== undefined && { NextMarker: next.name }),
    };
  },
  DescribeInstanceHealth(state: ClassicState, form: Form, now: number) {
    const balancer = balancerOf(state, form);
    const asked = form.members("Instances").map((at) => form.text(`${at}.InstanceId`) ?? "");
    const ids = asked.length > 0 ? asked : [...balancer.instances];
    return {
      InstanceStates: ids.map((id) => {
        if (balancer.instances.has(id)) {
          return { InstanceId: id, State: "InService", ReasonCode: "N/A", Description: "N/A" };
        }
        const until = balancer.draining.get(id) ?? 0;
        if (until > now) {
          const Description = "Instance deregistration currently in progress.";
          return { InstanceId: id, State: "InService", ReasonCode: "N/A", Description };
        }
        // [API] InvalidEndPoint: on the wire InvalidInstance.
        throw new Refusal("InvalidInstance", `Could not find EC2 instance ${id}.`);
      }),
    };
  },
  CreateLoadBalancerListeners(state: ClassicState, form: Form, now: number) {
    const balancer = balancerOf(state, form);
    const listeners = form.members("Listeners").map((at) => listenerIn(form, at));
    if (listeners.length === 0) throw new Refusal("ValidationError", "Listeners: at least one");
    for (const listener of listeners) {
      judgeListener(balancer, listener, state.deleteTakesMs, now);
      // The same settings again: success, and nothing changes [API, CreateLoadBalancerListeners].
      if (balancer.listeners.has(listener.lbPort)) continue;
      const tls = isTls(listener.protocol);
      balancer.listeners.set(listener.lbPort, {
        listener,
        policies: tls ? [DEFAULT_TLS_POLICY] : [],
      });
    }
    return {};
  },
  DeleteLoadBalancerListeners(state: ClassicState, form: Form, now: number) {
    const balancer = balancerOf(state, form);
    // The model knows no error for a port without a listener [API].
    for (const text of form.texts("LoadBalancerPorts")) {
      if (balancer.listeners.delete(Number(text))) balancer.deleted.set(Number(text), now);
    }
    return {};
  },
  SetLoadBalancerPoliciesOfListener(state: ClassicState, form: Form) {
    const balancer = balancerOf(state, form);
    const port = form.number("LoadBalancerPort") ?? 0;
    const names = knownPolicies(balancer, form.texts("PolicyNames"));
    const found = balancer.listeners.get(port);
    if (found === undefined) {
      throw new Refusal("ListenerNotFound", `There is no listener for port ${port}`);
    }
    for (const name of names) {
      const type = balancer.policies.get(name) ?? "";
      const http = /^http/i.test(found.listener.protocol);
      const fits = HTTP_STICKY.includes(type)
        ? http
        : type === TLS && isTls(found.listener.protocol);
      if (!fits) {
        throw new Refusal(
          "InvalidConfigurationRequest",
          `Policy ${name} of type ${type} does not fit a listener of protocol ${found.listener.protocol}`,
          409,
        );
      }
    }
    // The whole set; an empty one disables all [API].
    found.policies = names;
    return {};
  },
  SetLoadBalancerPoliciesForBackendServer(state: ClassicState, form: Form) {
    const balancer = balancerOf(state, form);
    const port = form.number("InstancePort") ?? 0;
    const names = knownPolicies(balancer, form.texts("PolicyNames"));
    const stray = names.find((name) => !BACK_END.includes(balancer.policies.get(name) ?? ""));
    if (stray !== undefined) {
      throw new Refusal("InvalidConfigurationRequest", `${stray} is no back-end policy`, 409);
    }
    // Bound to the instance port, and there whether or not a listener leads to it [CPA].
    if (names.length === 0) balancer.backEnds.delete(port);
    else balancer.backEnds.set(port, names);
    return {};
  },
  ConfigureHealthCheck(state: ClassicState, form: Form) {
    const balancer = balancerOf(state, form);
    const check = checkIn(form);
    balancer.check = check;
    return { HealthCheck: checkOut(check) };
  },
  RegisterInstancesWithLoadBalancer(state: ClassicState, form: Form) {
    const balancer = balancerOf(state, form);
    for (const id of instancesIn(form)) {
      balancer.instances.add(id);
      balancer.draining.delete(id);
    }
    return { Instances: [...balancer.instances].map((InstanceId) => ({ InstanceId })) };
  },
  DeregisterInstancesFromLoadBalancer(state: ClassicState, form: Form, now: number) {
    const balancer = balancerOf(state, form);
    for (const id of instancesIn(form)) {
      if (balancer.instances.delete(id)) {
        balancer.draining.set(id, now + balancer.drainingSeconds * 1000);
      }
    }
    return { Instances: [...balancer.instances].map((InstanceId) => ({ InstanceId })) };
  },
};

const notFound = (name: string) =>
  new Refusal("LoadBalancerNotFound", `There is no ACTIVE Load Balancer named '${name}'`);

function balancerOf(state: ClassicState, form: Form): BalancerState {
  const name = form.text("LoadBalancerName") ?? "";
  const found = state.balancers.get(name);
  if (found === undefined) throw notFound(name);
  return found;
}

function listenerIn(form: Form, at: string): ListenerState["listener"] {
  const port = (name: string): number => {
    const number = form.number(`${at}.${name}`) ?? 0;
    // 1 to 65535 [API, Listener].
    if (number < 1 || number > 65_535) {
      throw new Refusal("ValidationError", `${name}: expected 1 to 65535, got ${number}`);
    }
    return number;
  };
  const protocol = form.text(`${at}.Protocol`) ?? "";
  const instanceProtocol = form.text(`${at}.InstanceProtocol`) ?? defaultProtocol(protocol);
  const certificate = form.text(`${at}.SSLCertificateId`);
  for (const one of [protocol, instanceProtocol]) {
    if (!/^(?:http|https|tcp|ssl)$/i.test(one)) {
      throw new Refusal("UnsupportedProtocol", `Listener protocol ${one} is not supported`);
    }
  }
  return {
    lbPort: port("LoadBalancerPort"),
    protocol: protocol.toUpperCase(),
    instancePort: port("InstancePort"),
    instanceProtocol: instanceProtocol.toUpperCase(),
    ...(certificate !== undefined && { certificate }),
  };
}

const isTls = (protocol: string): boolean => /^(?:https|ssl)$/i.test(protocol);

function judgeListener(
  balancer: BalancerState,
  listener: ListenerState["listener"],
  deleteTakesMs: number,
  now: number,
): void {
  const { lbPort, protocol, instanceProtocol, instancePort, certificate } = listener;
  const isHttp = (one: string) => /^http/i.test(one);
  if (isHttp(protocol) !== isHttp(instanceProtocol)) {
    throw new Refusal(
      "InvalidConfigurationRequest",
      `${protocol} can't lead to ${instanceProtocol}: HTTP and HTTPS go together, TCP and SSL do`,
      409,
    );
  }
  if (isTls(protocol) && certificate === undefined) {
    throw new Refusal(
      "InvalidConfigurationRequest",
      "Secure Listeners need to specify a SSLCertificateId",
      409,
    );
  }
  if (certificate?.includes("missing")) {
    throw new Refusal(
      "CertificateNotFound",
      `Server Certificate not found for the key: ${certificate}`,
    );
  }
  const there = balancer.listeners.get(lbPort)?.listener;
  const same =
    there !== undefined && JSON.stringify(sorted(there)) === JSON.stringify(sorted(listener));
  const since = now - (balancer.deleted.get(lbPort) ?? Number.NEGATIVE_INFINITY);
  if ((there !== undefined && !same) || (there === undefined && since < deleteTakesMs)) {
    // [API], and for a moment after a delete [TF].
    throw new Refusal(
      "DuplicateListener",
      `A listener already exists for ${balancer.name} with LoadBalancerPort ${lbPort}, but with a different InstancePort, Protocol, or SSLCertificateId`,
    );
  }
  // One instance port: all back ends secure or all not [API, Listener, InstanceProtocol].
  const mixed = [...balancer.listeners.values()].some(
    (other) =>
      other.listener.lbPort !== lbPort &&
      other.listener.instancePort === instancePort &&
      isTls(other.listener.instanceProtocol) !== isTls(instanceProtocol),
  );
  if (mixed) {
    throw new Refusal(
      "InvalidConfigurationRequest",
      `Instance port ${instancePort} is used with secure and insecure protocols`,
      409,
    );
  }
}

const sorted = (value: object): object =>
  Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));

function knownPolicies(balancer: BalancerState, names: readonly string[]): readonly string[] {
  const unknown = names.find((name) => !balancer.policies.has(name));
  if (unknown !== undefined) {
    throw new Refusal(
      "PolicyNotFound",
      `There is no policy with name ${unknown} for load balancer ${balancer.name}`,
    );
  }
  return names;
}

/** All five fields are required; the ranges [API, HealthCheck]. */
function checkIn(form: Form): ClassicCheck {
  const within = (name: string, min: number, max: number): number => {
    const value = form.number(`HealthCheck.${name}`);
    if (value === undefined || value < min || value > max) {
      throw new Refusal("ValidationError", `HealthCheck ${name}: ${min} to ${max}, got ${value}`);
    }
    return value;
  };
  const check = {
    target: form.text("HealthCheck.Target") ?? "",
    interval: within("Interval", 5, 300),
    timeout: within("Timeout", 2, 60),
    unhealthy: within("UnhealthyThreshold", 2, 10),
    healthy: within("HealthyThreshold", 2, 10),
  };
  if (check.timeout >= check.interval) {
    throw new Refusal("ValidationError", "HealthCheck timeout must be less than interval");
  }
  const [, port] = /^(?:(?:TCP|SSL):(\d{1,5})|HTTPS?:\d{1,5}\/[ -~]{0,1023})$/i.exec(
    check.target,
  ) ?? ["", undefined];
  const asked = port ?? /:(\d+)\//.exec(check.target)?.[1];
  if (asked === undefined || Number(asked) < 1 || Number(asked) > 65_535) {
    throw new Refusal("ValidationError", `HealthCheck target: ${check.target}`);
  }
  return check;
}

function instancesIn(form: Form): readonly string[] {
  const ids = form.members("Instances").map((at) => form.text(`${at}.InstanceId`) ?? "");
  const strange = ids.find((id) => !/^i-[0-9a-f]{8,17}$/.test(id));
  if (ids.length === 0 || strange !== undefined) {
    throw new Refusal("InvalidInstance", `Invalid id: "${strange ?? ""}"`);
  }
  return ids;
}

const checkOut = (check: ClassicCheck) => ({
  Target: check.target,
  Interval: check.interval,
  Timeout: check.timeout,
  UnhealthyThreshold: check.unhealthy,
  HealthyThreshold: check.healthy,
});

const described = (balancer: BalancerState) => ({
  LoadBalancerName: balancer.name,
  ListenerDescriptions: [...balancer.listeners.values()].map(({ listener, policies }) => ({
    Listener: {
      Protocol: listener.protocol,
      LoadBalancerPort: listener.lbPort,
      InstanceProtocol: listener.instanceProtocol,
      InstancePort: listener.instancePort,
      SSLCertificateId: listener.certificate,
    },
    PolicyNames: policies,
  })),
  BackendServerDescriptions: [...balancer.backEnds].map(([InstancePort, PolicyNames]) => ({
    InstancePort,
    PolicyNames,
  })),
  Instances: [...balancer.instances].map((InstanceId) => ({ InstanceId })),
  HealthCheck: checkOut(balancer.check),
});
