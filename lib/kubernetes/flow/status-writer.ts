import { isStatus } from "../api.ts";
import { isSameStatus, type Standing, type Status, statusOf } from "../conditions.ts";
import type { Finding } from "../mapping/report.ts";
import { ecsDeployments, FIELD_MANAGER, type KubeObject, pathOf, typed } from "../object.ts";
import type { KubeApi } from "./api.ts";
import type { Reflected } from "./reflector.ts";

export interface StatusWriterOptions {
  readonly api: KubeApi;
  readonly owners: Reflected;
  /** RFC 3339, whole seconds. */
  readonly timestamp: () => string;
  /** What somebody should know, when it begins or changes; never what repeats itself. */
  readonly onTold: (owner: KubeObject, reason: string, message: string) => void;
}

/** Writes the status of an ECSDeployment where it says something else than what stands there. Throws `KubeError`. */
export async function writeStatus(
  { api, owners, timestamp, onTold }: StatusWriterOptions,
  owner: KubeObject,
  standing: Standing,
  findings: readonly Finding[],
): Promise<Status> {
  const status = statusOf(owner, standing, findings, timestamp());
  if (isSameStatus(status, owner.status)) return status;
  const { namespace, name } = owner.metadata;
  try {
    const answer = await api.call({
      method: "PATCH",
      path: pathOf(ecsDeployments, namespace, name, "status"),
      query: { fieldManager: FIELD_MANAGER },
      patch: "merge",
      body: { status },
    });
    owners.put(typed(answer as KubeObject, ecsDeployments));
  } catch (error) {
    // Deleted meanwhile.
    if (!isStatus(error, 404)) throw error;
    return status;
  }
  for (const { reason, message } of news(owner, status)) onTold(owner, reason, message);
  return status;
}

/** The conditions that an operator should hear of, and that did not say so before. */
function news({ status: before }: KubeObject, { conditions }: Status) {
  const earlier = Array.isArray(before?.["conditions"])
    ? (before["conditions"] as readonly { readonly type: string; readonly message: string }[])
    : [];
  return conditions.filter(({ type, status, reason, message }) => {
    if (earlier.find((one) => one.type === type)?.message === message) return false;
    if (type === "Valid") return status === "False";
    if (type === "Unsupported") return status === "True";
    return type === "Ready" && (reason === "NameTaken" || reason === "ApplyFailed");
  });
}
