import { isStatus } from "../../../lib/kubernetes/api.ts";
import {
  type KubeConnection,
  kubeClient,
  kubeConnection,
} from "../../../lib/kubernetes/io/client.ts";
import { ecsDeployments } from "../../../lib/kubernetes/object.ts";
import type { StatusAddress } from "../../page/status-address.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { type Ask, askStatus, outcomes } from "../asking.ts";
import { type Finding, fail, notChecked, type Outcome, ok } from "../finding.ts";
import { answer } from "../report.ts";

interface Config {
  readonly kubeconfig: string | undefined;
  readonly namespace: string | undefined;
  readonly leaseNamespace: string | undefined;
  readonly statusAddress: StatusAddress | "off" | undefined;
  readonly json: boolean;
}

type Client = ReturnType<typeof kubeClient>;

/** What deploy/kubernetes/rbac.yaml gives, as an access review asks for it. */
const RIGHTS: readonly {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly verbs: readonly string[];
}[] = [
  { group: "ecskube.ecskube", resource: "ecsdeployments", verbs: ["list", "watch"] },
  { group: "ecskube.ecskube", resource: "ecsdeployments", subresource: "status", verbs: ["patch"] },
  ...["deployments", "daemonsets"].map((resource) => ({
    group: "apps",
    resource,
    verbs: ["list", "watch", "create", "patch", "delete"],
  })),
  ...["services", "serviceaccounts", "persistentvolumeclaims"].map((resource) => ({
    group: "",
    resource,
    verbs: ["list", "watch", "create", "patch", "delete"],
  })),
  { group: "", resource: "configmaps", verbs: ["get"] },
  { group: "", resource: "events", verbs: ["create", "patch"] },
];

const DEFAULT_STATUS: StatusAddress = { host: "127.0.0.1", port: 51_685 };

/** The API server, the definition of an ECSDeployment, and each right that the controller needs. Nothing is made. */
export async function kube(config: Config, surroundings: Surroundings): Promise<Answer> {
  const ask = outcomes(surroundings);
  const { statusAddress } = config;
  const address = statusAddress === "off" ? undefined : (statusAddress ?? DEFAULT_STATUS);
  const status = await askStatus(ask, address);
  const connected = await ask(async () => kubeConnection(config.kubeconfig));
  const findings =
    connected.kind === "failed"
      ? unreached("connection", connected)
      : await askServer(ask, connected.value, config);
  return answer([...findings, status], config);
}

const unreached = (
  check: "connection" | "server",
  { problem }: Extract<Outcome<unknown>, { kind: "failed" }>,
): readonly Finding[] => [
  fail(
    check,
    problem,
    check === "connection"
      ? "give --kubeconfig or KUBECONFIG, or run in a pod of the cluster with its account"
      : "see that the API server is reached from here, and that the credentials of the kubeconfig hold",
  ),
  ...["server", "definition", "rights", "lease"]
    .filter((one) => one !== check)
    .map((one) => notChecked(one, check)),
];

async function askServer(
  ask: Ask,
  connection: KubeConnection,
  config: Config,
): Promise<readonly Finding[]> {
  const api = kubeClient(connection);
  const where = ok(
    "connection",
    `${connection.server}, ${connection.isInCluster ? "as the pod's account" : "by a kubeconfig"}`,
  );
  const version = await ask(() => api.call({ method: "GET", path: "/version" }));
  if (version.kind === "failed") return [where, ...unreached("server", version)];
  const { gitVersion = "" } = version.value as { readonly gitVersion?: string };
  const lease = config.leaseNamespace ?? connection.namespace;
  return [
    where,
    ok("server", `Kubernetes ${gitVersion}`),
    await askDefinition(ask, api),
    await askRights(ask, api, config.namespace),
    await askLease(ask, api, lease),
  ];
}

async function askDefinition(ask: Ask, api: Client): Promise<Finding> {
  const { base, plural } = ecsDeployments;
  const found = await ask(() => api.call({ method: "GET", path: base }));
  if (found.kind === "done") {
    const { resources = [] } = found.value as { readonly resources?: readonly { name?: string }[] };
    if (resources.some(({ name }) => name === plural))
      return ok("definition", `${plural} (${base})`);
  } else if (!isStatus(found.error, 404)) {
    return fail("definition", found.problem, "see the API server's log");
  }
  return fail(
    "definition",
    "the cluster does not know ECSDeployments",
    "kubectl apply -f deploy/kubernetes/crd.yaml",
  );
}

async function isAllowed(
  api: Client,
  attributes: Readonly<Record<string, string | undefined>>,
): Promise<boolean> {
  const review = (await api.call({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: attributes },
    },
  })) as { readonly status?: { readonly allowed?: boolean } };
  return review.status?.allowed === true;
}

async function askRights(ask: Ask, api: Client, namespace: string | undefined): Promise<Finding> {
  const asked = RIGHTS.flatMap(({ verbs, ...what }) => verbs.map((verb) => ({ ...what, verb })));
  const found = await ask(() =>
    Promise.all(
      asked.map(async (one) => ((await isAllowed(api, { ...one, namespace })) ? [] : [one])),
    ),
  );
  const scope = namespace === undefined ? "in all namespaces" : `in the namespace ${namespace}`;
  if (found.kind === "failed") return fail("rights", found.problem, "see the API server's log");
  const lacking = Map.groupBy(found.value.flat(), ({ resource, subresource }) =>
    [resource, subresource].filter((part) => part !== undefined).join("/"),
  );
  if (lacking.size === 0) return ok("rights", `all ${asked.length} that are needed, ${scope}`);
  const list = [...lacking].map(([of, ones]) => `${ones.map(({ verb }) => verb).join(", ")} ${of}`);
  return fail(
    "rights",
    `missing ${scope}: ${list.join("; ")}`,
    "kubectl apply -f deploy/kubernetes/rbac.yaml, or give --namespace when the rights are for one only",
  );
}

async function askLease(ask: Ask, api: Client, namespace: string): Promise<Finding> {
  const found = await ask(() =>
    isAllowed(api, {
      group: "coordination.k8s.io",
      resource: "leases",
      verb: "create",
      namespace,
    }),
  );
  if (found.kind === "done" && found.value) return ok("lease", `can be made in ${namespace}`);
  return fail(
    "lease",
    found.kind === "done" ? `no right to make a lease in ${namespace}` : found.problem,
    "kubectl apply -f deploy/kubernetes/rbac.yaml, or name its namespace with --leaseNamespace",
  );
}
