import {
  ConfigureHealthCheckCommand,
  CreateLoadBalancerListenersCommand,
  DeleteLoadBalancerListenersCommand,
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeInstanceHealthCommand,
  DescribeLoadBalancersCommand,
  ElasticLoadBalancingClient,
  type LoadBalancerDescription,
  RegisterInstancesWithLoadBalancerCommand,
  type HealthCheck as SdkHealthCheck,
  type Listener as SdkListener,
  SetLoadBalancerPoliciesForBackendServerCommand,
  SetLoadBalancerPoliciesOfListenerCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { inTime, REQUEST_LIMIT_MS, readWhole } from "../../aws/io/whole-answers.ts";
import type { Call } from "../calls.ts";
import type { HealthCheck, Listener, LoadBalancer } from "../load-balancer.ts";
import { PAGE_SIZE } from "../names.ts";
import type { ClassicApi } from "../ports.ts";
import { present, refusalOf } from "./failure.ts";

/** Credentials and, when set, the endpoint (AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING) come from where the SDK finds them. */
export function classicApi({
  region,
}: {
  readonly region: string;
}): ClassicApi & { close(): void } {
  const client = new ElasticLoadBalancingClient({ region, ...clientDefaults() });
  readWhole(client);
  return {
    async describe(question, from) {
      try {
        const { LoadBalancerDescriptions, NextMarker } = await inTime(REQUEST_LIMIT_MS, (limit) =>
          client.send(
            new DescribeLoadBalancersCommand(
              question.kind === "names"
                ? { LoadBalancerNames: [...question.names], Marker: from }
                : { PageSize: PAGE_SIZE, Marker: from },
            ),
            limit,
          ),
        );
        return {
          kind: "page",
          balancers: present(
            "DescribeLoadBalancers",
            "LoadBalancerDescriptions",
            LoadBalancerDescriptions,
          ).map(balancerOf),
          ...(NextMarker && { next: NextMarker }),
        };
      } catch (error) {
        const refused = refusalOf("DescribeLoadBalancers", error);
        // On the wire LoadBalancerNotFound, in the SDK AccessPointNotFoundException.
        return /^(?:LoadBalancer|AccessPoint)NotFound$/.test(refused.code)
          ? { kind: "not-found" }
          : refused;
      }
    },
    async send(call) {
      try {
        await inTime(REQUEST_LIMIT_MS, (limit) => sendCall(client, call, limit));
        return { kind: "done" };
      } catch (error) {
        return refusalOf(call.operation, error);
      }
    },
    async health(loadBalancer, instance) {
      try {
        const { InstanceStates } = await inTime(REQUEST_LIMIT_MS, (limit) =>
          client.send(
            new DescribeInstanceHealthCommand({
              LoadBalancerName: loadBalancer,
              Instances: [{ InstanceId: instance }],
            }),
            limit,
          ),
        );
        const [seen] = InstanceStates ?? [];
        if (seen === undefined) return { kind: "gone" };
        return {
          kind: "state",
          state: seen.State ?? "Unknown",
          description: seen.Description ?? "",
        };
      } catch (error) {
        const refused = refusalOf("DescribeInstanceHealth", error);
        // InvalidInstance on the wire: "EndPoint is not valid" (API reference, DescribeInstanceHealth).
        return /^Invalid(?:Instance|EndPoint)$/.test(refused.code) ? { kind: "gone" } : refused;
      }
    },
    close: () => client.destroy(),
  };
}

/** Every call of the closed union has its command. */
function sendCall(
  client: ElasticLoadBalancingClient,
  call: Call,
  limit: { readonly abortSignal: AbortSignal },
): Promise<unknown> {
  const LoadBalancerName = call.loadBalancer;
  switch (call.operation) {
    case "SetLoadBalancerPoliciesOfListener":
      return client.send(
        new SetLoadBalancerPoliciesOfListenerCommand({
          LoadBalancerName,
          LoadBalancerPort: call.lbPort,
          PolicyNames: [...call.policies],
        }),
        limit,
      );
    case "SetLoadBalancerPoliciesForBackendServer":
      return client.send(
        new SetLoadBalancerPoliciesForBackendServerCommand({
          LoadBalancerName,
          InstancePort: call.instancePort,
          PolicyNames: [...call.policies],
        }),
        limit,
      );
    case "DeleteLoadBalancerListeners":
      return client.send(
        new DeleteLoadBalancerListenersCommand({
          LoadBalancerName,
          LoadBalancerPorts: [call.lbPort],
        }),
        limit,
      );
    case "CreateLoadBalancerListeners":
      return client.send(
        new CreateLoadBalancerListenersCommand({
          LoadBalancerName,
          Listeners: [sdkListener(call.listener)],
        }),
        limit,
      );
    case "ConfigureHealthCheck":
      return client.send(
        new ConfigureHealthCheckCommand({
          LoadBalancerName,
          HealthCheck: sdkCheck(call.healthCheck),
        }),
        limit,
      );
    case "RegisterInstancesWithLoadBalancer":
      return client.send(
        new RegisterInstancesWithLoadBalancerCommand({
          LoadBalancerName,
          Instances: [{ InstanceId: call.instance }],
        }),
        limit,
      );
    case "DeregisterInstancesFromLoadBalancer":
      return client.send(
        new DeregisterInstancesFromLoadBalancerCommand({
          LoadBalancerName,
          Instances: [{ InstanceId: call.instance }],
        }),
        limit,
      );
  }
}

const sdkListener = (one: Listener): SdkListener => ({
  LoadBalancerPort: one.lbPort,
  Protocol: one.protocol,
  InstancePort: one.instancePort,
  InstanceProtocol: one.instanceProtocol,
  ...(one.certificate !== undefined && { SSLCertificateId: one.certificate }),
});

const sdkCheck = (one: HealthCheck): SdkHealthCheck => ({
  Target: one.target,
  Interval: one.intervalSeconds,
  Timeout: one.timeoutSeconds,
  UnhealthyThreshold: one.unhealthyThreshold,
  HealthyThreshold: one.healthyThreshold,
});

function balancerOf(seen: LoadBalancerDescription): LoadBalancer {
  const check = seen.HealthCheck;
  return {
    name: seen.LoadBalancerName ?? "",
    listeners: (seen.ListenerDescriptions ?? []).flatMap(({ Listener: one, PolicyNames }) =>
      one === undefined ? [] : [{ listener: listenerOf(one), policies: PolicyNames ?? [] }],
    ),
    backEnds: new Map(
      (seen.BackendServerDescriptions ?? []).flatMap(({ InstancePort, PolicyNames }) =>
        InstancePort === undefined ? [] : [[InstancePort, PolicyNames ?? []] as const],
      ),
    ),
    healthCheck: check?.Target ? checkOf(check) : undefined,
    instances: new Set((seen.Instances ?? []).flatMap(({ InstanceId }) => InstanceId ?? [])),
  };
}

function listenerOf(seen: SdkListener): Listener {
  const { Protocol: protocol = "TCP", SSLCertificateId: certificate } = seen;
  return {
    lbPort: seen.LoadBalancerPort ?? 0,
    protocol,
    instancePort: seen.InstancePort ?? 0,
    // Without one, HTTP(S) leads to HTTP and TCP or SSL to TCP (API reference, Listener).
    instanceProtocol: seen.InstanceProtocol ?? (/^http/i.test(protocol) ? "HTTP" : "TCP"),
    ...(certificate && { certificate }),
  };
}

const checkOf = (seen: SdkHealthCheck): HealthCheck => ({
  target: seen.Target ?? "",
  intervalSeconds: seen.Interval ?? 30,
  timeoutSeconds: seen.Timeout ?? 5,
  unhealthyThreshold: seen.UnhealthyThreshold ?? 2,
  healthyThreshold: seen.HealthyThreshold ?? 10,
});
