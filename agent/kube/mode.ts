import { hostname } from "node:os";
import { documentsIn } from "../../lib/ecs/io/definition-text.ts";
import { backoffMs } from "../../lib/kit/backoff.ts";
import { causes } from "../../lib/kit/failure.ts";
import { summed } from "../../lib/kit/flow/summed.ts";
import { type WorkQueue, workQueue } from "../../lib/kit/flow/work-queue.ts";
import { KubeError } from "../../lib/kubernetes/api.ts";
import { controllerOf } from "../../lib/kubernetes/children.ts";
import { KIND } from "../../lib/kubernetes/ecs-deployment.ts";
import type { KubeApi } from "../../lib/kubernetes/flow/api.ts";
import { leadByLease } from "../../lib/kubernetes/flow/leader.ts";
import { reconciler } from "../../lib/kubernetes/flow/reconcile.ts";
import { type Reflected, reflector } from "../../lib/kubernetes/flow/reflector.ts";
import { kubeClient, kubeConnection, podNamespace } from "../../lib/kubernetes/io/client.ts";
import { NAME_LABEL } from "../../lib/kubernetes/mapping/context.ts";
import {
  childResources,
  ecsDeployments,
  type KubeObject,
  keyOf,
  type Resource,
} from "../../lib/kubernetes/object.ts";
import { modeStatus } from "../page/mode-status.ts";
import { statusPorts } from "../page/status-address.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { version } from "../process/version.ts";
import { board as newBoard } from "./board.ts";
import type { KubeConfig } from "./config.ts";
import { tellEvent } from "./events.ts";
import { metricTable } from "./metrics.ts";

const LEASE = "ecs-discovery-agent-kube";
const BACKOFF = { baseMs: 500, capMs: 60_000 };
/** A name that is taken may be given away without our hearing of it. */
const TAKEN_MS = 30_000;
/** The same problem again is summed up over this. */
const SUM_MS = 60_000;

/**
 * Makes Deployments and Services of ECSDeployments, and keeps them so. One of all that run leads; a problem of the API
 * server is waited out, and whatever was missed meanwhile is seen at the next look.
 */
