import { API_VERSION, KIND } from "./ecs-deployment.ts";
import { DOMAIN } from "./mapping/context.ts";
import type { Manifest } from "./mapping/fields.ts";
import { digest } from "./mapping/names.ts";
import type { KubeObject, OwnerReference } from "./object.ts";

/** Changes with what is applied, so that a member that is wanted no more is seen, too. */
const APPLIED = `${DOMAIN}/applied`;

/**
 * The object as a child: in its owner's namespace, and owned by it, so that Kubernetes' own garbage collection takes it
 * away with its owner, whether the controller is there or not.
 */
export function childOf(owner: KubeObject, manifest: Manifest): Manifest {
  const { namespace = "default", name, uid } = owner.metadata;
  const reference: OwnerReference = {
    apiVersion: API_VERSION,
    kind: KIND,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  const { annotations, ...metadata } = manifest.metadata;
  const child = {
    ...manifest,
    metadata: { ...metadata, namespace, ownerReferences: [reference] },
  };
  const applied = digest(JSON.stringify({ ...child, annotations }));
  return {
    ...child,
    metadata: { ...child.metadata, annotations: { ...annotations, [APPLIED]: applied } },
  };
}

/** Who controls the object; undefined for nobody. */
export const controllerOf = ({
  metadata: { ownerReferences = [] },
}: KubeObject): OwnerReference | undefined =>
  ownerReferences.find(({ controller }) => controller === true);

export type Ownership =
  | "ours"
  /** It belonged to an owner of this name that is gone: the garbage collector is about to take it. */
  | "orphan"
  | "foreign";

/** Whose an object is that bears the name of a child. */
export function ownershipOf(child: KubeObject, owner: KubeObject): Ownership {
  const controller = controllerOf(child);
  if (controller?.uid === owner.metadata.uid) return "ours";
  const isOrphan =
    controller?.kind === KIND &&
    controller.apiVersion === API_VERSION &&
    controller.name === owner.metadata.name;
  return isOrphan ? "orphan" : "foreign";
}
