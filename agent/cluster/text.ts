import type { Difference } from "../../lib/cloud/content.ts";
import type { ServiceStep } from "../../lib/cloud/service.ts";
import { dataLoss, type ResourceChange, type StackStep } from "../../lib/cloud/stack.ts";
import type { TaskDefinitionStep } from "../../lib/cloud/task-definition.ts";
import { line, type Piece } from "../cli/terminal.ts";
import { shortOf } from "./apply.ts";
import type { Ruin } from "./destroy.ts";
import type { Plan } from "./look.ts";

const green = (text: string): Piece => ({ text, style: "green" });
const yellow = (text: string): Piece => ({ text, style: "yellow" });
const red = (text: string): Piece => ({ text, style: "red" });

const SIGNS: Readonly<Record<string, Piece>> = {
  create: green("+"),
  register: green("+"),
  update: yellow("~"),
  recreate: red("!"),
  delete: red("-"),
  deregister: red("-"),
  refuse: red("x"),
  busy: yellow("~"),
  leave: " ",
  keep: " ",
};

/** True when apply would do something. */
const isDifference = ({ action }: { readonly action: string }): boolean =>
  !["keep", "leave"].includes(action);

/** How many steps of a plan would change something. */
export const differencesIn = (plan: Plan): number =>
  [...plan.stacks, ...plan.taskDefinitions, ...plan.services].filter(isDifference).length +
  plan.services.filter(needsRecreate).length +
  (plan.newParams === undefined ? 0 : 1);

/** A service that would have to be made anew, and nobody said so. */
const needsRecreate = (step: ServiceStep): boolean =>
  step.action === "keep" && step.createOnly.length > 0;

/** Why the plan can't be applied, each as one sentence. */
export const refusalsIn = (plan: Plan): readonly string[] =>
  [...plan.stacks, ...plan.taskDefinitions, ...plan.services].flatMap((step) =>
    step.action === "refuse" ? [step.why] : [],
  );

/** The plan for people: what would change, piece by piece; what stays as it is only counted. */
export function planText(
  plan: Plan,
  { deleteData }: { readonly deleteData: boolean },
): readonly string[] {
  const kept = (all: readonly { readonly action: string }[]) =>
    all.filter(({ action }) => action === "keep").length;
  const lines = [
    ...plan.stacks.filter(isDifference).flatMap((step) => stackLines(step, deleteData)),
    ...plan.taskDefinitions.filter(({ action }) => action !== "keep").flatMap(taskDefinitionLines),
    ...plan.services
      .filter((step) => step.action !== "keep" || needsRecreate(step))
      .flatMap(serviceLines),
    ...plan.notes.map((note) => line(`note: ${note}`)),
  ];
  const changes = differencesIn(plan);
  const sum =
    `${changes === 0 ? "nothing to do" : `${changes} to change`}; as they should be: ` +
    `${kept(plan.stacks)} stacks, ${kept(plan.taskDefinitions)} task definitions, ${kept(plan.services)} services`;
  return [...lines, line(sum)];
}

const sign = (action: string): Piece => SIGNS[action] ?? " ";

function stackLines(step: StackStep, deleteData: boolean): readonly string[] {
  const head = (text: string) => line(sign(step.action), ` stack ${step.name}: ${text}`);
  switch (step.action) {
    case "keep":
      return [];
    case "busy":
      return [head(`is ${step.live?.status ?? "busy"}; apply waits for it`)];
    case "refuse":
      return [head(step.why)];
    default: {
      const made = step.action === "create";
      const loss = made || deleteData ? undefined : dataLoss(step.name, step.changes);
      return [
        head(made ? `create, ${step.changes.length} resources` : "update"),
        ...differenceLines(step.parameters),
        ...[...step.later].map(([name, from]) => line(`    ${name}: an output of stack ${from}`)),
        ...(step.action === "update" && step.changes.length === 0 && step.later.size > 0
          ? [line("    what it changes is known once the stack before it is there")]
          : []),
        ...step.changes.map(changeLine),
        ...(loss === undefined ? [] : [line(red("    refused: "), loss)]),
      ];
    }
  }
}

function changeLine({ action, id, type, replacement, properties }: ResourceChange): string {
  const mark = action === "Add" ? green("+") : action === "Remove" ? red("-") : yellow("~");
  const what = properties.length === 0 ? "" : `: ${properties.join(", ")}`;
  const replaced =
    replacement === "True"
      ? [red(" is REPLACED")]
      : replacement === "Conditional"
        ? [yellow(" may be replaced")]
        : [];
  return line("    ", mark, ` ${id} ${type}${what}`, ...replaced);
}

