import { serviceDefinitionOf, taskDefinitionOf } from "../../ecs/definition.ts";
import { causes } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";
import { isStatus, KubeError, mayPass } from "../api.ts";
import { childOf, controllerOf, ownershipOf } from "../children.ts";
import { isSameStatus, type Standing, type Status, statusOf } from "../conditions.ts";
import { differences } from "../difference.ts";
import {
  type ConfigMapKey,
  type EcsDeployment,
  ecsDeploymentOf,
  unwrapped,
} from "../ecs-deployment.ts";
import { manifestsOf } from "../manifests.ts";
import { DOMAIN, type MappingOptions } from "../mapping/context.ts";
import type { Manifest } from "../mapping/fields.ts";
import type { Finding, Refusal } from "../mapping/report.ts";
import {
  childResources,
  ecsDeployments,
  FIELD_MANAGER,
  type KubeObject,
  ownsReplicas,
  pathOf,
  resourceOf,
} from "../object.ts";
import type { KubeApi } from "./api.ts";
import type { Reflected } from "./reflector.ts";

/** Another name than ours, so that the count stays when we say nothing of it any more. */
const SCALE_MANAGER = `${FIELD_MANAGER}-scale`;
/** A ConfigMap is not watched, as that would mean to read them all; it is looked at again after this. */
const CONFIG_MAP_MS = 15_000;
/** The garbage collector takes what a former owner of this name left within seconds. */
const ORPHAN_MS = 2_000;

export interface ReconcileOptions {
  readonly api: KubeApi;
  readonly owners: Reflected;
  readonly children: ReadonlyMap<string, Reflected>;
  readonly options: MappingOptions;
  /** Reads the documents of a text; an edge does it. */
  readonly documentsIn: (text: string) => {
    readonly documents: readonly unknown[];
    readonly problems: readonly string[];
  };
  readonly madeBy: string;
  /** RFC 3339, whole seconds. */
  readonly timestamp: () => string;
  /** Told of each write, and of what an operator should know; never of what repeats itself. */
  readonly onWrite: (verb: string, what: string) => void;
  readonly onTold: (owner: KubeObject, reason: string, message: string) => void;
}

export interface Outcome {
  /** When to look again without being asked to, in ms. */
  readonly againInMs?: number;
  /** Kept from it for now by the API server: look again, later and later. */
  readonly retry?: string;
  /** What the object's status says now. */
  readonly status?: Status;
}

/**
 * Looks at one ECSDeployment and its children, and makes them what they should be. Whatever happened since the last look,
 * the outcome is the same; when nothing is to be changed, nothing is written.
 */
