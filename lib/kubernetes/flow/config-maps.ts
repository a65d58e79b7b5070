import { quote } from "../../kit/quote.ts";
import { isStatus } from "../api.ts";
import type { ConfigMapKey } from "../ecs-deployment.ts";
import type { Refusal } from "../mapping/report.ts";
import type { KubeObject } from "../object.ts";
import type { KubeApi } from "./api.ts";

/** Reads the documents of a text; an edge does it. */
export type DocumentsIn = (text: string) => {
  readonly documents: readonly unknown[];
  readonly problems: readonly string[];
};

/** A definition as it was written, or why there is none. */
export interface FromConfigMap {
  readonly value?: unknown;
  readonly refusal?: Refusal;
}

/** The definition that a key of a ConfigMap holds. Throws `KubeError`. */
export async function definitionFrom(
  api: KubeApi,
  documentsIn: DocumentsIn,
  namespace: string,
  member: string,
  { name, key }: ConfigMapKey,
): Promise<FromConfigMap> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${encodeURIComponent(name)}`;
  const refused = (problem: string) => ({ refusal: { member: `spec.${member}`, problem } });
  let map: KubeObject;
  try {
    map = (await api.call({ method: "GET", path })) as KubeObject;
  } catch (error) {
    if (isStatus(error, 404)) return refused(`there is no ConfigMap ${quote(name)}`);
    throw error;
  }
  const data = (map["data"] ?? {}) as Readonly<Record<string, string>>;
  const keys = Object.keys(data);
  const chosen = key ?? (keys.length === 1 ? keys[0] : undefined);
  const text = chosen === undefined ? undefined : data[chosen];
  if (text === undefined) {
    const has = keys.map((one) => quote(one)).join(", ") || "none";
    return refused(
      `expected a key of the ConfigMap ${quote(name)} (it has ${has}), got ${key === undefined ? "nothing" : quote(key)}`,
    );
  }
  const { documents, problems } = documentsIn(text);
  const [first] = documents;
  if (problems.length > 0 || first === undefined) {
    return refused(`ConfigMap ${quote(name)}: ${problems.join("; ") || "it is empty"}`);
  }
  return { value: first };
}