function taskDefinitionLines(step: TaskDefinitionStep): readonly string[] {
  const head = (text: string) =>
    line(sign(step.action), ` task definition ${step.family}: ${text}`);
  switch (step.action) {
    case "keep":
      return [];
    case "refuse":
      return [head(step.why)];
    case "leave":
      return [head("its file is gone; it stays unless --prune removes it")];
    case "deregister":
      return [head("its file is gone; deregister and delete every revision")];
    case "register":
      return [
        head(
          step.why === "new"
            ? `register (${step.file?.file})`
            : `register a revision after ${shortOf(step.latest?.arn ?? "")} (${step.file?.file})`,
        ),
        ...differenceLines(step.differences ?? []),
      ];
  }
}

function serviceLines(step: ServiceStep): readonly string[] {
  const head = (text: string) => line(sign(step.action), ` service ${step.name}: ${text}`);
  const only = (differences: readonly Difference[], text: string) =>
    differences.length === 0 ? [] : [line(`    ${text}`), ...differenceLines(differences)];
  const needs = "can't be changed on a service that is there; --recreate makes it anew:";
  switch (step.action) {
    case "refuse":
      return [head(step.why)];
    case "leave":
      return [head("its file is gone; it stays unless --prune removes it")];
    case "delete":
      return [head("its file is gone; drain and delete it")];
    case "create":
      return [
        head(
          `create (${step.file?.file})${step.live?.status === "DRAINING" ? ", once the one that drains is gone" : ""}`,
        ),
        line(`    runs ${step.file?.taskDefinition}`),
      ];
    case "recreate":
      return [head("drain, delete and create anew"), ...differenceLines(step.createOnly)];
    case "update":
      return [
        head(step.onlyTags ? "note that it is as the file says" : "update"),
        ...differenceLines(step.differences),
        ...only(step.createOnly, needs),
      ];
    case "keep":
      return [head("differs"), ...only(step.createOnly, needs)];
  }
}

const differenceLines = (differences: readonly Difference[]): readonly string[] =>
  differences.map(({ path, before, after }) =>
    before === undefined
      ? line(`    ${path}: `, green(shortOf(after ?? "")))
      : line(
          `    ${path}: `,
          red(shortOf(before)),
          " → ",
          after === undefined ? "nothing" : green(shortOf(after)),
        ),
  );

/** What a plan holds, for machines. */
export const planJson = (plan: Plan) => ({
  schemaVersion: 1,
  changes: differencesIn(plan),
  stacks: plan.stacks.map((step) => ({
    ...{ name: step.name, action: step.action },
    ...(step.action === "refuse" && { why: step.why }),
    ...((step.action === "create" || step.action === "update") && {
      changes: step.changes,
      parameters: step.parameters,
      fromEarlierStacks: Object.fromEntries(step.later),
    }),
  })),
  taskDefinitions: plan.taskDefinitions.map((step) => ({
    ...{ family: step.family, action: step.action },
    ...(step.file && { file: step.file.file }),
    ...(step.latest && { latest: step.latest.arn }),
    ...((step.action === "refuse" || step.action === "register") && { why: step.why }),
    ...(step.differences && { differences: step.differences }),
  })),
  services: plan.services.map((step) => ({
    ...{ name: step.name, action: step.action },
    ...(step.file && { file: step.file.file, taskDefinition: step.file.taskDefinition }),
    ...(step.action === "refuse" && { why: step.why }),
    ...(step.action === "update" && { differences: step.differences }),
    ...("createOnly" in step && { createOnly: step.createOnly }),
  })),
  notes: plan.notes,
});

/** What destroy would take, for people. */
export const ruinText = (ruin: Ruin): readonly string[] => [
  ...ruin.services.map(({ name, running }) =>
    line(red("-"), ` service ${name}: drain (${running} running) and delete`),
  ),
  ...ruin.families.map((family) =>
    line(red("-"), ` task definition ${family}: deregister and delete every revision`),
  ),
  ...ruin.stacks.map(({ name, status }) => line(red("-"), ` stack ${name} (${status}): delete`)),
  ...ruin.fileSystems.map((id) => line(red("-"), ` file system ${id}: DELETE WITH ALL DATA`)),
  ...ruin.stays.map((one) => line(`  stays: ${one}`)),
  ...ruin.refused.map((one) => line(red("x"), ` ${one}`)),
];