export async function kube(config: KubeConfig, surroundings: Surroundings): Promise<void> {
  const { stop, clock, random, log } = surroundings;
  const connection = kubeConnection(config.kubeconfig);
  const board = newBoard(clock, () => Date.now() / 1000);
  const sum = summed<string>({ clock, windowMs: SUM_MS, stop: stop.signal });
  const problem = (text: string) =>
    sum(text, (again) =>
      log.warn(again ? `${text} (${again.times} times in ${again.seconds} s)` : text),
    );

  const api: KubeApi = kubeClient(connection, (method, code) => {
    board.answered(code !== 0);
    status.count((metrics) =>
      metrics.count("ecs_discovery_kube_requests_total", { method, code: String(code) }),
    );
  });
  let queue: WorkQueue<string> | undefined;
  const reflected = (resource: Resource, onChange: (object: KubeObject) => void, isOwn: boolean) =>
    reflector({
      api,
      resource,
      namespace: config.namespace,
      ...(!isOwn && { labelSelector: NAME_LABEL }),
      clock,
      random,
      onChange,
      onListed: () => status.changed(),
      onProblem: (text) => problem(`the copy of ${resource.plural} is old: ${text}`),
    });
  const owners = reflected(ecsDeployments, (object) => queue?.mark(keyOf(object)), true);
  const children = new Map<string, Reflected>(
    childResources.map((resource) => [resource.kind, reflected(resource, markOwner, false)]),
  );
  function markOwner(child: KubeObject): void {
    const owner = controllerOf(child);
    if (owner?.kind === KIND) queue?.mark(`${child.metadata.namespace ?? ""}/${owner.name}`);
  }
  const isListed = () => [owners, ...children.values()].every((one) => one.isListed);

  const status = modeStatus({
    mode: "kube",
    address: addressOf(config, connection.isInCluster),
    clock,
    log,
    metrics: metricTable,
    view: () => board.view({ isListed: isListed(), owners: owners.size }),
    gauges(metrics) {
      metrics.set("ecs_discovery_kube_leader", board.isLeader ? 1 : 0);
      const sizes = [...children].map(([kind, { size }]) => [kind, size] as const);
      metrics.setEach(
        "ecs_discovery_kube_objects",
        "kind",
        Object.fromEntries([[KIND, owners.size], ...sizes]),
      );
      metrics.setEach("ecs_discovery_kube_deployments", "state", board.counts());
      metrics.setEach(
        "ecs_discovery_kube_queue",
        "state",
        queue?.size() ?? { waiting: 0, working: 0, later: 0 },
      );
    },
  });

  const look = reconciler({
    api,
    owners,
    children,
    options: {
      serviceType: config.serviceType,
      hostPorts: config.hostPorts,
      names: new Map(),
    },
    documentsIn,
    madeBy: `ecs-discovery-agent ${version()} kube`,
    timestamp,
    onWrite(verb, what) {
      log.info(`${verb} ${what}`);
      board.changed(`${verb} ${what}`);
      status.count((metrics) => metrics.count("ecs_discovery_kube_writes_total", { verb }));
    },
    onTold(owner, reason, message) {
      log.warn(`${keyOf(owner)}: ${reason}: ${message}`);
      tellEvent(api, owner, reason, message, timestamp()).catch((error: unknown) =>
        problem(`an event is lost: ${causes(error)}`),
      );
    },
  });

  const failures = new Map<string, number>();
  async function work(key: string): Promise<number | undefined> {
    const beganMs = clock.now();
    const outcome = await look(key).catch((error: unknown) => {
      if (!(error instanceof KubeError)) throw error;
      return { retry: causes(error) };
    });
    status.count((metrics) =>
      metrics.observe("ecs_discovery_kube_reconcile_seconds", (clock.now() - beganMs) / 1000),
    );
    if ("status" in outcome) board.saw(key, outcome.status);
    else if (owners.get(key) === undefined) board.saw(key, undefined);
    status.changed();
    if (outcome.retry === undefined) {
      failures.delete(key);
      const isTaken = "status" in outcome && outcome.status?.conditions[0]?.reason === "NameTaken";
      return isTaken ? TAKEN_MS : "againInMs" in outcome ? outcome.againInMs : undefined;
    }
    status.count((metrics) => metrics.count("ecs_discovery_kube_retries_total"));
    problem(`${key}: ${outcome.retry}; it is looked at again`);
    const misses = (failures.get(key) ?? 0) + 1;
    failures.set(key, misses);
    return backoffMs(misses, BACKOFF, 0.5 + random() / 2);
  }

  /** One term as the leader: everything is looked at once, then what changes, and all again at each resync. */
  async function lead(term: AbortSignal): Promise<void> {
    log.info("leads");
    board.leads(true);
    status.changed();
    const own = workQueue<string>({ concurrency: config.concurrency, work, clock, stop: term });
    const markAll = () => {
      for (const object of owners.all()) own.mark(keyOf(object));
    };
    while (!isListed() && !term.aborted) await clock.sleep(100, term).catch(() => {});
    queue = own;
    markAll();
    const resync = async (): Promise<void> => {
      while (!term.aborted) {
        await clock.sleep(config.resync * 1000, term).catch(() => {});
        if (!term.aborted) markAll();
      }
    };
    try {
      await Promise.all([own.run(), resync()]);
      await own.drained();
    } finally {
      queue = undefined;
      board.leads(false);
      if (!term.aborted || !stop.signal.aborted) log.info("leads no more");
    }
  }

  log.info("looks after ECSDeployments", {
    url: connection.server,
    namespace: config.namespace ?? "all",
  });
  await together(stop, [
    status.serve(stop.signal),
    ...[owners, ...children.values()].map((one) => one.run(stop.signal)),
    leadByLease({
      api,
      namespace: config.leaseNamespace ?? podNamespace() ?? config.namespace ?? connection.namespace,
      name: config.namespace === undefined ? LEASE : `${LEASE}-${config.namespace}`.slice(0, 63),
      identity: `${hostname()}_${process.pid}_${random().toString(36).slice(2, 10)}`,
      clock,
      timestamp: () => new Date().toISOString().replace("Z", "000Z"),
      stop: stop.signal,
      lead,
      onProblem: (text) => problem(`the lease: ${text}`),
    }),
  ]);
}

const timestamp = (): string => new Date().toISOString().replace(/\.\d+Z$/, "Z");

function addressOf({ statusAddress }: KubeConfig, isInCluster: boolean) {
  if (statusAddress === "off") return undefined;
  return statusAddress ?? { host: isInCluster ? "0.0.0.0" : "127.0.0.1", port: statusPorts.kube };
}
