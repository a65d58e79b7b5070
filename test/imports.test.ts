import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { parse } from "@babel/parser";
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

interface Node {
  readonly type: string;
  readonly loc?: {
    readonly start: { readonly line: number };
    readonly end: { readonly line: number };
  };
  readonly [member: string]: unknown;
}

interface Code {
  /** What it imports or re-exports, types and dynamic imports included. */
  readonly specifiers: readonly string[];
  /** Names and member chains such as `Math.random`, and the words `await`, `async` where they are used. */
  readonly words: ReadonlySet<string>;
  readonly lines: number;
  /** Lines of the longest function. */
  readonly longest: number;
}

const parsed = new Map<string, Code>();

/** Throws for an import whose target can't be read off. */
function codeOf(source: string): Code {
  const known = parsed.get(source);
  if (known !== undefined) return known;
  const ast = parse(source, {
    sourceType: "module",
    plugins: ["typescript", "explicitResourceManagement"],
  });
  const specifiers: string[] = [];
  const words = new Set<string>();
  let longest = 0;
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const one of value) walk(one);
      return;
    }
    if (!isNode(value)) return;
    const target = importedBy(value);
    if (target !== undefined) {
      if (typeof target !== "string") {
        throw new Error(`an import that can't be read: ${JSON.stringify(value.loc?.start)}`);
      }
      specifiers.push(target);
    }
    for (const word of wordsOf(value)) words.add(word);
    if (
      /Function|ObjectMethod|ClassMethod/.test(value.type) &&
      isNode(value["body"]) &&
      value.loc
    ) {
      longest = Math.max(longest, value.loc.end.line - value.loc.start.line + 1);
    }
    for (const [name, member] of Object.entries(value)) {
      if (!/^(loc|leadingComments|trailingComments|innerComments)$/.test(name)) walk(member);
    }
  };
  walk(ast.program.body);
  const code = { specifiers, words, lines: source.split("\n").length - 1, longest };
  parsed.set(source, code);
  return code;
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string";

/** The target of an import or re-export; null where it is one that is no plain string. */
function importedBy(node: Node): string | null | undefined {
  const text = (value: unknown): string | null =>
    isNode(value) && value.type === "StringLiteral" ? String(value["value"]) : null;
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
      return text(node["source"]);
    case "ExportNamedDeclaration":
      return isNode(node["source"]) ? text(node["source"]) : undefined;
    case "ImportExpression":
      return text(node["source"]);
    case "CallExpression": {
      const { callee } = node as unknown as { readonly callee: Node };
      if (callee.type !== "Import") return undefined;
      return text((node["arguments"] as readonly unknown[])[0]);
    }
    case "TSImportType":
      return text((node["argument"] as Node)["literal"] ?? node["argument"]);
    case "TSImportEqualsDeclaration":
      return null;
    default:
      return undefined;
  }
}

function wordsOf(node: Node): readonly string[] {
  if (node.type === "Identifier") return [String(node["name"])];
  if (node.type === "AwaitExpression" || (/^For/.test(node.type) && node["await"] === true)) {
    return ["await"];
  }
  if (node["async"] === true) return ["async"];
  const chain = chainOf(node);
  return chain === undefined ? [] : [chain];
}

/** `a.b`, `a?.b` and `a["b"]` as "a.b"; of a longer chain, its last two members. */
function chainOf(node: Node): string | undefined {
  if (!/^(Optional)?MemberExpression$/.test(node.type)) return undefined;
  const named = (value: unknown): string | undefined => {
    if (!isNode(value)) return undefined;
    if (value.type === "Identifier") return String(value["name"]);
    return value.type === "StringLiteral" ? String(value["value"]) : undefined;
  };
  const object = node["object"] as Node;
  const owner = named(object) ?? named(object["property"]);
  const member = named(node["property"]);
  return owner === undefined || member === undefined ? undefined : `${owner}.${member}`;
}

// ── the rule: domains by a table, purity by path ──

/** Which other domains of lib a domain may import; every domain may import kit. */
const DOMAINS: Readonly<Record<string, readonly string[]>> = {
  kit: [],
  aws: [],
  docker: [],
  net: [],
  sqs: ["aws"],
  ecs: ["docker", "net", "aws"],
  route53: ["ecs", "net", "aws"],
  discovery: ["route53", "ecs", "docker", "net"],
  fleet: ["discovery", "route53", "ecs", "sqs", "aws"],
  elb: ["ecs", "net", "docker", "aws"],
  web: ["discovery", "route53", "ecs", "docker", "net"],
  kubernetes: ["ecs"],
  registry: ["docker", "aws"],
  cloud: ["ecs", "aws"],
};

