import { userInfo } from "node:os";
import { basename, resolve } from "node:path";
import { VARIABLE_NAMES, type Variables } from "../../lib/cloud/variables.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import { line, print, printJson } from "../cli/terminal.ts";
import type { Answer } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { cleanup, drain, info, infoText, templates } from "./acts.ts";
import { apply, sentences } from "./apply.ts";
import type { ClusterConfig } from "./config.ts";
import { destroy, isEmpty, lookAtRuin } from "./destroy.ts";
import { type Folder, readFolder } from "./folder.ts";
import { look } from "./look.ts";
import { type ClusterEdges, type Session, session, systemEdges } from "./session.ts";
import { differencesIn, planJson, planText, refusalsIn, ruinText } from "./text.ts";
import { type Act, askedBy, confirmation } from "./words.ts";

/** Does with the files of a folder what it is asked to, and answers with an exit code: of plan, 3 when there is a difference. */
export async function cluster(
  config: ClusterConfig,
  surroundings: Surroundings,
  edgesOf: (
    folder: Folder,
    env: Surroundings["env"],
  ) => ClusterEdges & Partial<Disposable> = systemEdges,
): Promise<Answer> {
  const { act, service, given } = askedOf(config);
  const say = (text: string) =>
    config.json ? Promise.resolve(surroundings.log.info(text)) : print([line(text)]);
  const path = resolve(config.folder);
  if (act === "templates") {
    const written = await templates(path, say);
    if (config.json) await printJson({ schemaVersion: 1, written });
    return { code: 0, why: `${written.length} files written` };
  }
  const user = surroundings.env["USER"] || userInfo().username;
  const folder = await readFolder(path, { given, user, base: basename(path) });
  if ("problems" in folder) return refuse(config, sentences(folder.problems));
  const edges = edgesOf(folder, surroundings.env);
  try {
    return await acting(session({ config, surroundings, folder, edges, say }), act, service);
  } finally {
    edges[Symbol.dispose]?.();
  }
}

async function acting(all: Session, act: Act, service: string | undefined): Promise<Answer> {
  const { config } = all;
  switch (act) {
    case "info": {
      const found = await info(all);
      await (config.json ? printJson(found) : print(infoText(found)));
      return { code: 0, why: "shown" };
    }
    case "drain":
      await drain(all, service);
      if (config.json) await printJson({ schemaVersion: 1, drained: service });
      return { code: 0, why: "drained" };
    case "cleanup": {
      const deregistered = await cleanup(all);
      if (config.json) await printJson({ schemaVersion: 1, deregistered });
      return { code: 0, why: "cleaned up" };
    }
    case "destroy":
      return takeDown(all);
    default:
      return planned(all, act === "apply");
  }
}

/** Shows the plan, and, where it is asked to, does what it says. */
async function planned(all: Session, doIt: boolean): Promise<Answer> {
  const { config } = all;
  const plan = await look(all);
  if ("problems" in plan) return refuse(config, sentences(plan.problems));
  const changes = differencesIn(plan);
  const refusals = refusalsIn(plan);
  if (!config.json) await print(planText(plan, config));
  if (config.json && (!doIt || refusals.length > 0)) await printJson(planJson(plan));
  if (refusals.length > 0) {
    throw new Fatal(`${doIt ? "nothing was applied: " : ""}${refusals.join("; ")}`);
  }
  if (!doIt) {
    return changes === 0
      ? { code: 0, why: "nothing to do" }
      : { code: 3, why: `${changes} to change` };
  }
  const applied = await apply(all, plan);
  if (config.json) await printJson({ schemaVersion: 1, plan: planJson(plan), applied });
  if (applied.problems.length > 0) throw new Fatal(applied.problems.join("; "));
  return { code: 0, why: changes === 0 ? "nothing to do" : "applied" };
}

/** Shows what goes; takes it down when that is confirmed. */
async function takeDown(all: Session): Promise<Answer> {
  const { config, folder, say } = all;
  const ruin = await lookAtRuin(all);
  const confirmed = config.confirm.value || confirmation(folder.confirm ?? "false") === true;
  if (!config.json) await print(ruinText(ruin));
  if (config.json) {
    const { services, stacks, ...rest } = ruin;
    const named = {
      services: services.map(({ name }) => name),
      stacks: stacks.map(({ name }) => name),
    };
    await printJson({ schemaVersion: 1, confirmed, ...rest, ...named });
  }
  if (ruin.refused.length > 0) throw new Fatal(`nothing was destroyed: ${ruin.refused.join("; ")}`);
  if (isEmpty(ruin)) {
    await say("nothing to destroy");
    return { code: 0, why: "nothing to destroy" };
  }
  if (!confirmed) {
    await say("nothing was destroyed: --confirm (or CONFIRM=true) does it");
    return { code: 3, why: "not confirmed" };
  }
  await destroy(all, ruin);
  return { code: 0, why: "destroyed" };
}

async function refuse({ json }: ClusterConfig, problems: readonly string[]): Promise<Answer> {
  if (json) await printJson({ schemaVersion: 1, problems });
  else await print(problems.map((problem) => line(problem)));
  throw new Fatal(
    problems.length === 1
      ? (problems[0] ?? "")
      : `${problems.length} problems, nothing was applied: ${problems.join("; ")}`,
  );
}

/** What flags and words ask for; a word wins over a flag. */
function askedOf(config: ClusterConfig) {
  const { act, service, variables } = askedBy(config.words);
  const flags: Partial<Record<keyof Variables, string>> = {};
  for (const name of VARIABLE_NAMES) {
    const flag = name.toLowerCase().replace(/_[a-z]/g, (letter) => letter.slice(1).toUpperCase());
    const value: unknown = config[flag as keyof ClusterConfig];
    if (typeof value === "string") flags[name] = value;
  }
  // A flag that may stand alone takes the word behind it for its value.
  const swallowed = config.confirm.word ?? config.wait.word;
  return { act: act ?? swallowed ?? "plan", service, given: { ...flags, ...variables } };
}
