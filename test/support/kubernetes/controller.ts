import type { Finding } from "../../../agent/doctor/finding.ts";
import { type AgentProcess, startAgent } from "../agent-process.ts";
import { type ControlPlane, controlPlane } from "./control-plane.ts";

const DEPLOY = new URL("../../../deploy/kubernetes/", import.meta.url);
/** The account of deploy/kubernetes/rbac.yaml. */
const ACCOUNT = "ecs-discovery-agent-kube";
export const NAMESPACE = "ecs-discovery-agent";
const OBJECTS = "/apis/ecskube.ecskube/v1alpha1/namespaces/default/ecsdeployments";

export interface World {
  readonly cluster: ControlPlane;
  /** A controller with the rights of deploy/kubernetes, and none beside. */
  controller(...flags: readonly string[]): Promise<AgentProcess>;
  /** What doctor says of the same account. */
  doctor(): Promise<{ readonly code: number | null; readonly findings: readonly Finding[] }>;
  /** Creates or replaces an ECSDeployment of the namespace default. */
  put(name: string, spec: unknown, labels?: Readonly<Record<string, string>>): Promise<void>;
  remove(name: string): Promise<void>;
  /** The status of a condition, as soon as it is that of the newest generation. */
  condition(
    name: string,
    type: string,
    status: string,
    reason?: string,
  ): Promise<{ readonly reason: string; readonly message: string }>;
  /** The paths of the writes that the controller has asked for after this moment, leases and events aside. */
  writes(sinceMs?: number): readonly string[];
  close(): Promise<void>;
}

/** A control plane with the resource and the roles that an operator applies. */
export async function world(apiServerFlags: readonly string[] = []): Promise<World> {
  const cluster = await controlPlane({
    apiServerFlags,
    async prepare(plane) {
      for (const file of ["namespace.yaml", "crd.yaml", "rbac.yaml"]) {
        await plane.apply(new URL(file, DEPLOY));
      }
      await plane.until(OBJECTS, (_, status) => status === 200);
    },
  });
  const agents: AgentProcess[] = [];
  const kubeconfig = await cluster.serviceAccount(NAMESPACE, ACCOUNT);
  const made: World = {
    cluster,
    async controller(...flags) {
      const agent = startAgent(
        [
          "kube",
          `--kubeconfig=${kubeconfig}`,
          `--leaseNamespace=${NAMESPACE}`,
          "--statusAddress=127.0.0.1:0",
          "--logFormat=json",
          ...flags,
        ],
        { AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9" },
      );
      agents.push(agent);
      await agent.until(({ message }) => message === "looks after ECSDeployments");
      return agent;
    },
    async doctor() {
      const doctor = startAgent(
        [
          ...["doctor", "--mode=kube", "--json", `--kubeconfig=${kubeconfig}`],
          ...[`--leaseNamespace=${NAMESPACE}`, "--statusAddress=off"],
        ],
        { AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9" },
      );
      const { code } = await doctor.exit();
      const { findings } = JSON.parse(doctor.stdout) as { readonly findings: readonly Finding[] };
      return { code, findings };
    },
    async put(name, spec, labels): Promise<void> {
      const { status, body } = await cluster.ask("GET", `${OBJECTS}/${name}`);
      const object = {
        apiVersion: "ecskube.ecskube/v1alpha1",
        kind: "ECSDeployment",
        metadata: {
          name,
          namespace: "default",
          ...(labels && { labels }),
          ...(status === 200 && { resourceVersion: body.metadata.resourceVersion as string }),
        },
        spec,
      };
      const answer = await (status === 200
        ? cluster.ask("PUT", `${OBJECTS}/${name}`, object)
        : cluster.ask("POST", OBJECTS, object));
      if (answer.status === 409) return made.put(name, spec, labels);
      if (answer.status > 201) throw new Error(JSON.stringify(answer.body));
    },
    async remove(name) {
      const { status, body } = await cluster.ask("DELETE", `${OBJECTS}/${name}`);
      if (status !== 200) throw new Error(JSON.stringify(body));
    },
    condition: (name, type, wanted, reason) =>
      cluster.until(`${OBJECTS}/${name}`, ({ metadata, status }) => {
        const found = (status?.conditions ?? []).find((one: { type: string }) => one.type === type);
        return (
          found?.status === wanted &&
          found.observedGeneration === metadata.generation &&
          (reason === undefined || found.reason === reason) &&
          found
        );
      }),
    writes: (sinceMs) => cluster.writes(ACCOUNT, sinceMs).filter((one) => !one.includes(" events")),
    async close() {
      for (const agent of agents) {
        if (agent.ended) continue;
        agent.kill("SIGTERM");
        await agent.ends;
      }
      await cluster.stop();
    },
  };
  return made;
}

export const deployment = (name: string): string =>
  `/apis/apps/v1/namespaces/default/deployments/${name}`;
export const service = (name: string): string => `/api/v1/namespaces/default/services/${name}`;