/** Of Node's own modules, what a pure file may take: functions of their arguments alone. */
const PURE_BUILTINS = ["node:net", "node:crypto", "node:zlib"];

/** Parsers and runtimes, no client of an outside system: an edge may take these beside its client library. */
const TOOLS = ["zod", "fast-xml-parser", "yaml", "jsonc-parser"];
const isTool = (name: string): boolean => TOOLS.includes(name) || name.startsWith("@smithy/");

/** Who may import what lies directly in the agent's own rooms. */
const ROOMS = ["process", "cli", "page", "host"];

interface Place {
  readonly top: "agent" | "lib" | "test";
  /** A mode or room of the agent, or a domain of lib; "" for what lies directly in agent. */
  readonly room: string;
  readonly layer: "pure" | "flow" | "io";
}

function placeOf(path: string): Place | undefined {
  const [top, room, layer, file] = path.split("/");
  if (top === "test") return { top, room: "", layer: "io" };
  if (top === "agent") return { top, room: layer === undefined ? "" : (room ?? ""), layer: "io" };
  if (top !== "lib" || room === undefined || layer === undefined) return undefined;
  if (room === "standins") return { top, room, layer: "io" };
  if (DOMAINS[room] === undefined) return undefined;
  if (file === undefined) return { top, room, layer: "pure" };
  return layer === "flow" || layer === "io" ? { top, room, layer } : { top, room, layer: "pure" };
}

/** Why the file may not import this other file of ours; undefined when it may. */
function mayImport(path: string, from: Place, to: Place | undefined): boolean {
  if (to === undefined || to.top === "test") return false;
  if (from.top === "lib") {
    if (to.top === "agent") return false;
    if (from.room === "standins") {
      return (
        to.room === "standins" || to.layer === "pure" || (to.room === "kit" && to.layer !== "io")
      );
    }
    if (to.room === "standins") return false;
    const isNear =
      to.room === from.room || to.room === "kit" || DOMAINS[from.room]?.includes(to.room);
    if (!isNear) return false;
    if (from.layer === "pure") return to.layer === "pure";
    return from.layer === "flow" ? to.layer !== "io" : to.layer !== "flow";
  }
  if (to.top === "lib") {
    if (to.room === "standins") return from.room === "sandbox";
    return from.room === "" || !["process", "cli", "page"].includes(from.room) || to.room === "kit";
  }
  if (path === "agent/modes.ts") return true;
  if (path === "agent/main.ts") return to.room === "" || ["process", "cli"].includes(to.room);
  if (to.room === "") return false;
  if (to.room === from.room) return true;
  if (from.room === "process") return false;
  if (from.room === "cli") return to.room === "process";
  if (from.room === "page") return ["process", "cli"].includes(to.room);
  return ROOMS.includes(to.room);
}

function mayImportPackage(from: Place, name: string): boolean {
  if (from.top === "agent") return ["winston", "zod", "prom-client"].includes(name);
  if (from.room === "standins") return ["fast-xml-parser", "dns-packet"].includes(name);
  if (from.layer === "pure") return false;
  if (from.layer === "flow") return name === "p-queue" && from.room === "kit";
  return true;
}

/** Each import of the file that the rule forbids, as a sentence. */
function strayImports(path: string, source: string): readonly string[] {
  const from = placeOf(path);
  if (from === undefined) return [`${path} lies in no room`];
  const { specifiers } = codeOf(source);
  const stray = specifiers.filter((specifier) => {
    if (specifier.startsWith("node:")) {
      if (from.layer === "pure") return !PURE_BUILTINS.includes(specifier);
      return from.layer === "flow" && !FLOW_BUILTINS.includes(specifier) && from.room !== "net";
    }
    if (!specifier.startsWith(".")) return !mayImportPackage(from, specifier);
    return !mayImport(path, from, placeOf(posix.join(posix.dirname(path), specifier)));
  });
  return [
    ...stray.map((specifier) => `${path} imports ${specifier}`),
    ...(clientsOf(source).length > 1 && from.top === "lib" && from.room !== "standins"
      ? [`${path} imports ${clientsOf(source).join(" and ")}`]
      : []),
  ];
}
const FLOW_BUILTINS = ["node:timers/promises", ...PURE_BUILTINS];

