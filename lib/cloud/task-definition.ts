import { redact } from "../kit/redact.ts";
import { contentHash, type Difference, differences } from "./content.ts";
import type { JsonObject } from "./json-node.ts";
import { CONTENT_TAG, isOwn, type Ownership, type Tags } from "./tags.ts";

/** A `.taskdef` file, read. */
export interface TaskDefinitionFile {
  /** Without its ending: the name of the service that may run it. */
  readonly name: string;
  readonly file: string;
  readonly family: string;
  /** As the file has it. */
  readonly content: JsonObject;
  readonly hash: string;
  /** AUTOCREATE.SERVICE stands somewhere in it. */
  readonly makesService: boolean;
}

/** The latest active revision of a family, as far as is known. */
export interface Revision {
  readonly family: string;
  readonly arn: string;
  readonly tags: Tags;
  /** Where it was asked for in full. */
  readonly content?: JsonObject;
}

export type TaskDefinitionStep = {
  readonly family: string;
  readonly file?: TaskDefinitionFile;
  readonly latest?: Revision;
  readonly differences?: readonly Difference[];
} & (
  | { readonly action: "register"; readonly why: "new" | "changed" }
  | { readonly action: "keep" }
  | { readonly action: "refuse"; readonly why: string }
  /** Of this folder, and no file of it any more. */
  | { readonly action: "leave" | "deregister" }
);

export const taskDefinitionHash = (content: JsonObject): string => contentHash(content);

/**
 * | latest revision of the family | its content | file    | step                                           |
 * | ----------------------------- | ----------- | ------- | ---------------------------------------------- |
 * | none                          | -           | there   | register                                       |
 * | of this folder                | the file's  | there   | keep                                           |
 * | of this folder                | another     | there   | register                                       |
 * | of somebody else              | -           | there   | refuse, or, where `adopt` says so, register    |
 * | of this folder                | -           | gone    | leave, or, where `prune` says so, deregister   |
 * | of somebody else              | -           | gone    | no step                                        |
 */
export function planTaskDefinitions(
  files: readonly TaskDefinitionFile[],
  latest: ReadonlyMap<string, Revision>,
  {
    owner,
    adopt,
    prune,
  }: { readonly owner: Ownership; readonly adopt: boolean; readonly prune: boolean },
): readonly TaskDefinitionStep[] {
  const steps = files.map((file): TaskDefinitionStep => {
    const { family } = file;
    const revision = latest.get(family);
    if (revision === undefined) return { family, file, action: "register", why: "new" };
    const own = isOwn(revision.tags, owner);
    const known = { family, file, latest: revision };
    if (!own && !adopt) {
      return {
        ...known,
        action: "refuse",
        why: `task definition ${family} is not of this folder and prefix: name the file otherwise, or take it over with --adopt`,
      };
    }
    if (own && revision.tags.get(CONTENT_TAG) === file.hash) return { ...known, action: "keep" };
    return {
      ...known,
      action: "register",
      why: "changed",
      ...(revision.content && { differences: shownDifferences(revision.content, file.content) }),
    };
  });
  const wanted = new Set(files.map(({ family }) => family));
  const left = [...latest.values()]
    .filter(({ family, tags }) => !wanted.has(family) && isOwn(tags, owner))
    .map(
      (revision): TaskDefinitionStep => ({
        family: revision.family,
        latest: revision,
        action: prune ? "deregister" : "leave",
      }),
    );
  return [...steps, ...left];
}

/** Of an environment or a log driver's options, these are never shown. */
const SECRET_PATH =
  /\[[^\]]*(?:pass|secret|token|key|cred|auth)[^\]]*\]|(?:pass|secret|token|apikey)/i;

/** The differences as they may be shown: what looks like a secret is hidden, whatever it was and is. */
export const shownDifferences = (live: unknown, asked: unknown): readonly Difference[] =>
  differences(live, asked, { covers: true })
    .filter(({ path }) => path !== "tags" && !path.startsWith("tags["))
    .map(({ path, before, after }) => {
      const hide = SECRET_PATH.test(path);
      const safe = (text: string | undefined) =>
        text === undefined ? undefined : hide ? "[hidden]" : redact(text);
      return { path, before: safe(before), after: safe(after) };
    });

/** The family of a reference: a family, `family:revision`, or an ARN. */
export const familyOf = (reference: string): string =>
  reference.replace(/^arn:[^/]*\//, "").replace(/:\d+$/, "");

/** The revision's number at the end of an ARN or reference; 0 where there is none. */
export const revisionOf = (reference: string): number =>
  Number(/:(\d+)$/.exec(reference)?.[1] ?? 0);

/**
 * Of all active revisions of the families, those that may go: not among the newest `keep` of their family, and not in use.
 */
export function oldRevisions(
  arns: readonly string[],
  { keep, inUse }: { readonly keep: number; readonly inUse: ReadonlySet<string> },
): readonly string[] {
  return [...Map.groupBy(arns, familyOf).values()].flatMap((family) =>
    family
      .toSorted((a, b) => revisionOf(b) - revisionOf(a))
      .slice(keep)
      .filter((arn) => !inUse.has(arn)),
  );
}
