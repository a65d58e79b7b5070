import { stringify } from "yaml";
import type { Manifest } from "../mapping/fields.ts";

/**
 * The objects as text that `kubectl apply -f -` takes: YAML documents, or one JSON list. kubectl reads YAML 1.1, where
 * `on` and `1:30` are no texts, so that is what is written.
 */
export const manifestText = (objects: readonly Manifest[], output: "yaml" | "json"): string =>
  output === "json"
    ? `${JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }, null, 2)}\n`
    : objects
        .map(
          (object) =>
            `---\n${stringify(object, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false })}`,
        )
        .join("");