/** `@aws-sdk/client-ecs` of `@aws-sdk/client-ecs/deep/path`: the client libraries that a file imports. */
const clientsOf = (source: string): readonly string[] => [
  ...new Set(
    codeOf(source)
      .specifiers.filter((one) => !one.startsWith("node:") && !one.startsWith(".") && !isTool(one))
      .map((one) => /^(@[^/]+\/)?[^/]+/.exec(one)?.[0] ?? one),
  ),
];

/** A client library belongs to one folder, so that what an outside system is like is known in one place. */
function scattered(files: ReadonlyMap<string, string>): readonly string[] {
  const places = Map.groupBy(
    [...files]
      .filter(([path]) => !path.startsWith("lib/standins/"))
      .flatMap(([path, source]) =>
        clientsOf(source).map((name) => ({ name, folder: posix.dirname(path) })),
      ),
    ({ name }) => name,
  );
  return [...places].flatMap(([name, uses]) => {
    const folders = [...new Set(uses.map(({ folder }) => folder))].toSorted();
    return folders.length === 1 ? [] : [`${name} is imported in ${folders.join(", ")}`];
  });
}

const IMPURE = ["Date", "Math.random", "process", "console", "await", "async", "setTimeout"];

/** Words that have no place in pure rules: time, chance, the environment, waiting, the log. */
function impureWords(path: string, source: string): readonly string[] {
  const { words } = codeOf(source);
  return [...IMPURE, "winston"].filter((one) => words.has(one)).map((one) => `${path} says ${one}`);
}

/** Where the process could be ended from, the exit code's one owner aside. */
function exits(path: string, source: string): readonly string[] {
  if (path === "agent/main.ts") return [];
  const { words, specifiers } = codeOf(source);
  const ends = ["process.exit", "process.exitCode"].filter((one) => words.has(one));
  const processes = specifiers.filter((one) => /^(node:)?process$/.test(one));
  return [...ends, ...processes].map((one) => `${path} says ${one}`);
}

/** The circles among the files, each once, by the files on it. */
function circles(files: ReadonlyMap<string, string>): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) {
      found.push([...trail.slice(at), path].join(" → "));
      return;
    }
    if (done.has(path)) return;
    for (const specifier of codeOf(files.get(path) ?? "").specifiers) {
      if (!specifier.startsWith(".")) continue;
      visit(posix.join(posix.dirname(path), specifier), [...trail, path]);
    }
    done.add(path);
  };
  for (const path of files.keys()) visit(path, []);
  return found;
}

// ── ratchets: each list only shrinks ──

const LONG_FILES: Readonly<Record<string, string>> = {};
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {
  "agent/writer/mode.ts": "the wiring",
  "lib/fleet/flow/intake.ts": "one closure over what is in hand",
  "lib/fleet/flow/joint-writer.ts": "one closure over the fence",
  "lib/fleet/flow/keeper.ts": "one closure over one owner's writer",
  "lib/fleet/flow/host/sender.ts": "one closure over what was sent",
  "lib/fleet/flow/zone-fleet.ts": "one closure over the owners",
  "agent/doctor/mode.ts": "the wiring",
};
const FULL_FOLDERS: Readonly<Record<string, string>> = {};

function tooLarge(files: ReadonlyMap<string, string>): readonly string[] {
  const folders = Map.groupBy(files.keys(), (path) => posix.dirname(path));
  const problems: string[] = [];
  const hold = (
    what: string,
    size: number,
    limit: number,
    reasons: Readonly<Record<string, string>>,
  ) => {
    if (size > limit && reasons[what] === undefined)
      problems.push(`${what}: ${size}, expected at most ${limit}`);
    if (size <= limit && reasons[what] !== undefined)
      problems.push(`${what}: needs no reason any more`);
  };
  for (const [path, source] of files) {
    hold(path, codeOf(source).lines, 400, LONG_FILES);
    hold(path, codeOf(source).longest, 80, LONG_FUNCTIONS);
  }
  for (const [folder, paths] of folders) hold(folder, paths.length, 15, FULL_FOLDERS);
  return problems;
}

const inAll = (check: (path: string, source: string) => readonly string[]): readonly string[] =>
  [...sources].flatMap(([path, source]) => check(path, source));

// ── the real files ──

