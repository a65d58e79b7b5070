import { spawnSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type logFormats, logLevels } from "../../agent/process/log.ts";
import { cases, FUZZ_LIMIT_MS } from "./cases.ts";
import { hostileText } from "./hostile.ts";

/** Writes what it is given, and after each call a line that no call can give. */
const PROGRAM = `
  import { readFileSync } from "node:fs";
  import { createLog } from ${JSON.stringify(new URL("../../agent/process/log.ts", import.meta.url).href)};
  const { format, calls } = JSON.parse(readFileSync(0, "utf8"));
  const texts = [];
  const write = process.stdout.write.bind(process.stdout);
  let text = "";
  process.stdout.write = (chunk) => { text += chunk; return true; };
  const log = createLog({ level: "debug", format });
  for (const { level, message, fields } of calls) {
    text = "";
    log[level](message, fields);
    texts.push(text);
  }
  write(JSON.stringify(texts));
`;

const call = fc.record({
  level: fc.constantFrom(...logLevels),
  message: hostileText,
  fields: fc.record({ name: hostileText, cause: hostileText, retryInMs: fc.nat() }),
});

function written(format: (typeof logFormats)[number], calls: readonly unknown[]) {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", PROGRAM],
    { input: JSON.stringify({ format, calls }), encoding: "utf8", maxBuffer: 2 ** 30 },
  );
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return JSON.parse(stdout) as string[];
}

describe.each(["text", "json"] as const)("a log line as %s", (format) => {
  test(
    "is one line, and leads no terminal, whatever it quotes",
    () => {
      const { numRuns, ...rest } = cases();
      const seed = "seed" in rest ? rest.seed : Date.now() % 2 ** 31;
      const calls = fc.sample(call, { numRuns, seed });
      for (const [index, line] of written(format, calls).entries()) {
        const { level, message, fields } = calls[index] ?? {};
        const told = `FUZZ_SEED=${seed}: ${JSON.stringify({ message, fields })} gave ${JSON.stringify(line)}`;
        if (!/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u.test(line))
          throw new Error(`not one plain line; ${told}`);
        if (format === "text") {
          if (!line.includes(` ${level} `)) throw new Error(`no level; ${told}`);
          if (!line.includes(` retryInMs=${fields?.retryInMs}`))
            throw new Error(`a field is lost; ${told}`);
        } else {
          const read = JSON.parse(line) as Record<string, unknown>;
          if (
            read["message"] !== message ||
            read["name"] !== fields?.name ||
            read["level"] !== level
          ) {
            throw new Error(`it does not read back; ${told}`);
          }
        }
      }
    },
    FUZZ_LIMIT_MS,
  );
});