export function reconciler(options: ReconcileOptions) {
  const { api, owners, children } = options;
  /** Differences that were there right after an apply: the server's doing, and not to be fought. */
  const settled = new Map<string, string>();

  async function reconcile(key: string): Promise<Outcome> {
    const owner = owners.get(key);
    if (owner === undefined || owner.metadata.deletionTimestamp !== undefined) {
      for (const one of settled.keys()) {
        if (one.startsWith(`${key} `)) settled.delete(one);
      }
      return {};
    }
    const definition = ecsDeploymentOf(owner);
    const texts = await configMaps(owner, definition);
    const againInMs =
      definition.taskDefinitionFrom ?? definition.serviceFrom ? CONFIG_MAP_MS : undefined;
    const mapped = mappedOf(definition, texts);
    const later = againInMs === undefined ? {} : { againInMs };
    if (mapped.kind === "refused") {
      const standing: Standing = { kind: "refused", refusals: mapped.refusals };
      const status = await writeStatus(owner, standing, mapped.findings);
      return { ...later, status };
    }
    return { ...later, ...(await applyAll(owner, mapped.objects, mapped.findings)) };
  }

  async function applyAll(
    owner: KubeObject,
    objects: readonly Manifest[],
    found: readonly Finding[],
  ): Promise<Outcome> {
    const findings = [...found];
    const wanted = objects.flatMap((object) => {
      if (object.kind !== "PersistentVolume") return [childOf(owner, object)];
      findings.push(volumeFinding(object));
      return [];
    });
    let trouble: { readonly reason: string; readonly message: string } | undefined;
    let retry: string | undefined;
    let againInMs: number | undefined;
    let workload: KubeObject | undefined;
    for (const child of wanted) {
      try {
        const done = await applyOne(owner, child);
        if (done.kind === "waits") againInMs = ORPHAN_MS;
        else if (done.kind === "taken") trouble ??= taken(child, done.by);
        else if (child.kind === "Deployment" || child.kind === "DaemonSet") workload = done.object;
      } catch (error) {
        if (!(error instanceof KubeError)) throw error;
        retry ??= causes(error);
        // What passes by itself is no news: the status says what is, and the log that it is tried again.
        if (!mayPass(error)) {
          trouble ??= { reason: "ApplyFailed", message: causes(error) };
        }
      }
    }
    if (retry === undefined) await removeOthers(owner, wanted);
    const standing: Standing = { kind: "mapped", workload, ...(trouble && { trouble }) };
    const status = await writeStatus(owner, standing, findings);
    return {
      status,
      ...(retry !== undefined && { retry }),
      ...(againInMs !== undefined && { againInMs }),
    };
  }

  type Applied =
    | { readonly kind: "there"; readonly object: KubeObject }
    | { readonly kind: "waits" }
    | { readonly kind: "taken"; readonly by: string };

  async function applyOne(owner: KubeObject, child: Manifest): Promise<Applied> {
    const { kind } = child;
    const { namespace = "", name } = child.metadata;
    const path = pathOf(resourceOf(kind), namespace, name);
    const current = children.get(kind)?.get(`${namespace}/${name}`) ?? (await lookUp(kind, path));
    const id = `${namespace}/${owner.metadata.name} ${kind}/${name}`;
    if (current !== undefined) {
      const ownership = ownershipOf(current, owner);
      if (ownership === "orphan") return { kind: "waits" };
      if (ownership === "foreign") return { kind: "taken", by: describe(current) };
      const differs = differences(child, current);
      if (differs.length === 0 || settled.get(id) === signature(child, current, differs)) {
        return { kind: "there", object: current };
      }
      await handOverReplicas(child, current, path);
    }
    const answer = (await api.call({
      method: "PATCH",
      path,
      query: { fieldManager: FIELD_MANAGER, force: "true" },
      patch: "apply",
      body: child,
    })) as KubeObject;
    const object = { ...answer, kind };
    children.get(kind)?.put(object);
    options.onWrite(current === undefined ? "creates" : "updates", `${kind} ${namespace}/${name}`);
    const left = differences(child, object);
    if (left.length > 0) settled.set(id, signature(child, object, left));
    else settled.delete(id);
    return { kind: "there", object };
  }

  /** An object that is in no copy of ours may still be there: without our label, or made a moment ago. */
  async function lookUp(kind: string, path: string): Promise<KubeObject | undefined> {
    try {
      const found = (await api.call({ method: "GET", path })) as KubeObject;
      return { ...found, kind };
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /**
   * A field that was applied, and is applied no more, goes back to its default: of replicas, 1. So the count that is there
   * is first made another manager's.
   */
  async function handOverReplicas(
    child: Manifest,
    current: KubeObject,
    path: string,
  ): Promise<void> {
    const isLeft = child.kind === "Deployment" && child.spec?.["replicas"] === undefined;
    const replicas = current.spec?.["replicas"];
    if (!isLeft || !ownsReplicas(current) || typeof replicas !== "number") return;
    // An apply owns a field though it changes nothing; an update of the same value would not.
    const { apiVersion, kind, metadata } = child;
    const { name, namespace } = metadata;
    await api.call({
      method: "PATCH",
      path,
      query: { fieldManager: SCALE_MANAGER, force: "true" },
      patch: "apply",
      body: { apiVersion, kind, metadata: { name, namespace }, spec: { replicas } },
    });
    options.onWrite("leaves the replicas of", describe(current));
  }

  /** What an earlier definition made, and this one does not. */
  async function removeOthers(owner: KubeObject, wanted: readonly Manifest[]): Promise<void> {
    const keep = new Set(wanted.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
    const namespace = owner.metadata.namespace ?? "";
    for (const { kind } of childResources) {
      for (const child of children.get(kind)?.all() ?? []) {
        if (child.metadata.namespace !== namespace) continue;
        if (controllerOf(child)?.uid !== owner.metadata.uid) continue;
        const { name, uid, deletionTimestamp } = child.metadata;
        if (keep.has(`${kind}/${name}`) || deletionTimestamp !== undefined) continue;
        try {
          await api.call({
            method: "DELETE",
            path: pathOf(resourceOf(kind), namespace, name),
            body: { preconditions: { uid }, propagationPolicy: "Background" },
          });
          options.onWrite("deletes", describe(child));
        } catch (error) {
          // It is gone, or another one by now.
          if (!isStatus(error, 404) && !isStatus(error, 409)) throw error;
        }
      }
    }
  }

  async function writeStatus(
    owner: KubeObject,
    standing: Standing,
    findings: readonly Finding[],
  ): Promise<Status> {
    const status = statusOf(owner, standing, findings, options.timestamp());
    if (isSameStatus(status, owner.status)) return status;
    const { namespace, name } = owner.metadata;
    tellChanges(owner, status);
    try {
      const answer = (await api.call({
        method: "PATCH",
        path: pathOf(ecsDeployments, namespace, name, "status"),
        query: { fieldManager: FIELD_MANAGER },
        patch: "merge",
        body: { status },
      })) as KubeObject;
      owners.put({ ...answer, kind: ecsDeployments.kind });
    } catch (error) {
      // Deleted meanwhile.
      if (!isStatus(error, 404)) throw error;
    }
    return status;
  }

  /** What somebody should know, when it begins or changes: a repeated event would fill etcd. */
  function tellChanges(owner: KubeObject, status: Status): void {
    const before = owner.status?.["conditions"];
    const earlier = Array.isArray(before)
      ? (before as readonly { readonly type: string; readonly message: string }[])
      : [];
    for (const { type, status: value, reason, message } of status.conditions) {
      const isNews = earlier.find((one) => one.type === type)?.message !== message;
      if (!isNews) continue;
      const isRefused = type === "Valid" && value === "False";
      const isLost = type === "Unsupported" && value === "True";
      const isKept = type === "Ready" && (reason === "NameTaken" || reason === "ApplyFailed");
      if (isRefused || isLost || isKept) options.onTold(owner, reason, message);
    }
  }

  /** The texts that the definition takes from ConfigMaps; a refusal where there is none. */
  async function configMaps(owner: KubeObject, definition: EcsDeployment): Promise<Texts> {
    const read = async (
      member: "taskDefinitionFrom" | "serviceFrom",
      from: ConfigMapKey | undefined,
    ): Promise<FromConfigMap> => {
      if (from === undefined) return {};
      const { namespace = "default" } = owner.metadata;
      const path = `/api/v1/namespaces/${namespace}/configmaps/${encodeURIComponent(from.name)}`;
      const refused = (problem: string) => ({ refusal: { member: `spec.${member}`, problem } });
      try {
        const map = (await api.call({ method: "GET", path })) as KubeObject;
        const data = (map["data"] ?? {}) as Readonly<Record<string, string>>;
        const keys = Object.keys(data);
        const key = from.key ?? (keys.length === 1 ? keys[0] : undefined);
        const text = key === undefined ? undefined : data[key];
        if (text === undefined) {
          return refused(
            `expected a key of the ConfigMap ${quote(from.name)} (it has ${keys.map((one) => quote(one)).join(", ") || "none"}), got ${quote(from.key ?? "")}`,
          );
        }
        const { documents, problems } = options.documentsIn(text);
        const [first] = documents;
        if (problems.length > 0 || first === undefined) {
          return refused(`ConfigMap ${quote(from.name)}: ${problems.join("; ") || "it is empty"}`);
        }
        return { value: first };
      } catch (error) {
        if (isStatus(error, 404)) return refused(`there is no ConfigMap ${quote(from.name)}`);
        throw error;
      }
    };
    const [task, service] = await Promise.all([
      read("taskDefinitionFrom", definition.taskDefinitionFrom),
      read("serviceFrom", definition.serviceFrom),
    ]);
    return { task, service };
  }

  function mappedOf(definition: EcsDeployment, { task, service }: Texts) {
    const early = [...definition.refusals, task.refusal, service.refusal].filter(
      (one): one is Refusal => one !== undefined,
    );
    const found = {
      task: task.value === undefined ? definition.task : unwrapped(task.value, "task"),
      service: service.value === undefined ? definition.service : unwrapped(service.value, "service"),
    };
    if (early.length > 0 && found.task === undefined) {
      return { kind: "refused" as const, refusals: early, findings: [] };
    }
    const mapped = manifestsOf(
      {
        name: definition.name,
        fallbackName: definition.name,
        labels: definition.labels,
        annotations: { [`${DOMAIN}/made-by`]: options.madeBy },
        task: taskDefinitionOf(found.task ?? {}),
        ...(found.service !== undefined && { service: serviceDefinitionOf(found.service) }),
      },
      { ...options.options, ...definition.options },
    );
    if (early.length === 0) return mapped;
    const refusals = [...early, ...(mapped.kind === "refused" ? mapped.refusals : [])];
    return { kind: "refused" as const, refusals, findings: mapped.findings };
  }

  return reconcile;
}

interface FromConfigMap {
  readonly value?: unknown;
  readonly refusal?: Refusal;
}

interface Texts {
  readonly task: FromConfigMap;
  readonly service: FromConfigMap;
}

const describe = ({ kind = "", metadata: { namespace = "", name } }: KubeObject): string =>
  `${kind} ${namespace}/${name}`;

const taken = (child: Manifest, by: string) => ({
  reason: "NameTaken",
  message: `${by} is there already and not ours, so ${child.kind} ${child.metadata.name} is not made: delete it, or rename this ECSDeployment`,
});

const signature = (child: Manifest, there: KubeObject, differs: readonly string[]): string => {
  const applied = child.metadata.annotations?.[`${DOMAIN}/applied`] ?? "";
  return `${applied} ${there.metadata.generation ?? ""} ${differs.join(" ")}`;
};

/** A PersistentVolume belongs to the whole cluster: who may write in a namespace may not mount whatever there is. */
const volumeFinding = ({ metadata: { name } }: Manifest): Finding => ({
  kind: "unmapped",
  member: "volumes",
  why: `a PersistentVolume belongs to the whole cluster, so the controller makes the claim ${quote(name)} only`,
  todo: "let an administrator apply the PersistentVolume that `ecs-discovery-agent convert` prints",
});
