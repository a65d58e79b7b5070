import { causes } from "../../lib/kit/failure.ts";
import { get } from "../../lib/kit/io/http-json.ts";
import { line, print, printJson } from "../cli/terminal.ts";
import type { Answer } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { StatusConfig } from "./config.ts";

const REQUEST_LIMIT_MS = 3_000;

/** An address to listen at on every interface is no address to ask. */
const ASKED_INSTEAD: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Asks the running agent how it is, and shows it. Ends with 0 when it is well. */
export async function status(
  config: StatusConfig,
  { stop }: Pick<Surroundings, "stop">,
): Promise<Answer> {
  const { statusAddress } = config;
  if (statusAddress === undefined) {
    const why = "not known: the status server is switched off (--statusAddress=off)";
    await (config.json ? printJson({ ok: null, problems: [why] }) : print([line(why)]));
    // A health check must not end an agent for what an operator has switched off.
    return { code: config.health ? 0 : 1, why };
  }
  const host = ASKED_INSTEAD[statusAddress.host] ?? statusAddress.host;
  const origin = `http://${host.includes(":") ? `[${host}]` : host}:${statusAddress.port}`;
  const asked = await ask(`${origin}${config.health ? "/healthz" : "/v1/state"}`);
  stop.signal.throwIfAborted();
  if ("problem" in asked) {
    await (config.json
      ? printJson({ ok: false, problems: [asked.problem] })
      : print([line({ text: "not reachable", style: "red" }, `: ${asked.problem}`)]));
    return { code: 1, why: "not reachable" };
  }
  return config.health ? sayHealth(asked.json, config.json) : sayState(asked.json, config.json);
}

async function ask(
  url: string,
): Promise<{ readonly json: unknown } | { readonly problem: string }> {
  try {
    const { status, body } = await get(url, REQUEST_LIMIT_MS);
    try {
      return { json: JSON.parse(body) };
    } catch {
      return { problem: `${url} answered with status ${status} and no JSON: is that an agent?` };
    }
  } catch (error) {
    return { problem: `${url}: ${causes(error)}: is an agent running, and is that its address?` };
  }
}

/** Reads no more than it must: a container's health check is started often. */
async function sayHealth(answer: unknown, json: boolean): Promise<Answer> {
  const { ok, problems = [] } = (answer ?? {}) as { ok?: unknown; problems?: readonly unknown[] };
  const isWell = ok === true;
  const reasons = Array.isArray(problems) ? problems.map(String).join("; ") : "";
  const why = isWell ? "healthy" : `not healthy: ${reasons || "it does not say why"}`;
  await (json ? printJson(answer) : print([line(why)]));
  return { code: isWell ? 0 : 1, why: isWell ? "healthy" : "not healthy" };
}

async function sayState(answer: unknown, json: boolean): Promise<Answer> {
  const read = await readState(answer);
  if ("problem" in read) {
    const problem = `the agent's answer is of another form: ${read.problem}`;
    await (json
      ? printJson({ ok: false, problems: [problem] })
      : print([line({ text: "not readable", style: "red" }, `: ${problem}`)]));
    return { code: 1, why: "not readable" };
  }
  await (json ? printJson(answer) : print(read.text));
  return read.ok ? { code: 0, why: "healthy" } : { code: 1, why: "not healthy" };
}

/** The state of any mode, as text. The state of discover is older, and has a form of its own. */
async function readState(
  answer: unknown,
): Promise<
  { readonly ok: boolean; readonly text: readonly string[] } | { readonly problem: string }
> {
  const { shapeProblem } = await import("../../lib/kit/io/shape.ts");
  if (typeof answer === "object" && answer !== null && "schema" in answer) {
    const [{ ModeState }, { modeText }] = await Promise.all([
      import("../page/view.ts"),
      import("./mode-text.ts"),
    ]);
    const { data, error } = ModeState.safeParse(answer);
    return data === undefined
      ? { problem: shapeProblem(error) }
      : { ok: data.health.ok, text: modeText(data) };
  }
  const [{ State }, { textOf }] = await Promise.all([
    import("../host/state.ts"),
    import("./text.ts"),
  ]);
  const { data, error } = State.safeParse(answer);
  return data === undefined
    ? { problem: shapeProblem(error) }
    : { ok: data.health.ok, text: textOf(data) };
}
