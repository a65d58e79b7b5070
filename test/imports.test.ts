import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it, test } from "@jest/globals";

const ROOT = new URL("../", import.meta.url);
const sources: ReadonlyMap<string, string> = new Map(
  ["agent", "lib"]
    .flatMap((folder) =>
      readdirSync(new URL(folder, ROOT), { recursive: true, encoding: "utf8" }).map(
        (file) => `${folder}/${file.replaceAll("\\", "/")}`,
      ),
    )
    .filter((path) => path.endsWith(".ts"))
    .map((path) => [path, readFileSync(new URL(path, ROOT), "utf8")]),
);

// ── what a file says ──

/** A file without its comments; strings, templates' text and regular expressions are replaced by `"#<index>"`. */
interface Code {
  readonly text: string;
  readonly strings: readonly string[];
}

/** After one of these a slash begins a regular expression, though a word stands before it. */
const BEFORE_REGEX =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|yield|await)$/;
const TOKEN =
  /\/\/.*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|`|[{}]|\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*|[\s\S]/g;

function codeOf(source: string): Code {
  const strings: string[] = [];
  let text = "";
  const put = (string: string): void => {
    text += `"#${strings.push(string) - 1}"`;
  };
  /** For each open brace, whether it closes back into a template. */
  const braces: boolean[] = [];
  const readTemplate = (from: number): number => {
    const end = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y;
    end.lastIndex = from;
    const [part] = end.exec(source) ?? [source.slice(from)];
    put(part.replace(/`$|\$\{$/, ""));
    if (part.endsWith("${")) {
      text += "{";
      braces.push(true);
    }
    return from + part.length;
  };
  const next = new RegExp(TOKEN);
  for (let token = next.exec(source); token !== null; token = next.exec(source)) {
    const [found] = token;
    const before = text.trimEnd();
    const divides = /[\w$)\]}"]$/.test(before) && !BEFORE_REGEX.test(before);
    if (/^\/[/*]/.test(found)) text += " ";
    else if (/^["']/.test(found)) put(found.slice(1, -1));
    else if (found === "`") next.lastIndex = readTemplate(next.lastIndex);
    else if (found.length > 1 && !divides) put(found);
    else {
      const one = found.slice(0, 1);
      next.lastIndex = token.index + 1;
      text += one;
      if (one === "{") braces.push(false);
      if (one === "}" && braces.pop()) next.lastIndex = readTemplate(next.lastIndex);
    }
  }
  return { text, strings };
}

const IMPORT = /(?<![\w$.])import(?![\w$])(?!\s*\.\s*meta\b)/g;
const SPECIFIER =
  /(?<![\w$.])(?:import|export)(?![\w$])\s*(?:\(\s*|(?:[\w$*{},\s]*\bfrom\s*)?)"#(\d+)"(?=\s*(?:[;,)]|with\b|\n|$))/g;

/** What a file imports or re-exports, types included. Throws for an import whose target can't be read off. */
function specifiersOf(source: string): readonly string[] {
  const { text, strings } = codeOf(source);
  const found = [...text.matchAll(SPECIFIER)];
  const starts = new Set(found.map(({ index }) => index));
  for (const { index } of text.matchAll(IMPORT)) {
    if (!starts.has(index)) {
      throw new Error(`an import that can't be read: ${text.slice(index, index + 60)}`);
    }
  }
  return found.map(([, index]) => strings[Number(index)] ?? "");
}

// ── the rule ──

type Layer = "core" | "flow" | "io" | "lib/sandbox" | "agent" | `agent/${string}` | "test";

function layerOf(path: string): Layer | undefined {
  const [top, folder, file] = path.split("/");
  if (top === "test") return "test";
  if (top === "agent") return file === undefined ? "agent" : `agent/${folder}`;
  if (top !== "lib" || file === undefined) return undefined;
  if (folder === "core" || folder === "flow" || folder === "io") return folder;
  return folder === "sandbox" ? "lib/sandbox" : undefined;
}

interface Allowed {
  readonly layers: readonly Layer[];
  readonly packages: readonly string[];
  readonly builtins: "all" | readonly string[];
}

/** The client libraries of outside systems: one a file, and each in one file only. */
const CLIENTS = ["dockerode", "@aws-sdk/client-ecs", "@aws-sdk/client-route-53", "prom-client"];
const ONCE = [...CLIENTS, "p-queue", "winston", "commander"];

/** What several modes do with the edges; no mode loads another, and main.ts loads none of these. */
const SHARED_BY_MODES = [
  "agent/bulk-deletes.ts",
  "agent/containers.ts",
  "agent/edges.ts",
  "agent/host.ts",
  "agent/published.ts",
];
const IO: readonly Layer[] = ["io"];

function allowedIn(path: string, layer: Exclude<Layer, "test">): Allowed {
  switch (layer) {
    case "core":
      return { layers: ["core"], packages: [], builtins: [] };
    case "flow":
      return {
        layers: ["core", "flow"],
        packages: ["p-queue"],
        builtins: ["node:timers/promises"],
      };
    case "io":
      return {
        layers: ["core", "io"],
        // The AWS SDK's own runtime goes with its client.
        packages: [...CLIENTS, "@smithy/core/retry", "zod"],
        builtins: "all",
      };
    case "lib/sandbox":
      return {
        layers: ["core", "flow", "lib/sandbox"],
        packages: ["fast-xml-parser", "dns-packet"],
        builtins: "all",
      };
    case "agent":
      return {
        layers: ["core", "flow", "agent", ...(SHARED_BY_MODES.includes(path) ? IO : [])],
        packages: ["commander", "winston", "zod"],
        builtins: "all",
      };
    default: {
      const stands: readonly Layer[] = path.startsWith("agent/sandbox/") ? ["lib/sandbox"] : [];
      return {
        layers: ["core", "flow", "io", "agent", layer, ...stands],
        packages: ["zod"],
        builtins: "all",
      };
    }
  }
}

/** Each import of the file that the rule forbids, as a sentence. */
function strayImports(path: string, source: string): readonly string[] {
  const layer = layerOf(path);
  if (layer === undefined || layer === "test") return [`${path} lies in no layer`];
  const allowed = allowedIn(path, layer);
  const specifiers = specifiersOf(source);
  const stray = specifiers.filter((specifier) => {
    if (specifier.startsWith("node:")) {
      return allowed.builtins !== "all" && !allowed.builtins.includes(specifier);
    }
    if (!specifier.startsWith(".")) return !allowed.packages.includes(specifier);
    const target = layerOf(posix.join(posix.dirname(path), specifier));
    // The list of modes is the one place that loads them.
    if (path === "agent/modes.ts" && target?.startsWith("agent/")) return false;
    return target === undefined || !allowed.layers.includes(target);
  });
  const clients = new Set(specifiers.filter((specifier) => CLIENTS.includes(specifier)));
  return [
    ...stray.map((specifier) => `${path} imports ${specifier}`),
    ...(clients.size > 1 ? [`${path} imports ${[...clients].join(" and ")}`] : []),
  ];
}

const word = (text: string): RegExp =>
  new RegExp(`(?<![\\w$])${text.replace(".", "\\s*\\??\\.\\s*")}(?![\\w$])`);
const IMPURE = ["Date", "Math.random", "process", "console", "await", "async", "setTimeout"];

/** Words that have no place in pure rules: time, chance, the environment, waiting, the log. */
function impureWords(path: string, source: string): readonly string[] {
  const { text } = codeOf(source);
  return [...IMPURE, "winston"]
    .filter((impure) => word(impure).test(text))
    .map((impure) => `${path} says ${impure}`);
}

/** Where the process could be ended from, the exit code's one owner aside. */
function exits(path: string, source: string): readonly string[] {
  if (path === "agent/main.ts") return [];
  const { text, strings } = codeOf(source);
  const plain = text.replace(/\[\s*"#(\d+)"\s*\]/g, (_, index) => `.${strings[Number(index)]}`);
  const ends = ["process.exit", "process.exitCode"].filter((one) => word(one).test(plain));
  const processes = specifiersOf(source).filter((one) => /^(node:)?process$/.test(one));
  return [...ends, ...processes].map((one) => `${path} says ${one}`);
}

/** The third-party libraries that are not imported by exactly one of the files. */
function scattered(files: ReadonlyMap<string, string>): readonly string[] {
  const importers = Map.groupBy(
    [...files].flatMap(([path, source]) =>
      [...new Set(specifiersOf(source))].map((specifier) => ({ path, specifier })),
    ),
    ({ specifier }) => specifier,
  );
  return ONCE.flatMap((name) => {
    const paths = (importers.get(name) ?? []).map(({ path }) => path).toSorted();
    return paths.length === 1 ? [] : [`${name} is imported by ${paths.join(", ") || "no file"}`];
  });
}

const inAll = (check: (path: string, source: string) => readonly string[]): readonly string[] =>
  [...sources].flatMap(([path, source]) => check(path, source));

// ── the real files ──

describe("the files of agent and lib", () => {
  it("are found: each layer has some", () => {
    const layers = new Set([...sources.keys()].map(layerOf));
    for (const layer of ["core", "flow", "io", "lib/sandbox", "agent", "agent/discover"] as const) {
      expect(layers).toContain(layer);
    }
  });

  it("import what their layer allows, and nothing else", () => {
    expect(inAll(strayImports)).toEqual([]);
  });

  it("import files that are there", () => {
    const missing = inAll((path, source) =>
      specifiersOf(source)
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => posix.join(posix.dirname(path), specifier))
        .filter((target) => !sources.has(target)),
    );
    expect(missing).toEqual([]);
  });

  it("import each third-party client in exactly one place", () => {
    expect(scattered(sources)).toEqual([]);
  });

  it("end the process in agent/main.ts only", () => {
    expect(inAll(exits)).toEqual([]);
  });

  it("of lib/core know no clock, no chance, no environment, no waiting and no log", () => {
    const core = [...sources].filter(([path]) => layerOf(path) === "core");
    expect(core.flatMap(([path, source]) => impureWords(path, source))).toEqual([]);
  });
});

// ── that each check can fail ──

describe("a file is refused", () => {
  test.each([
    ["lib/core/a.ts", `import { look } from "../flow/look.ts";`, "../flow/look.ts"],
    ["lib/core/a.ts", `import type { Clock } from "../flow/clock.ts";`, "../flow/clock.ts"],
    ["lib/core/a.ts", `import { createHash } from "node:crypto";`, "node:crypto"],
    ["lib/core/a.ts", `import * as z from "zod";`, "zod"],
    ["lib/core/a.ts", `export * from "../io/docker.ts";`, "../io/docker.ts"],
    ["lib/core/a.ts", `type T = import("../io/docker.ts").DockerEngine;`, "../io/docker.ts"],
    ["lib/flow/a.ts", `export { dockerEngine } from '../io/docker.ts'`, "../io/docker.ts"],
    ["lib/flow/a.ts", `import {\n  a,\n  type B,\n} from "zod";`, "zod"],
    ["lib/flow/a.ts", `import "node:fs";`, "node:fs"],
    ["lib/io/a.ts", `import { patience } from "../flow/patience.ts";`, "../flow/patience.ts"],
    ["lib/io/a.ts", `import winston from "winston";`, "winston"],
    ["lib/io/a.ts", `const a = await import("../sandbox/dns.ts");`, "../sandbox/dns.ts"],
    ["lib/sandbox/a.ts", `import { get } from "../io/http-json.ts";`, "../io/http-json.ts"],
    ["lib/sandbox/a.ts", `import type { Log } from "../../agent/log.ts";`, "../../agent/log.ts"],
    ["lib/sandbox/a.ts", `import Docker from "dockerode";`, "dockerode"],
    ["agent/a.ts", `import { discover } from "./discover/mode.ts";`, "./discover/mode.ts"],
    ["agent/a.ts", `import { dnsServer } from "../lib/sandbox/dns.ts";`, "../lib/sandbox/dns.ts"],
    ["agent/sweep/a.ts", `import { tell } from "../discover/tell.ts";`, "../discover/tell.ts"],
    [
      "agent/discover/a.ts",
      `import { dnsServer } from "../../lib/sandbox/dns.ts";`,
      "../../lib/sandbox/dns.ts",
    ],
    ["agent/sandbox/a.ts", `import PQueue from "p-queue";`, "p-queue"],
    [
      "agent/modes.ts",
      `import { task } from "../test/support/build.ts";`,
      "../test/support/build.ts",
    ],
    ["lib/io/a.ts", `import a from "../../test/support/build.ts";`, "../../test/support/build.ts"],
    ["lib/flow/a.ts", `import a from "../other/a.ts";`, "../other/a.ts"],
  ])("%s with %s", (path, source, specifier) => {
    const file = `const before = /["'\`]/;\n${source}\nconst after = "";\n`;
    expect(strayImports(path, file)).toEqual([`${path} imports ${specifier}`]);
  });

  it("when it lies outside of every layer", () => {
    expect(strayImports("lib/helpers.ts", "")).toEqual(["lib/helpers.ts lies in no layer"]);
    expect(strayImports("lib/utils/a.ts", "")).toEqual(["lib/utils/a.ts lies in no layer"]);
  });

  it("when it holds two client libraries", () => {
    const source = `import Docker from "dockerode";\nimport { A } from "@aws-sdk/client-route-53";\n`;
    expect(strayImports("lib/io/a.ts", source)).toEqual([
      "lib/io/a.ts imports dockerode and @aws-sdk/client-route-53",
    ]);
  });

  test.each([
    "import(name)",
    `import(\`./\${name}.ts\`)`,
    'import("./" + name)',
    "import x = require()",
  ])("when the target of an import can't be read off: %s", (source) => {
    expect(() => specifiersOf(`const a = 1;\n${source};\n`)).toThrow("can't be read");
  });

  test.each([
    ["const a = Date.now();", "Date"],
    ["const a = () => new Date();", "Date"],
    ["const a = Math\n  .random();", "Math.random"],
    [`const a = \`\${process.env["A"]}\`;`, "process"],
    ["console.log(1);", "console"],
    ["for (const a of b) /x'/.test(a) && await a;", "await"],
    ["export const a = async () => {};", "async"],
    ["setTimeout(() => {}, 1);", "setTimeout"],
    ["type Log = winston.Logger;", "winston"],
  ])("in lib/core with %s", (source, impure) => {
    expect(impureWords("lib/core/a.ts", source)).toEqual([`lib/core/a.ts says ${impure}`]);
  });

  test.each([
    ["process.exit(1);", "process.exit"],
    ["process.exitCode = 1;", "process.exitCode"],
    ["globalThis.process?.exit();", "process.exit"],
    [`process["exit"](1);`, "process.exit"],
    [`import { exit } from "node:process";`, "node:process"],
  ])("with %s, which ends the process", (source, what) => {
    expect(exits("agent/log.ts", source)).toEqual([`agent/log.ts says ${what}`]);
    expect(exits("agent/main.ts", source)).toEqual([]);
  });

  it("when it imports a client that another file has already, or none does", () => {
    const files = new Map([...sources, ["lib/io/a.ts", `import Docker from "dockerode";`]]);
    expect(scattered(files)).toEqual(["dockerode is imported by lib/io/a.ts, lib/io/docker.ts"]);
    files.delete("agent/log.ts");
    expect(scattered(files)).toContain("winston is imported by no file");
  });
});

describe("a file is not refused", () => {
  it("for what its comments and strings say", () => {
    const source = [
      "/** A Date; `await`s the process. import x from 'zod' */",
      "// console.log(Math.random()), import('zod')",
      `const a = "await import('zod')", b = 'process.exit(1)', c = \`async \${a} Date\`;`,
      "const d = a / b / c, e = /Date\"['/]/.test(a), f = /* setTimeout */ 4 / 2; // winston",
    ].join("\n");
    expect(impureWords("lib/core/a.ts", source)).toEqual([]);
    expect(strayImports("lib/core/a.ts", source)).toEqual([]);
    expect(exits("lib/core/a.ts", source)).toEqual([]);
  });

  it("for words that only hold such a word, or for its own address", () => {
    const source = "const processed = isDate(awaiting, $process), here = import.meta.url;";
    expect(impureWords("lib/core/a.ts", source)).toEqual([]);
    expect(specifiersOf(source)).toEqual([]);
  });

  test.each([
    ["lib/core/a.ts", "./plan.ts"],
    ["lib/flow/a.ts", "../core/plan.ts"],
    ["lib/flow/a.ts", "node:timers/promises"],
    ["lib/io/a.ts", "node:fs"],
    ["lib/io/a.ts", "zod"],
    ["lib/sandbox/a.ts", "dns-packet"],
    ["agent/discover/a.ts", "../../lib/io/docker.ts"],
    ["agent/discover/a.ts", "../supervise.ts"],
    ["agent/sandbox/a.ts", "../../lib/sandbox/dns.ts"],
    ["agent/modes.ts", "./discover/mode.ts"],
  ])("%s, for %s", (path, specifier) => {
    expect(strayImports(path, `import a from "${specifier}";`)).toEqual([]);
  });
});
