import * as z from "zod";
import { columns, line, type Piece, print, printJson } from "../cli/terminal.ts";
import type { Answer } from "../process/supervise.ts";
import { type Finding, verdicts } from "./finding.ts";

/** The form of `--json`. */
export const DoctorReport = z.object({
  schemaVersion: z.literal(1),
  ok: z.boolean().describe("false when a finding has the verdict fail"),
  findings: z.array(
    z.object({
      check: z.string(),
      verdict: z.enum(verdicts),
      what: z.string(),
      todo: z.string().optional().describe("what to do; an ok needs none"),
    }),
  ),
});

const STYLES = { ok: "green", warn: "yellow", fail: "red", skip: "dim" } as const;

/** Prints what was found. The exit code is 0 when nothing failed, 1 when something did. */
export async function answer(
  findings: readonly Finding[],
  { json }: { readonly json: boolean },
): Promise<Answer> {
  const failed = findings.filter(({ verdict }) => verdict === "fail").length;
  const report: z.infer<typeof DoctorReport> = {
    schemaVersion: 1,
    ok: failed === 0,
    findings: [...findings],
  };
  await (json ? printJson(report) : print(textOf(findings)));
  return failed === 0
    ? { code: 0, why: "nothing failed" }
    : { code: 1, why: `${failed} of ${findings.length} checks failed` };
}

/** A line for each finding, and below it what to do. */
function textOf(findings: readonly Finding[]): readonly string[] {
  const rows = columns(
    findings.map(({ check, verdict, what }): readonly Piece[] => [
      { text: verdict, style: STYLES[verdict] },
      check,
      what,
    ]),
  );
  return findings.flatMap(({ todo, verdict }, at) => [
    // What was not tried needs one line: its cause is told above it.
    verdict === "skip" && todo !== undefined ? `${rows[at]}: ${line(todo)}` : (rows[at] ?? ""),
    ...(todo === undefined || verdict === "skip" ? [] : [line(`      -> ${todo}`)]),
  ]);
}
