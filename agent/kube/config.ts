import * as z from "zod";
import { commonFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, oneOf, wholeNumber } from "../cli/flags.ts";
import { type StatusAddress, statusAddressOf } from "../page/status-address.ts";

const dnsLabel = (help: string): Flag<string | undefined> => ({
  takes: "name",
  optional: true,
  help,
  expected: "the name of a namespace",
  schema: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
});

const { byDefault: _, ...address } = statusAddressOf("kube");

/** Where nobody says: on loopback, and in a pod where probes and scrapers reach it. */
const statusAddress: Flag<StatusAddress | "off" | undefined> = {
  ...address,
  optional: true,
  help: `${address.help} (default 127.0.0.1:51685, in a cluster 0.0.0.0:51685)`,
  schema: address.schema.transform((value) => value ?? ("off" as const)),
};

export const flags = {
  kubeconfig: {
    takes: "file",
    optional: true,
    help: "how to reach the cluster; otherwise KUBECONFIG, ~/.kube/config or the pod's own account",
    expected: "a file's name",
    schema: z.string().min(1),
    noEnvironment: true,
  } satisfies Flag<string | undefined> as Flag<string | undefined>,
  namespace: dnsLabel("look after this namespace only, with rights in it alone"),
  leaseNamespace: dnsLabel("where the lease lies; otherwise the pod's or the context's namespace"),
  serviceType: oneOf(["LoadBalancer", "NodePort", "ClusterIP"], {
    byDefault: "LoadBalancer",
    help: "the type of a Service that stands for load balancers, unless spec.serviceType says",
  }),
  hostPorts: oneOf(["drop", "keep"], {
    byDefault: "drop",
    help: "whether fixed ports of the host are kept, unless spec.hostPorts says",
  }),
  resync: wholeNumber({
    takes: "seconds",
    min: 10,
    max: 86_400,
    byDefault: 300,
    help: "how often everything is looked at again without being asked to",
  }),
  concurrency: wholeNumber({
    min: 1,
    max: 64,
    byDefault: 32,
    help: "how many ECSDeployments are looked at once",
  }),
  statusAddress,
  ...commonFlags,
};

export const examples = [
  ["kube", "in a pod of the cluster, with its account"],
  ["kube --kubeconfig=kubeconfig --namespace=shop", "from outside, for one namespace"],
] as const;

export type KubeConfig = ConfigOf<typeof flags>;
