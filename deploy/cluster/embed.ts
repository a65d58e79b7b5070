import { readFileSync, writeFileSync } from "node:fs";

/** The templates as the program carries them: it is one file, and reads none of its own. */
export const embedded = (): string => {
  const text = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");
  const templates = { storage: text("storage.yaml"), cluster: text("cluster.yaml") };
  return `${JSON.stringify(templates, undefined, 2)}\n`;
};

if (import.meta.main) {
  writeFileSync(new URL("../../agent/cluster/templates.json", import.meta.url), embedded());
}
