import { KubeError } from "../api.ts";
import { controllerOf } from "../children.ts";
import { isNewer, type KubeObject, keyOf, type Resource, slim, typed } from "../object.ts";

/** The copy of a resource's objects, by namespace and name. */
export interface Store {
  readonly objects: ReadonlyMap<string, KubeObject>;
  /** Those that the object with this uid controls. */
  controlledBy(uid: string): readonly KubeObject[];
  /** False for what is not newer than what is there. */
  put(object: KubeObject): boolean;
  /** Everything that is not in the list is gone. Gives what went. */
  keep(keys: ReadonlySet<string>): readonly KubeObject[];
  /** Takes an event of a watch; gives the version up to which everything is known. Throws what the server says instead. */
  take(event: WatchEvent, onChange: (object: KubeObject) => void): string;
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject;
}

export function store(resource: Resource): Store {
  const objects = new Map<string, KubeObject>();
  const keysByController = new Map<string, Set<string>>();
  const remove = (key: string): void => {
    const known = objects.get(key);
    const uid = known === undefined ? undefined : controllerOf(known)?.uid;
    objects.delete(key);
    if (uid === undefined) return;
    const keys = keysByController.get(uid);
    keys?.delete(key);
    if (keys?.size === 0) keysByController.delete(uid);
  };
  const put = (object: KubeObject): boolean => {
    const key = keyOf(object);
    const known = objects.get(key);
    if (known !== undefined && !isNewer(object, known)) return false;
    remove(key);
    objects.set(key, slim(object));
    const uid = controllerOf(object)?.uid;
    if (uid !== undefined) {
      keysByController.set(uid, (keysByController.get(uid) ?? new Set()).add(key));
    }
    return true;
  };
  return {
    objects,
    controlledBy: (uid) =>
      [...(keysByController.get(uid) ?? [])].flatMap((key) => objects.get(key) ?? []),
    put,
    keep(keys) {
      const gone = [...objects].filter(([key]) => !keys.has(key));
      for (const [key] of gone) remove(key);
      return gone.map(([, object]) => object);
    },
    take({ type, object }, onChange) {
      if (type === "ERROR") {
        const { code = 500, reason = "", message = "" } = object as unknown as WatchError;
        throw new KubeError(`a watch of ${resource.plural}`, code, reason, message);
      }
      const { resourceVersion } = object.metadata;
      if (type === "BOOKMARK") return resourceVersion;
      const known = typed(object, resource);
      if (type === "DELETED") {
        const there = objects.get(keyOf(known));
        // One of the same name may have come meanwhile, by an answer to a write of ours.
        if (there?.metadata.uid === known.metadata.uid) remove(keyOf(known));
        onChange(known);
      } else if (put(known)) onChange(known);
      return resourceVersion;
    },
  };
}

interface WatchError {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}
