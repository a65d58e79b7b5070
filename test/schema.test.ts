import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import * as z from "zod";
import { DoctorReport } from "../agent/doctor/report.ts";
import { State } from "../agent/host/state.ts";
import { ModeState } from "../agent/page/view.ts";

const fileOf = (name: string) => new URL(`../docs/schema/${name}.json`, import.meta.url);

test.each([
  ["discover-state", State, "GET /v1/state of discover, and its status --json"],
  ["doctor", DoctorReport, "doctor --json, of every mode"],
  ["mode-state", ModeState, "GET /v1/state of every other mode"],
] as const)(
  "docs/schema/%s.json says what the code holds to (UPDATE_SCHEMA=1 writes it)",
  (name, schema, title) => {
    const text = `${JSON.stringify({ title, ...z.toJSONSchema(schema) }, null, 2)}\n`;
    if (process.env["UPDATE_SCHEMA"] === "1") writeFileSync(fileOf(name), text);
    expect(existsSync(fileOf(name)) && readFileSync(fileOf(name), "utf8")).toBe(text);
  },
);
