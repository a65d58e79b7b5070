import { serviceDefinitionOf, taskDefinitionOf } from "../../ecs/definition.ts";
import { causes } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";
import { KubeError, mayPass } from "../api.ts";
import type { Standing, Status } from "../conditions.ts";
import { type EcsDeployment, ecsDeploymentOf, unwrapped } from "../ecs-deployment.ts";
import { type Mapped, manifestsOf } from "../manifests.ts";
import { DOMAIN, type MappingOptions } from "../mapping/context.ts";
import type { Manifest } from "../mapping/fields.ts";
import type { Finding, Refusal } from "../mapping/report.ts";
import type { KubeObject } from "../object.ts";
import { type Applier, type ApplyOptions, applier, described } from "./apply.ts";
import { type DocumentsIn, definitionFrom, type FromConfigMap } from "./config-maps.ts";
import { type StatusWriterOptions, writeStatus } from "./status-writer.ts";

/** A ConfigMap is not watched, as that would mean to read them all; it is looked at again after this. */
const CONFIG_MAP_MS = 15_000;
/** The garbage collector takes what a former owner of this name left within seconds. */
const ORPHAN_MS = 2_000;
/** A name that is taken may be given away without our hearing of it. */
const TAKEN_MS = 30_000;

export interface ReconcileOptions extends ApplyOptions, StatusWriterOptions {
  /** What holds unless an ECSDeployment says otherwise. */
  readonly options: MappingOptions;
  readonly documentsIn: DocumentsIn;
  /** Stands in an annotation of everything that is made. */
  readonly madeBy: string;
}

export interface Outcome {
  /** When to look again without being asked to, in ms. */
  readonly againInMs?: number;
  /** Kept from it for now by the API server: look again, later and later. */
  readonly retry?: string;
  /** What the object's status says now; none when the object is gone. */
  readonly status?: Status;
}

/**
 * Looks at one ECSDeployment and its children, and makes them what they should be. Whatever happened since the last look,
 * the outcome is the same; when nothing is to be changed, nothing is written. Throws `KubeError`.
 */
export function reconciler(options: ReconcileOptions): (key: string) => Promise<Outcome> {
  const children = applier(options);
  /** What a generation of an object is in Kubernetes: most looks are at a child's news, not at a new definition. */
  const known = new Map<string, { readonly id: string; readonly mapped: Mapped }>();
  return async (key) => {
    const owner = options.owners.get(key);
    if (owner === undefined || owner.metadata.deletionTimestamp !== undefined) {
      // Kubernetes' own garbage collection takes what it had.
      children.forget(key);
      known.delete(key);
      return {};
    }
    const { uid, generation, labels } = owner.metadata;
    const id = JSON.stringify([uid, generation, labels]);
    const earlier = known.get(key);
    if (earlier?.id === id) return settle(options, children, owner, earlier.mapped);
    const definition = ecsDeploymentOf(owner);
    const isFromMap = definition.taskDefinitionFrom ?? definition.serviceFrom;
    const later = isFromMap === undefined ? {} : { againInMs: CONFIG_MAP_MS };
    const mapped = await mappedOf(options, owner, definition);
    // What lies in a ConfigMap changes without a new generation.
    if (isFromMap === undefined) known.set(key, { id, mapped });
    return { ...later, ...(await settle(options, children, owner, mapped)) };
  };
}

/** Makes what there is equal to what it should be, and says in the status how it stands. */
async function settle(
  options: ReconcileOptions,
  children: Applier,
  owner: KubeObject,
  mapped: Mapped,
): Promise<Outcome> {
  if (mapped.kind === "refused") {
    return { status: await writeStatus(options, owner, mapped, mapped.findings) };
  }
  const applied = await applyAll(children, owner, mapped.objects);
  const findings = [...mapped.findings, ...applied.findings];
  const status = await writeStatus(options, owner, applied.standing, findings);
  return { ...applied.outcome, status };
}

interface All {
  readonly standing: Standing;
  readonly findings: readonly Finding[];
  readonly outcome: Outcome;
}

