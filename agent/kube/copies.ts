import { controllerOf } from "../../lib/kubernetes/children.ts";
import { KIND } from "../../lib/kubernetes/ecs-deployment.ts";
import type { KubeApi } from "../../lib/kubernetes/flow/api.ts";
import { type Reflected, reflector } from "../../lib/kubernetes/flow/reflector.ts";
import { NAME_LABEL } from "../../lib/kubernetes/mapping/context.ts";
import {
  childResources,
  ecsDeployments,
  type KubeObject,
  keyOf,
  type Resource,
} from "../../lib/kubernetes/object.ts";
import type { Surroundings } from "../process/surroundings.ts";

/** The copies of what is in the cluster: ECSDeployments, and by kind the objects that bear our label. */
export interface Copies {
  readonly owners: Reflected;
  readonly children: ReadonlyMap<string, Reflected>;
  readonly all: readonly Reflected[];
  /** All have been read once. */
  isListed(): boolean;
}

/** `owner` is told of each ECSDeployment about which something changed, `child` of each whose child has changed. */
export function copies(
  api: KubeApi,
  namespace: string | undefined,
  { clock, random }: Pick<Surroundings, "clock" | "random">,
  on: {
    readonly owner: (key: string) => void;
    readonly child: (key: string) => void;
    readonly listed: () => void;
    readonly problem: (text: string) => void;
  },
): Copies {
  const copy = (resource: Resource, onChange: (object: KubeObject) => void, isOwner: boolean) =>
    reflector({
      api,
      resource,
      namespace,
      ...(!isOwner && { labelSelector: NAME_LABEL }),
      clock,
      random,
      onChange,
      onListed: on.listed,
      onProblem: (text) => on.problem(`the copy of ${resource.plural} may be old: ${text}`),
    });
  const owners = copy(ecsDeployments, (object) => on.owner(keyOf(object)), true);
  const ownerOf = (child: KubeObject): void => {
    const owner = controllerOf(child);
    if (owner?.kind === KIND) on.child(`${child.metadata.namespace ?? ""}/${owner.name}`);
  };
  const children = new Map(
    childResources.map((resource) => [resource.kind, copy(resource, ownerOf, false)]),
  );
  const all = [owners, ...children.values()];
  return { owners, children, all, isListed: () => all.every((one) => one.isListed) };
}
