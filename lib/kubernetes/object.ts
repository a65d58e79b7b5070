/** A Kubernetes object as the API server tells it, of what we use. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Metadata;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFields[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
}

/** Who applies: the name under which the API server remembers which fields are ours. */
export const FIELD_MANAGER = "ecs-discovery-agent";

export const keyOf = ({ metadata: { namespace = "", name } }: KubeObject): string =>
  `${namespace}/${name}`;

/** The number of replicas is a field that we have applied, so leaving it out would set it to 1. */
export const ownsReplicas = ({ metadata: { managedFields = [] } }: KubeObject): boolean =>
  managedFields.some(({ manager, operation, subresource, fieldsV1 }) => {
    const spec = fieldsV1?.["f:spec"];
    const isOurs = manager === FIELD_MANAGER && operation === "Apply" && !subresource;
    return isOurs && typeof spec === "object" && spec !== null && "f:replicas" in spec;
  });

const OWNS_REPLICAS: readonly ManagedFields[] = [
  { manager: FIELD_MANAGER, operation: "Apply", fieldsV1: { "f:spec": { "f:replicas": {} } } },
];

/** The object without who manages which field, which is half of it, but for what `ownsReplicas` asks. */
export function slim(object: KubeObject): KubeObject {
  const { managedFields, ...metadata } = object.metadata;
  if (managedFields === undefined) return object;
  const kept = ownsReplicas(object) ? { managedFields: OWNS_REPLICAS } : {};
  return { ...object, metadata: { ...metadata, ...kept } };
}

/** A kind of object, and where the API server has it. */
export interface Resource {
  readonly kind: string;
  /** `/apis/apps/v1` or `/api/v1`. */
  readonly base: string;
  readonly plural: string;
}

/** The object with its kind and version, which the items of a list don't bear. */
export const typed = (object: KubeObject, { kind, base }: Resource): KubeObject => ({
  ...object,
  apiVersion: base.replace(/^\/apis?\//, ""),
  kind,
});

export const ecsDeployments: Resource = {
  kind: "ECSDeployment",
  base: "/apis/ecskube.ecskube/v1alpha1",
  plural: "ecsdeployments",
};

const resource = (kind: string, base: string, plural: string): Resource => ({ kind, base, plural });

/** What an ECSDeployment may have, in the order in which it is applied. */
export const childResources: readonly Resource[] = [
  resource("ServiceAccount", "/api/v1", "serviceaccounts"),
  resource("PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims"),
  resource("Deployment", "/apis/apps/v1", "deployments"),
  resource("DaemonSet", "/apis/apps/v1", "daemonsets"),
  resource("Service", "/api/v1", "services"),
];

export const resourceOf = (kind: string): Resource => {
  const found = childResources.find((one) => one.kind === kind);
  if (found === undefined) throw new Error(`no resource for the kind ${kind}`);
  return found;
};

/** The path of a collection, of all namespaces or of one, or of one object in it. */
export const pathOf = (
  { base, plural }: Resource,
  namespace?: string,
  name?: string,
  subresource?: string,
): string =>
  [
    base,
    ...(namespace === undefined ? [] : ["namespaces", encodeURIComponent(namespace)]),
    plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ].join("/");

/**
 * True when `later` is newer than `earlier`, or another object of its name: versions of one object are numbers that grow (Kubernetes API concepts,
 * resource versions, comparable since 1.35).
 */
export function isNewer(later: KubeObject, earlier: KubeObject): boolean {
  if (later.metadata.uid !== earlier.metadata.uid) return true;
  const [a, b] = [later.metadata.resourceVersion, earlier.metadata.resourceVersion];
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return a !== b;
  return a.length === b.length ? a > b : a.length > b.length;
}