/** Applies all that one ECSDeployment has; one child that can't be holds up no other. */
async function applyAll(
  children: Applier,
  owner: KubeObject,
  objects: readonly Manifest[],
): Promise<All> {
  const volumes = objects.filter(({ kind }) => kind === "PersistentVolume");
  const wanted = objects.filter(({ kind }) => kind !== "PersistentVolume");
  let trouble: { readonly reason: string; readonly message: string } | undefined;
  let retry: string | undefined;
  let againInMs: number | undefined;
  let workload: KubeObject | undefined;
  const apply = async (child: Manifest): Promise<void> => {
    try {
      const done = await children.apply(owner, child);
      if (done.kind === "waits") againInMs = ORPHAN_MS;
      else if (done.kind === "taken") {
        trouble ??= taken(child, done.by);
        againInMs ??= TAKEN_MS;
      } else if (isWorkload(child)) workload = done.object;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      retry ??= causes(error);
      // What passes by itself is no news: the status says what is, and the log that it is tried again.
      if (!mayPass(error)) trouble ??= { reason: "ApplyFailed", message: causes(error) };
    }
  };
  // A pod asks for its account and its claims as soon as it is made; all else is independent.
  const first = wanted.filter(({ kind }) => BEFORE_PODS.includes(kind));
  await Promise.all(first.map(apply));
  await Promise.all(wanted.filter((child) => !first.includes(child)).map(apply));
  if (retry === undefined) await children.removeOthers(owner, wanted);
  return {
    standing: { kind: "mapped", workload, ...(trouble && { trouble }) },
    findings: volumes.map(volumeFinding),
    outcome: {
      ...(retry !== undefined && { retry }),
      ...(againInMs !== undefined && { againInMs }),
    },
  };
}

const BEFORE_PODS = ["ServiceAccount", "PersistentVolumeClaim"];
const isWorkload = ({ kind }: Manifest): boolean => kind === "Deployment" || kind === "DaemonSet";

/** What the definitions of an ECSDeployment are in Kubernetes, those of ConfigMaps included. */
async function mappedOf(
  { api, documentsIn, madeBy, options }: ReconcileOptions,
  { metadata: { namespace = "default" } }: KubeObject,
  definition: EcsDeployment,
): Promise<Mapped> {
  const read = async (member: "taskDefinitionFrom" | "serviceFrom"): Promise<FromConfigMap> => {
    const from = definition[member];
    return from === undefined ? {} : definitionFrom(api, documentsIn, namespace, member, from);
  };
  const [task, service] = [await read("taskDefinitionFrom"), await read("serviceFrom")];
  const early = [...definition.refusals, task.refusal, service.refusal].filter(
    (one): one is Refusal => one !== undefined,
  );
  const written = {
    task: task.value === undefined ? definition.task : unwrapped(task.value, "task"),
    service: service.value === undefined ? definition.service : unwrapped(service.value, "service"),
  };
  if (early.length > 0 && written.task === undefined) {
    return { kind: "refused", refusals: early, findings: [] };
  }
  const mapped = manifestsOf(
    {
      name: definition.name,
      fallbackName: definition.name,
      labels: definition.labels,
      annotations: { [`${DOMAIN}/made-by`]: madeBy },
      task: taskDefinitionOf(written.task ?? {}),
      ...(written.service !== undefined && { service: serviceDefinitionOf(written.service) }),
    },
    { ...options, ...definition.options },
  );
  if (early.length === 0) return mapped;
  const refusals = [...early, ...(mapped.kind === "refused" ? mapped.refusals : [])];
  return { kind: "refused", refusals, findings: mapped.findings };
}

const taken = (child: Manifest, by: KubeObject) => ({
  reason: "NameTaken",
  message: `${described(by)} is there already and not ours, so ${child.kind} ${child.metadata.name} is not made: delete it, or rename this ECSDeployment`,
});

/** A PersistentVolume belongs to the whole cluster: who may write in a namespace may not mount whatever there is. */
const volumeFinding = ({ metadata: { name } }: Manifest): Finding => ({
  kind: "unmapped",
  member: "volumes",
  why: `a PersistentVolume belongs to the whole cluster, so the controller makes the claim ${quote(name)} only`,
  todo: "let an administrator apply the PersistentVolume that `ecs-discovery-agent convert` prints",
});
