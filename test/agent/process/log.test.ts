import { spawnSync } from "node:child_process";
import { describe, expect, it, test } from "@jest/globals";
import type { LogFields, LogLevel, logFormats } from "../../../agent/process/log.ts";

type Call = readonly [level: LogLevel, message: string, fields?: LogFields];
type Format = (typeof logFormats)[number];

const PROGRAM = `
  import { readFileSync } from "node:fs";
  import { createLog } from ${JSON.stringify(new URL("../../../agent/process/log.ts", import.meta.url).href)};
  const { level, format, calls } = JSON.parse(readFileSync(0, "utf8"));
  const write = process.stdout.write.bind(process.stdout);
  let text = "";
  process.stdout.write = (chunk) => { text += chunk; return true; };
  const log = createLog({ level, format });
  const texts = calls.map(([method, message, fields]) => {
    text = "";
    log[method](message, fields);
    return text;
  });
  write(JSON.stringify(texts));
`;

/** What a process writes to its standard output at each of these calls. */
function written(
  format: Format,
  calls: readonly Call[],
  level: LogLevel = "debug",
): readonly string[] {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", PROGRAM],
    { input: JSON.stringify({ level, format, calls }), encoding: "utf8" },
  );
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return JSON.parse(stdout) as string[];
}

const TIME = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z";

describe("text", () => {
  it("is one line: when, how grave, what, and named values", () => {
    const text = written("text", [
      ["info", "registered", { record: "web.example.internal", retryInMs: 250, dry: false }],
      ["warn", "the container is skipped", { name: "two words", nothing: undefined, none: "" }],
    ]);
    expect(text.join("")).toMatch(
      new RegExp(
        `^${TIME} info  registered record=web\\.example\\.internal retryInMs=250 dry=false\n` +
          `${TIME} warn  the container is skipped name="two words" none=""\n$`,
      ),
    );
  });

  it("quotes a value that could be taken for another field", () => {
    const [text] = written("text", [["info", "a", { name: 'x" address=10.0.0.1', other: "a=b" }]]);
    expect(text).toContain(' a name="x\\" address=10.0.0.1" other="a=b"\n');
  });
});

describe("json", () => {
  it("is one object a line", () => {
    const text = written("json", [
      ["info", "registered", { record: "web.example.internal", retryInMs: 250, dry: false }],
      ["error", "ends", { cause: undefined }],
    ]);
    const timestamp = expect.stringMatching(new RegExp(`^${TIME}$`));
    for (const line of text) expect(line).toMatch(/^[^\n]+\n$/);
    expect(text.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        timestamp,
        level: "info",
        message: "registered",
        record: "web.example.internal",
        retryInMs: 250,
        dry: false,
      },
      { timestamp, level: "error", message: "ends" },
    ]);
  });
});

test.each([
  ["error", ["error"]],
  ["warn", ["error", "warn"]],
  ["info", ["error", "warn", "info"]],
  ["debug", ["error", "warn", "info", "debug"]],
] as const)("at level %s no line is written that is less grave", (level, expected) => {
  const calls: Call[] = [
    ["error", "error"],
    ["warn", "warn"],
    ["info", "info"],
    ["debug", "debug"],
  ];
  const lines = written("json", calls, level).filter((line) => line !== "");
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(expected);
});

/** What a label, a name, or the text of a foreign error may hold. */
const HOSTILE = {
  "a line break": "web\n2026-01-01T00:00:00.000Z error owned",
  "a carriage return": "web\rowned",
  "an escape sequence": "web\u001b[2J\u001b[31mowned",
  "a C1 control sequence": "web\u009b2Jowned",
  "a Unicode line separator": "web\u2028owned\u2029",
  "a bidirectional override": "web\u202eowned",
  "a NUL and a DEL": "web\u0000\u007fowned",
  quotes: `web" level="error' \\`,
  "format directives": "web %s %d %j %o",
};

const MESSAGE = "Route 53 refuses the record: ";
const calls = Object.values(HOSTILE).flatMap((text): readonly Call[] => [
  ["warn", "skipped", { name: text }],
  ["warn", `${MESSAGE}${text}`, { record: "web.example.internal" }],
]);
const asText = written("text", calls);
const asJson = written("json", calls);

/** Neither ends the line, nor moves the cursor, nor turns the reading direction. */
const ONE_LINE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u;

describe.each(Object.keys(HOSTILE).map((what, index) => [what, 2 * index] as const))(
  "%s",
  (what, at) => {
    const hostile = HOSTILE[what as keyof typeof HOSTILE];

    it("in a value stays on one line of text", () => {
      expect(asText[at]).toMatch(ONE_LINE);
    });

    it("in a message stays on one line of text", () => {
      expect(asText[at + 1]).toMatch(ONE_LINE);
    });

    it("in a message takes no field away", () => {
      expect(asText[at + 1]).toContain(" record=web.example.internal\n");
    });

    it("stays in one object of JSON, and is whole again when that is read", () => {
      for (const line of [asJson[at], asJson[at + 1]]) expect(line?.match(/\n/g)).toHaveLength(1);
      expect(JSON.parse(asJson[at] ?? "")).toMatchObject({ message: "skipped", name: hostile });
      expect(JSON.parse(asJson[at + 1] ?? "")).toMatchObject({
        message: `${MESSAGE}${hostile}`,
        record: "web.example.internal",
      });
    });
  },
);
