import { readFileSync, writeFileSync } from "node:fs";
import { readTemplate } from "../../lib/cloud/io/template.ts";

/** The templates as the program carries them, read already: it is one file, and reads none of its own. */
export const embedded = (): string =>
  `${JSON.stringify({ "ecs-storage": read("storage.yaml"), "ecs-cluster": read("cluster.yaml") }, undefined, 1)}\n`;

function read(file: string) {
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  const parsed = readTemplate(file, text);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { parameters, outputs, resources, retained, exports, imports } = parsed.template;
  return {
    ...{ text, exports, imports },
    parameters: [...parameters],
    outputs: [...outputs],
    resources: [...resources],
    retained: [...retained],
  };
}

if (import.meta.main) {
  writeFileSync(new URL("../../agent/cluster/templates.json", import.meta.url), embedded());
}