describe("the files of agent and lib", () => {
  it("import what their room allows, and nothing else", () => {
    expect(inAll(strayImports)).toEqual([]);
  });

  it("import files that are there", () => {
    const missing = inAll((path, source) =>
      codeOf(source)
        .specifiers.filter((specifier) => specifier.startsWith("."))
        .map((specifier) => posix.join(posix.dirname(path), specifier))
        .filter((target) => !sources.has(target) && !/\.(json|html|css)$/.test(target)),
    );
    expect(missing).toEqual([]);
  });

  it("have no circle, types included", () => {
    expect(circles(sources)).toEqual([]);
  });

  it("import each client library in one folder", () => {
    expect(scattered(sources)).toEqual([]);
  });

  it("end the process in agent/main.ts only", () => {
    expect(inAll(exits)).toEqual([]);
  });

  it("at the root of a domain know no clock, no chance, no environment, no waiting and no log", () => {
    const pure = [...sources].filter(([path]) => placeOf(path)?.layer === "pure");
    expect(pure.length).toBeGreaterThan(20);
    expect(pure.flatMap(([path, source]) => impureWords(path, source))).toEqual([]);
  });

  it("are small enough to be read, or say why not", () => {
    expect(tooLarge(sources)).toEqual([]);
  });
});

test("the table of domains has no circle", () => {
  const reach = (domain: string, trail: readonly string[]): void => {
    expect(trail).not.toContain(domain);
    for (const next of DOMAINS[domain] ?? []) reach(next, [...trail, domain]);
  };
  for (const domain of Object.keys(DOMAINS)) reach(domain, []);
});

// ── that each check can fail ──

