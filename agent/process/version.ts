import { readFileSync } from "node:fs";

/** The version, from package.json, the one place that holds it. */
export const version = (): string =>
  (
    JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    }
  ).version;
