import { isStatus } from "../api.ts";
import { childOf, ownershipOf } from "../children.ts";
import { differences } from "../difference.ts";
import { DOMAIN } from "../mapping/context.ts";
import type { Manifest } from "../mapping/fields.ts";
import {
  childResources,
  FIELD_MANAGER,
  type KubeObject,
  ownsReplicas,
  pathOf,
  resourceOf,
  typed,
} from "../object.ts";
import type { KubeApi } from "./api.ts";
import type { Reflected } from "./reflector.ts";

/** Another name than ours, so that the count stays when we say nothing of it any more. */
const SCALE_MANAGER = `${FIELD_MANAGER}-scale`;

export interface ApplyOptions {
  readonly api: KubeApi;
  /** The copies of what there is, by kind. */
  readonly children: ReadonlyMap<string, Reflected>;
  readonly onWrite: (verb: string, what: string) => void;
}

type Applied =
  | { readonly kind: "there"; readonly object: KubeObject }
  /** A former owner of the name left it to the garbage collector. */
  | { readonly kind: "waits" }
  | { readonly kind: "taken"; readonly by: KubeObject };

export interface Applier {
  /** Makes one child what it should be. Throws `KubeError`. */
  apply(owner: KubeObject, manifest: Manifest): Promise<Applied>;
  /** Deletes what an earlier definition made, and this one does not. Throws `KubeError`. */
  removeOthers(owner: KubeObject, wanted: readonly Manifest[]): Promise<void>;
  /** The owner is gone. */
  forget(owner: string): void;
}

/**
 * Writes children by server-side apply: only where what is there differs from what is wanted, and never over an object
 * that is somebody else's.
 */
export function applier(options: ApplyOptions): Applier {
  const { api, children, onWrite } = options;
  /** Differences that were there right after an apply: the server's doing, and not to be fought. */
  const settled = new Map<string, string>();

  return {
    async apply(owner, manifest) {
      const child = childOf(owner, manifest);
      const { kind } = child;
      const { namespace = "", name } = child.metadata;
      const resource = resourceOf(kind);
      const path = pathOf(resource, namespace, name);
      const copy = children.get(kind);
      // What is in no copy may be there all the same: without our label, or made a moment ago.
      const current = copy?.get(`${namespace}/${name}`) ?? (await lookUp(api, kind, path));
      const id = `${namespace}/${owner.metadata.name} ${kind}/${name}`;
      if (current !== undefined) {
        const ownership = ownershipOf(current, owner);
        if (ownership === "orphan") return { kind: "waits" };
        if (ownership === "foreign") return { kind: "taken", by: current };
        const differs = differences(child, current);
        if (differs.length === 0 || settled.get(id) === signature(child, current, differs)) {
          return { kind: "there", object: current };
        }
        await handOverReplicas(options, child, current, path);
      }
      const answer = await api.call({
        method: "PATCH",
        path,
        query: { fieldManager: FIELD_MANAGER, force: "true" },
        patch: "apply",
        body: child,
      });
      const object = typed(answer as KubeObject, resource);
      copy?.put(object);
      onWrite(current === undefined ? "creates" : "updates", described(object));
      const left = differences(child, object);
      if (left.length > 0) settled.set(id, signature(child, object, left));
      else settled.delete(id);
      return { kind: "there", object };
    },
    removeOthers: (owner, wanted) => removeOthers(options, owner, wanted),
    forget(owner) {
      for (const one of settled.keys()) if (one.startsWith(`${owner} `)) settled.delete(one);
    },
  };
}

export const described = ({ kind = "", metadata: { namespace = "", name } }: KubeObject): string =>
  `${kind} ${namespace}/${name}`;

async function lookUp(api: KubeApi, kind: string, path: string): Promise<KubeObject | undefined> {
  try {
    return typed((await api.call({ method: "GET", path })) as KubeObject, resourceOf(kind));
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/**
 * A field that was applied, and is applied no more, goes back to its default: of replicas, 1. So the count that is there
 * is first made another manager's. An apply owns a field though it changes nothing; an update of the same value would not.
 */
async function handOverReplicas(
  { api, onWrite }: ApplyOptions,
  child: Manifest,
  current: KubeObject,
  path: string,
): Promise<void> {
  const isLeft = child.kind === "Deployment" && child.spec?.["replicas"] === undefined;
  const replicas = current.spec?.["replicas"];
  if (!isLeft || !ownsReplicas(current) || typeof replicas !== "number") return;
  const { apiVersion, kind, metadata } = child;
  const { name, namespace } = metadata;
  await api.call({
    method: "PATCH",
    path,
    query: { fieldManager: SCALE_MANAGER, force: "true" },
    patch: "apply",
    body: { apiVersion, kind, metadata: { name, namespace }, spec: { replicas } },
  });
  onWrite("leaves the replicas of", described(current));
}

async function removeOthers(
  { api, children, onWrite }: ApplyOptions,
  owner: KubeObject,
  wanted: readonly Manifest[],
): Promise<void> {
  const keep = new Set(wanted.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
  const others = childResources.flatMap(({ kind }) =>
    (children.get(kind)?.controlledBy(owner.metadata.uid) ?? []).filter(
      ({ metadata: { name, deletionTimestamp } }) =>
        !keep.has(`${kind}/${name}`) && deletionTimestamp === undefined,
    ),
  );
  for (const child of others) {
    const { namespace, name, uid } = child.metadata;
    try {
      await api.call({
        method: "DELETE",
        path: pathOf(resourceOf(child.kind ?? ""), namespace, name),
        body: { preconditions: { uid }, propagationPolicy: "Background" },
      });
      onWrite("deletes", described(child));
    } catch (error) {
      // It is gone, or another one by now.
      if (!isStatus(error, 404) && !isStatus(error, 409)) throw error;
    }
  }
}

/** What would be applied, to which state of it, and where it would differ all the same. */
const signature = (child: Manifest, there: KubeObject, differs: readonly string[]): string => {
  const applied = child.metadata.annotations?.[`${DOMAIN}/applied`] ?? "";
  return `${applied} ${there.metadata.generation ?? ""} ${differs.join(" ")}`;
};