describe("a file is refused", () => {
  test.each([
    ["lib/route53/a.ts", `import { pace } from "./flow/pace.ts";`, "./flow/pace.ts"],
    [
      "lib/route53/a.ts",
      `import type { Clock } from "../kit/flow/clock.ts";`,
      "../kit/flow/clock.ts",
    ],
    ["lib/docker/a.ts", `import { x } from "../ecs/arn.ts";`, "../ecs/arn.ts"],
    ["lib/kit/a.ts", `import { x } from "../net/address.ts";`, "../net/address.ts"],
    ["lib/ecs/a.ts", `import { readFile } from "node:fs";`, "node:fs"],
    ["lib/ecs/a.ts", `import * as z from "zod";`, "zod"],
    ["lib/ecs/a.ts", `export * from "./io/control.ts";`, "./io/control.ts"],
    ["lib/ecs/a.ts", `type T = import("./io/control.ts").A;`, "./io/control.ts"],
    ["lib/docker/flow/a.ts", `export { dockerEngine } from '../io/engine.ts'`, "../io/engine.ts"],
    ["lib/docker/flow/a.ts", `import {\n  a,\n  type B,\n} from "zod";`, "zod"],
    ["lib/docker/flow/a.ts", `import "node:fs";`, "node:fs"],
    ["lib/docker/flow/a.ts", `import PQueue from "p-queue";`, "p-queue"],
    [
      "lib/docker/io/a.ts",
      `import { x } from "../../kit/flow/outage-timer.ts";`,
      "../../kit/flow/outage-timer.ts",
    ],
    [
      "lib/docker/io/a.ts",
      `const a = await import("../../standins/faults.ts");`,
      "../../standins/faults.ts",
    ],
    [
      "lib/standins/a.ts",
      `import { get } from "../kit/io/http-json.ts";`,
      "../kit/io/http-json.ts",
    ],
    [
      "lib/standins/a.ts",
      `import type { Log } from "../../agent/process/log.ts";`,
      "../../agent/process/log.ts",
    ],
    ["lib/standins/a.ts", `import Docker from "dockerode";`, "dockerode"],
    ["agent/process/a.ts", `import { x } from "../cli/flags.ts";`, "../cli/flags.ts"],
    ["agent/cli/a.ts", `import { x } from "../../lib/ecs/arn.ts";`, "../../lib/ecs/arn.ts"],
    ["agent/host/a.ts", `import { discover } from "../discover/mode.ts";`, "../discover/mode.ts"],
    [
      "agent/sweep/a.ts",
      `import { decisionLog } from "../discover/decision-log.ts";`,
      "../discover/decision-log.ts",
    ],
    ["agent/sweep/a.ts", `import { modes } from "../modes.ts";`, "../modes.ts"],
    [
      "agent/discover/a.ts",
      `import { x } from "../../lib/standins/faults.ts";`,
      "../../lib/standins/faults.ts",
    ],
    ["agent/sandbox/a.ts", `import PQueue from "p-queue";`, "p-queue"],
    ["agent/modes.ts", `import { x } from "../test/support/build.ts";`, "../test/support/build.ts"],
  ])("%s with %s", (path, source, specifier) => {
    const file = `const before = /["'\`]/;\n${source}\nconst after = "";\n`;
    expect(strayImports(path, file)).toEqual([`${path} imports ${specifier}`]);
  });

  it("when it lies outside of every room", () => {
    expect(strayImports("lib/helpers.ts", "")).toEqual(["lib/helpers.ts lies in no room"]);
    expect(strayImports("lib/utils/a.ts", "")).toEqual(["lib/utils/a.ts lies in no room"]);
  });

  it("when it holds two client libraries", () => {
    const source = `import Docker from "dockerode";\nimport { A } from "@aws-sdk/client-route-53";\n`;
    expect(strayImports("lib/docker/io/a.ts", source)).toEqual([
      "lib/docker/io/a.ts imports dockerode and @aws-sdk/client-route-53",
    ]);
  });

  test.each([
    "import(name)",
    `import(\`./\${name}.ts\`)`,
    'import("./" + name)',
    "import x = require('a')",
  ])("when the target of an import can't be read off: %s", (source) => {
    expect(() => codeOf(`const a = 1;\n${source};\n`)).toThrow("can't be read");
  });

  test.each([
    ["const a = Date.now();", "Date"],
    ["const a = () => new Date();", "Date"],
    ["const a = Math\n  .random();", "Math.random"],
    [`const a = \`\${process.env["A"]}\`;`, "process"],
    ["console.log(1);", "console"],
    ["export const a = async () => {};", "async"],
    ["setTimeout(() => {}, 1);", "setTimeout"],
    ["type Log = winston.Logger;", "winston"],
  ])("at the root of a domain with %s", (source, impure) => {
    expect(impureWords("lib/kit/a.ts", source)).toEqual([`lib/kit/a.ts says ${impure}`]);
  });

  test.each([
    ["process.exit(1);", "process.exit"],
    ["process.exitCode = 1;", "process.exitCode"],
    ["globalThis.process?.exit();", "process.exit"],
    [`process["exit"](1);`, "process.exit"],
    [`import { exit } from "node:process";`, "node:process"],
  ])("with %s, which ends the process", (source, what) => {
    expect(exits("agent/process/log.ts", source)).toEqual([`agent/process/log.ts says ${what}`]);
    expect(exits("agent/main.ts", source)).toEqual([]);
  });

  it("when it imports a client that belongs to another folder", () => {
    const files = new Map([...sources, ["lib/ecs/io/a.ts", `import Docker from "dockerode";`]]);
    expect(scattered(files)).toEqual(["dockerode is imported in lib/docker/io, lib/ecs/io"]);
  });

  it("when it closes a circle, by a type alone", () => {
    const files = new Map([
      ["lib/kit/a.ts", `import type { B } from "./b.ts";`],
      ["lib/kit/b.ts", `type A = import("./a.ts").A;`],
    ]);
    expect(circles(files)).toEqual(["lib/kit/a.ts → lib/kit/b.ts → lib/kit/a.ts"]);
  });

  it("when it or its folder is too large", () => {
    const line = "f();\n";
    const files = new Map([
      ["lib/kit/a.ts", line.repeat(401)],
      ["lib/kit/b.ts", `function f() {\n${line.repeat(80)}}\n`],
      ...Array.from({ length: 16 }, (_, n): [string, string] => [`lib/net/${n}.ts`, ""]),
    ]);
    expect(tooLarge(files)).toEqual([
      "lib/kit/a.ts: 401, expected at most 400",
      "lib/kit/b.ts: 82, expected at most 80",
      "lib/net: 16, expected at most 15",
    ]);
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
    expect(impureWords("lib/kit/a.ts", source)).toEqual([]);
    expect(strayImports("lib/kit/a.ts", source)).toEqual([]);
    expect(exits("lib/kit/a.ts", source)).toEqual([]);
  });

  test.each([
    ["lib/route53/a.ts", "./plan.ts"],
    ["lib/route53/flow/a.ts", "../plan.ts"],
    ["lib/route53/flow/a.ts", "../../kit/flow/clock.ts"],
    ["lib/docker/io/a.ts", "node:fs"],
    ["lib/docker/io/a.ts", "zod"],
    ["lib/standins/dns/a.ts", "dns-packet"],
    ["agent/discover/a.ts", "../../lib/docker/io/engine.ts"],
    ["agent/discover/a.ts", "../process/supervise.ts"],
    ["agent/sandbox/a.ts", "../../lib/standins/faults.ts"],
    ["agent/modes.ts", "./discover/mode.ts"],
  ])("%s, for %s", (path, specifier) => {
    expect(strayImports(path, `import a from "${specifier}";`)).toEqual([]);
  });
});
