import { readFileSync } from "node:fs";

/** Set by the bundler, which reads it where package.json still lies beside the sources. */
declare const BUNDLED_VERSION: string | undefined;

/** The version, from package.json, the one place that holds it. */
export const version = (): string =>
  typeof BUNDLED_VERSION === "string" ? BUNDLED_VERSION : versionOfSources();

function versionOfSources(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
