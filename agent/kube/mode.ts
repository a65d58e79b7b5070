import { hostname } from "node:os";
import { documentsIn } from "../../lib/ecs/io/definition-text.ts";
import { causes } from "../../lib/kit/failure.ts";
import { summed } from "../../lib/kit/flow/summed.ts";
import type { KubeApi } from "../../lib/kubernetes/flow/api.ts";
import { leadByLease } from "../../lib/kubernetes/flow/leader.ts";
import { reconciler } from "../../lib/kubernetes/flow/reconcile.ts";
import { kubeClient, kubeConnection, podNamespace } from "../../lib/kubernetes/io/client.ts";
import { keyOf } from "../../lib/kubernetes/object.ts";
import { statusPorts } from "../page/status-address.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { version } from "../process/version.ts";
import type { KubeConfig } from "./config.ts";
import { copies } from "./copies.ts";
import { tellEvent } from "./events.ts";
import { observer } from "./observer.ts";
import { terms } from "./term.ts";

const LEASE = "ecs-discovery-agent-kube";
/** The same problem again is summed up over this. */
const SUM_MS = 60_000;

/**
 * Makes Deployments and Services of ECSDeployments, and keeps them so. One of all that run leads; a problem of the API
 * server is waited out, and whatever was missed meanwhile is seen at the next look.
 */
export async function kube(config: KubeConfig, surroundings: Surroundings): Promise<void> {
  const { stop, clock, random, log } = surroundings;
  const connection = kubeConnection(config.kubeconfig);
  const sum = summed<string>({ clock, windowMs: SUM_MS, stop: stop.signal });
  const problem = (text: string) =>
    sum(text, (again) =>
      log.warn(again ? `${text} (${again.times} times in ${again.seconds} s)` : text),
    );
  const observed = observer(addressOf(config, connection.isInCluster), surroundings);
  const api: KubeApi = kubeClient(connection, observed.answered);
  const known = copies(api, config.namespace, surroundings, {
    owner: (key) => leading.mark(key),
    child: (key) => leading.markSoon(key),
    listed: observed.changed,
    problem,
  });

  const look = reconciler({
    api,
    owners: known.owners,
    children: known.children,
    options: {
      serviceType: config.serviceType,
      hostPorts: config.hostPorts,
      names: new Map(),
    },
    documentsIn,
    madeBy: `ecs-discovery-agent ${version()} kube`,
    timestamp: seconds,
    onWrite: observed.wrote,
    onTold(owner, reason, message) {
      log.warn(`${keyOf(owner)}: ${reason}: ${message}`);
      tellEvent(api, owner, reason, message, seconds()).catch((error: unknown) =>
        problem(`an event is lost: ${causes(error)}`),
      );
    },
  });
  const leading = terms(config, surroundings, known, {
    look,
    looked: observed.looked,
    problem,
    leads: observed.leads,
  });

  log.info("looks after ECSDeployments", {
    url: connection.server,
    namespace: config.namespace ?? "all",
  });
  await together(stop, [
    observed.serve(known, leading),
    ...known.all.map((copy) => copy.run(stop.signal)),
    leadByLease({
      api,
      namespace:
        config.leaseNamespace ?? podNamespace() ?? config.namespace ?? connection.namespace,
      name: config.namespace === undefined ? LEASE : `${LEASE}-${config.namespace}`.slice(0, 63),
      identity: `${hostname()}_${process.pid}_${random().toString(36).slice(2, 10)}`,
      clock,
      timestamp: () => new Date().toISOString().replace("Z", "000Z"),
      stop: stop.signal,
      lead: leading.lead,
      onProblem: (text) => problem(`the lease: ${text}`),
    }),
  ]);
}

/** Now, in RFC 3339 to the second, as conditions and events have it. */
const seconds = (): string => new Date().toISOString().replace(/\.\d+Z$/, "Z");

function addressOf({ statusAddress }: KubeConfig, isInCluster: boolean) {
  if (statusAddress === "off") return undefined;
  return statusAddress ?? { host: isInCluster ? "0.0.0.0" : "127.0.0.1", port: statusPorts.kube };
}
