import { hostTasks } from "../../lib/elb/flow/host-tasks.ts";
import type { KeptJournal } from "../../lib/elb/flow/journal.ts";
import type { ClassicApi, TargetsApi } from "../../lib/elb/ports.ts";
import { causes, Fatal } from "../../lib/kit/failure.ts";
import { retrying } from "../host/retrying.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { BalancerConfig } from "./config.ts";
import type { Edges } from "./edges.ts";
import { type Files, followFiles } from "./files.ts";
import { type HostIdentity, localIdentity } from "./identity.ts";
import { countedEdges } from "./show/counted.ts";
import type { Observer } from "./show/observer.ts";
import { findHost, journalOf } from "./start.ts";
import { type ClassicPass, classicPass } from "./work/classic-pass.ts";
import { cycles } from "./work/cycle.ts";
import { type DockerWatch, dockerWatch } from "./work/docker-watch.ts";
import { type Forwarding, forwarding } from "./work/forwarding.ts";
import type { CycleResult } from "./work/parts.ts";
import { planesOf } from "./work/planes.ts";
import { type Resting, resting } from "./work/resting.ts";
import { type Services, serviceMemory } from "./work/services.ts";
import { type TargetsPass, targetsPass } from "./work/targets-pass.ts";

/** The parts of the mode, joined. */
export interface World {
  readonly host: HostIdentity;
  readonly cycle: () => Promise<CycleResult>;
  readonly forward: Forwarding;
  readonly watch: DockerWatch;
  readonly services: Services;
  readonly classic: ClassicPass;
  readonly classicApi: ClassicApi;
  readonly targetsApi: TargetsApi;
  readonly journal: KeptJournal | undefined;
  close(): void;
}

interface Joined {
  readonly config: BalancerConfig;
  readonly surroundings: Surroundings;
  readonly edges: Edges;
  readonly observed: Observer;
  readonly region: string;
  readonly resting: Resting;
}

/** The clients of AWS that the mode works with. */
function clientsOf({ config, edges, region }: Joined) {
  const configuration = edges.file(config.configurationUrl, region);
  const services = edges.file(config.servicesUrl, region);
  const all = {
    control: edges.control(region),
    tasks: edges.tasks(region),
    classic: edges.classic(region),
    targets: edges.targets(region),
  };
  return {
    ...all,
    readFiles: followFiles({ configuration, services }),
    close() {
      for (const one of [configuration, services, ...Object.values(all)]) one.close();
    },
  };
}
type Clients = ReturnType<typeof clientsOf>;

interface Passes {
  readonly journal: KeptJournal | undefined;
  readonly problem: string | undefined;
  readonly classic: ClassicPass;
  readonly targets: TargetsPass;
}

async function passesOf(joined: Joined, clients: Clients, instance: string): Promise<Passes> {
  const { config, surroundings, edges, observed, region } = joined;
  const { clock, random } = surroundings;
  const { dryRun } = config;
  const { tell } = observed;
  const { journal, problem } = await journalOf(edges, { region, instance }, surroundings, dryRun);
  const common = { journal, journalProblem: problem, instance, dryRun, tell };
  return {
    journal,
    problem,
    classic: classicPass({
      ...common,
      api: clients.classic,
      region,
      resting: joined.resting,
      clock,
      random,
      onMove: (outcome) =>
        observed.counted((metrics) => metrics.count("balancer_moves_total", { outcome })),
    }),
    targets: targetsPass({ ...common, api: clients.targets, address: () => edges.hostAddress() }),
  };
}

/**
 * Finds out what this host is, and joins the parts. Rejects with `Fatal` where an operator has to help, and when nothing
 * has answered within the patience.
 */
export async function openWorld(
  config: BalancerConfig,
  surroundings: Surroundings,
  outside: Edges,
  observed: Observer,
  onEvent: () => void,
): Promise<World> {
  const edges = countedEdges(outside, observed.count);
  const region = await edges.region();
  if (region === undefined) throw new Fatal("no region: set AWS_REGION to the one of the cluster");
  const { clock, log } = surroundings;
  const joined: Joined = { config, surroundings, edges, observed, region, resting: resting(clock) };
  const clients = clientsOf(joined);
  const local = await localIdentity(edges);
  let opened: Passes | undefined;
  const host = await findHost({
    local,
    readFiles: clients.readFiles,
    api: clients,
    insist: retrying(config, surroundings),
    async early() {
      if (local.instance === undefined || config.dryRun) return;
      opened = await passesOf(joined, clients, local.instance);
      await opened.classic
        .run([], () => "unknown")
        .catch((error: unknown) => log.warn(causes(error)));
    },
  });
  opened ??= await passesOf(joined, clients, host.instance);
  log.info("found this host", {
    cluster: host.cluster,
    instance: host.instance,
    containerInstance: host.containerInstance,
  });
  return join(joined, clients, host, opened, onEvent);
}

/** The files as the start has read them come first: the first cycle need not read them again. */
async function join(
  { config, surroundings, edges, observed, resting: rests }: Joined,
  clients: Clients & { readonly readFiles: () => Promise<Files> },
  host: HostIdentity,
  { journal, problem, classic, targets }: Passes,
  onEvent: () => void,
): Promise<World> {
  const { clock, random } = surroundings;
  const { dryRun, once, force } = config;
  const { tell } = observed;
  const isKeeping = !dryRun && !once;
  const watch = dockerWatch({
    docker: isKeeping ? edges.docker() : undefined,
    clock,
    tell,
    onEvent,
  });
  const forward = forwarding({
    clock,
    random,
    force,
    tell,
    localPorts: await edges.localPorts(),
    hostAddress: (await edges.hostAddress()) ?? "127.0.0.1",
    containerAddress: watch.containerAddress,
    planes: isKeeping
      ? await planesOf({ clock, tell })
      : { kernel: undefined, problem: undefined, translated: undefined },
    onChange: onEvent,
  });
  const services = serviceMemory(watch.isStopping);
  observed.knows(async () => ({
    instance: host.instance,
    cluster: host.cluster,
    balancers: classic.seen(),
    ports: await forward.ports(),
    begun: journal?.begun() ?? [],
    journalProblem: problem,
  }));
  return {
    host,
    forward,
    watch,
    services,
    classic,
    journal,
    classicApi: clients.classic,
    targetsApi: clients.targets,
    cycle: cycles({
      readFiles: clients.readFiles,
      host,
      tasks: hostTasks(clients.tasks),
      services,
      docker: watch,
      forward,
      serving: dryRun ? "assumed" : once ? "none" : "real",
      classic,
      targets,
      journal,
      resting: rests,
    }),
    close: () => clients.close(),
  };
}
