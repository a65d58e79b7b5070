import { isStatus } from "../../lib/kubernetes/api.ts";
import { API_VERSION, KIND } from "../../lib/kubernetes/ecs-deployment.ts";
import type { KubeApi } from "../../lib/kubernetes/flow/api.ts";
import { digest } from "../../lib/kubernetes/mapping/names.ts";
import type { KubeObject } from "../../lib/kubernetes/object.ts";

/** The API server takes at most so many bytes of a note (events.k8s.io/v1). */
const MAX_NOTE = 1_000;

/**
 * Tells an event about the object. The same one again is the same event, counted: however often a broken definition is
 * looked at, etcd holds it once.
 */
export async function tellEvent(
  api: KubeApi,
  owner: KubeObject,
  reason: string,
  message: string,
  timestamp: string,
): Promise<void> {
  const { name, namespace = "default", uid } = owner.metadata;
  const eventName = `${name.slice(0, 240)}.${digest(`${uid} ${reason} ${message}`)}`;
  const path = `/api/v1/namespaces/${namespace}/events`;
  const body = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: eventName, namespace },
    involvedObject: { apiVersion: API_VERSION, kind: KIND, name, namespace, uid },
    type: "Warning",
    reason,
    message: message.slice(0, MAX_NOTE),
    source: { component: "ecs-discovery-agent" },
    firstTimestamp: timestamp,
    lastTimestamp: timestamp,
    count: 1,
  };
  try {
    await api.call({ method: "POST", path, body });
  } catch (error) {
    if (!isStatus(error, 409)) throw error;
    const again = `${path}/${eventName}`;
    const there = (await api.call({ method: "GET", path: again })) as { readonly count?: number };
    await api.call({
      method: "PATCH",
      path: again,
      patch: "merge",
      body: { count: (there.count ?? 1) + 1, lastTimestamp: timestamp },
    });
  }
}
