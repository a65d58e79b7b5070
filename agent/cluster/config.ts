import * as z from "zod";
import { commandFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, onOff, wholeNumber } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { type Act, acts, confirmation } from "./words.ts";

const text = (
  flag: Pick<Flag<string | undefined>, "help"> & {
    readonly takes: string;
    readonly environment: readonly string[];
  },
): Flag<string | undefined> => ({
  ...flag,
  optional: true,
  expected: "a text",
  schema: z.string().min(1),
});

/** A flag that may stand alone, and that a value or one of the words above may follow. */
export interface Given<T> {
  readonly value: T;
  /** The word that followed it. */
  readonly word?: Act;
}

const isAct = (word: string): word is Act => (acts as readonly string[]).includes(word);

const confirm: Flag<Given<boolean>> = {
  takes: "true",
  help: "destroy what destroy shows; CONFIRM=true and CONFIRM=yes do the same",
  expected: "true or yes",
  environment: ["CONFIRM"],
  byDefault: "false",
  schema: z.string().transform((given, context): Given<boolean> => {
    if (isAct(given)) return { value: true, word: given };
    const meaning = confirmation(given);
    if (meaning === undefined) context.addIssue("no confirmation");
    return { value: meaning ?? false };
  }),
};

const DEFAULT_WAIT = 600;
const MAX_WAIT = 86_400;
const wait: Flag<Given<number>> = {
  takes: "seconds",
  help: `after apply, wait for every service to be steady: for so long at most, ${DEFAULT_WAIT} where no number follows; 0 does not wait`,
  expected: `a whole number from 0 to ${MAX_WAIT}, or nothing`,
  byDefault: "0",
  schema: z.string().transform((given, context): Given<number> => {
    if (isAct(given)) return { value: DEFAULT_WAIT, word: given };
    if (given === "" || given === "true") return { value: DEFAULT_WAIT };
    const seconds = /^\d{1,6}$/.test(given) ? Number(given) : Number.NaN;
    if (!(seconds <= MAX_WAIT)) context.addIssue("no time");
    return { value: seconds };
  }),
};

export const flags = {
  folder: {
    takes: "path",
    byDefault: ".",
    help: "the folder of files",
    expected: "a path",
    schema: z.string().min(1),
  } satisfies Flag<string>,
  project: text({
    takes: "name",
    environment: ["PROJECT"],
    help: "what the folder is called in tags, its own name when not given",
  }),
  prefix: text({
    takes: "name",
    environment: ["PREFIX"],
    help: "what everything's name begins with, <folder>-<user>-sandbox when not given",
  }),
  cluster: text({
    takes: "name",
    environment: ["CLUSTER"],
    help: "the ECS cluster, <prefix>-cluster when not given",
  }),
  taskPrefix: text({
    takes: "text",
    environment: ["TASK_PREFIX"],
    help: "what the families' names begin with, <prefix>- when not given",
  }),
  imagePrefix: text({
    takes: "text",
    environment: ["IMAGE_PREFIX"],
    help: "for IMAGE_PREFIX in templates",
  }),
  registryBase: text({
    takes: "host",
    environment: ["REGISTRY_BASE"],
    help: "for REGISTRY_BASE in templates",
  }),
  profile: text({
    takes: "name",
    environment: ["PROFILE"],
    help: "the profile of the AWS configuration; sandbox, as in the original, where there is one and no other credentials are set",
  }),
  confirm,
  wait,
  rollback: onOff({
    help: "with --wait: a service that fails or does not settle goes back to the revision it ran",
  }),
  recreate: onOff({
    help: "a service whose create-only members changed is drained, deleted and made anew",
  }),
  prune: onOff({
    help: "remove services and task definitions of this folder whose files are gone",
  }),
  adopt: onOff({
    help: "take over stacks, task definitions and services that are there under the folder's names, such as the original's",
  }),
  deleteData: onOff({
    help: "destroy deletes the file system with all data as well, and apply may replace it",
  }),
  keep: wholeNumber({
    takes: "number",
    min: 1,
    max: 1_000,
    byDefault: 3,
    help: "how many revisions of a task definition cleanup keeps",
  }),
  patience: { ...hostFlags.patience, help: "how long AWS may stay unavailable" },
  ...commandFlags,
};

export type ClusterConfig = ConfigOf<typeof flags> & { readonly words: readonly string[] };

export const examples = [
  ["cluster", "show what the files of this folder would change"],
  ["cluster apply --wait", "change it, and see every service running"],
  ["cluster destroy --confirm", "take it down; the file system stays"],
] as const;
