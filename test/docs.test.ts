import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { Flag } from "../agent/cli/flags.ts";
import { modes } from "../agent/modes.ts";
import type { Desired } from "../lib/discovery/desired.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
const exists = (path: string): boolean => existsSync(new URL(path, ROOT));
const filesIn = (folder: string): readonly string[] =>
  readdirSync(new URL(folder, ROOT), { recursive: true, encoding: "utf8" }).map(
    (file) => `${folder}${file}`,
  );

const isText = (path: string): boolean => path.endsWith(".md");
const documents: readonly string[] = [
  ...readdirSync(ROOT).filter(isText),
  ...["agent/", "deploy/", "docs/", "test/"].flatMap(filesIn).filter(isText),
];
const sources: readonly string[] = ["agent/", "lib/"]
  .flatMap(filesIn)
  .filter((path) => path.endsWith(".ts"));

// ── what a document holds ──

/** Fenced blocks as lines, a line that goes on in the next as one; the prose without them; what the prose quotes as code. */
function partsOf(path: string) {
  const blocks: string[] = [];
  const prose = read(path).replace(/^( *)```\w*\n([\s\S]*?)^ *```$/gm, (_, _indent, block) => {
    blocks.push(String(block));
    return "";
  });
  const lines = blocks.flatMap((block) => block.replace(/\\\n */g, " ").split("\n"));
  const quoted = [...prose.matchAll(/`([^`]+)`/g)].map(([, text = ""]) =>
    text.replace(/\s+/g, " "),
  );
  return { lines: [...lines, ...indentedIn(prose)], prose, quoted };
}

const indentedIn = (prose: string): readonly string[] =>
  [...prose.matchAll(/^ {4}(ecs-discovery-agent .*)$/gm)].map(([, line = ""]) => line);

/** The first cells of the table that begins with this header. */
function firstCells(path: string, header: string): readonly string[] {
  const tables = read(path)
    .split(/\n\n/)
    .map((block) => block.trim().split("\n"));
  return tables
    .filter(([head = ""]) => head.startsWith(`| ${header} |`))
    .flatMap(([, , ...rows]) => rows.map((row) => row.split("|")[1]?.trim() ?? ""));
}

const codeIn = (cell: string): readonly string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

/** As GitHub makes them of headings. */
const anchorsOf = (path: string): ReadonlySet<string> =>
  new Set(
    [...partsOf(path).prose.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );

// ── where documents lead ──

describe.each(documents)("%s", (path) => {
  const { lines, prose, quoted } = partsOf(path);

  it("leads to files and headings that are there", () => {
    const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
    const wrong = targets.filter((target) => {
      if (/^https?:/.test(target)) return false;
      const [file = "", anchor] = target.split("#");
      const to = file === "" ? path : posix.join(posix.dirname(path), file);
      return !exists(to) || (anchor !== undefined && !anchorsOf(to).has(anchor));
    });
    expect(wrong).toEqual([]);
  });

  it("names files of the project that are there", () => {
    const wrong = quoted.filter((text) => {
      const [file = ""] = text.split(" ");
      if (!/^(?:agent|lib|test|deploy|docs)\/[\w./-]+$/.test(file)) return false;
      return !["", ".ts", ".test.ts"].some((suffix) => exists(file + suffix));
    });
    expect(wrong).toEqual([]);
  });

  it("names npm scripts that package.json has", () => {
    const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: object };
    const wrong = [...lines, ...quoted].flatMap((text) =>
      [...text.matchAll(/\bnpm run (?:-s )?([\w:]+)/g)]
        .map(([, script = ""]) => script)
        .filter((script) => !Object.hasOwn(scripts, script)),
    );
    expect(wrong).toEqual([]);
  });

  it("shows commands that the agent takes", async () => {
    // A tutorial's commands are run, the wrong ones among them on purpose (test/process/tutorials.test.ts).
    if (path.startsWith("docs/tutorials/")) return;
    const wrong: string[] = [];
    for (const command of [...lines, ...quoted].flatMap(commandIn)) {
      const argv = command.split(/ +/).map((word) => word.replace("…", "Z0123456789ABCDEFGHIJ"));
      const mode = modes.find(({ name, aliases }) => [name, ...aliases].includes(argv[0] ?? ""));
      const taken = await mode?.read(argv.slice(1), {});
      if (taken === undefined || taken.kind === "problems") wrong.push(command);
    }
    expect(wrong).toEqual([]);
  });

  it("names flags of the agent that are there, with values that they take", async () => {
    const flags = await allFlags();
    const wrong = quoted.filter((text) => {
      const [, name = "", value] = /^--([A-Za-z]+)(?:=(\S+))?$/.exec(text) ?? [];
      if (name === "" || OTHERS.has(name)) return false;
      const known = flags.get(name) ?? [];
      if (known.length === 0) return true;
      return !(value === undefined || /[…<]/.test(value) || known.some((one) => takes(one, value)));
    });
    expect(wrong).toEqual([]);
  });
});

/** Flags of other programs, and of the project's own tools, that documents name. */
const OTHERS: ReadonlySet<string> = new Set(["help", "icc", "restart", "network", "seed"]);

const takes = (flag: Flag<unknown>, value: string): boolean =>
  (flag.takes !== undefined && flag.schema.safeParse(value).success) ||
  flag.choices?.includes(value) === true;

async function allFlags(): Promise<ReadonlyMap<string, readonly Flag<unknown>[]>> {
  const all = await Promise.all(modes.map(({ flags }) => flags()));
  const each = all.flatMap((flags) => Object.entries(flags));
  const byName = Map.groupBy(each, ([name]) => name);
  return new Map([...byName].map(([name, found]) => [name, found.map(([, flag]) => flag)]));
}

const IN_IMAGE = (
  JSON.parse(/^ENTRYPOINT (.*)$/m.exec(read("Dockerfile"))?.[1] ?? "[]") as string[]
).at(-1) as string;

/** What follows the program's name on a line that runs it, here or in its container; not where a form is described. */
function commandIn(line: string): readonly string[] {
  const [, inImage, command = ""] =
    /^(?:\$ |source <\()?(?:docker exec \S+ node (\S+)|ecs-discovery-agent) ([^#)|]+)/.exec(line) ??
    [];
  if (command === "" || /[[<]/.test(command)) return [];
  return [inImage === undefined || inImage === IN_IMAGE ? command.trim() : line];
}

// ── the runbook against the code ──

const RUNBOOK = "docs/operations.md";

/** Every reason for which a container has no record, or none yet: the compiler holds this list to the closed unions. */
const REASONS: Readonly<Record<Exclude<Desired, { kind: "serve" }>["reason"], true>> = {
  gone: true,
  "not-running": true,
  stopping: true,
  paused: true,
  starting: true,
  "not-labelled": true,
  internal: true,
  "bad-name": true,
  "bad-label": true,
  "not-a-task": true,
  "task-stopped": true,
  "no-address": true,
  "unknown-task": true,
  "address-pending": true,
  "port-pending": true,
  "malformed-answer": true,
  "agent-unavailable": true,
};

describe("the runbook", () => {
  it("explains every reason that a container has no record for, and no other", () => {
    const explained = firstCells(RUNBOOK, "Reason").flatMap(codeIn);
    expect(explained.toSorted()).toEqual(Object.keys(REASONS).toSorted());
  });

  it.each(["It says", "The cause", "Route 53 says"])(
    "quotes the agent's own words: %s",
    (header) => {
      const words = firstCells(RUNBOOK, header).flatMap(codeIn);
      const all = sources.map(read);
      expect(words.length).toBeGreaterThan(3);
      expect(words.filter((text) => !all.some((source) => source.includes(text)))).toEqual([]);
    },
  );
});

it("the code sends people to files of the project that are there", () => {
  const wrong = sources.flatMap((path) =>
    [...read(path).matchAll(/\b(?:deploy|docs)\/[\w.-]+\.\w+/g)]
      .map(([file]) => file)
      .filter((file) => !exists(file)),
  );
  expect(wrong).toEqual([]);
});
