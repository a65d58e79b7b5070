import { readJson, shownNode } from "../../kit/json-text.ts";
import { expects, type FileProblem, membersOf } from "./members.ts";

/** The original's configuration file. */
export interface Configuration {
  /** A name or an ARN. */
  readonly cluster: string;
  readonly sleepTimeSeconds: number;
}

export type ConfigurationFile =
  | {
      readonly ok: true;
      readonly value: Configuration;
      /** What was passed over or put right. */
      readonly notes: readonly FileProblem[];
    }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

const MEMBERS = ["cluster", "sleepTimeSeconds"];
const DEFAULT_SLEEP = 10;
const LEAST_SLEEP = 1;
const MOST_SLEEP = 86_400;

// A name has at most 255 letters, digits, hyphens and underscores (ECS API reference, CreateCluster).
const CLUSTER = /^(?:arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:cluster\/)?[A-Za-z0-9_-]{1,255}$/;

/**
 * Reads `{"cluster": …, "sleepTimeSeconds": …}`. Without a sleep time it is 10 s, and never less than 1 s: the original
 * took 0, and then asked AWS without a pause.
 */
export function readConfiguration(text: string): ConfigurationFile {
  const json = readJson(text);
  if (!json.ok) {
    const { line, column, expected, got } = json;
    return { ok: false, problems: [{ line, member: `column ${column}`, expected, got }] };
  }
  const { root } = json;
  if (root.kind !== "object") {
    const expected = 'an object such as {"cluster": "prod", "sleepTimeSeconds": 10}';
    return {
      ok: false,
      problems: [{ line: root.line, member: "", expected, got: shownNode(root) }],
    };
  }
  const problems: FileProblem[] = [];
  const members = membersOf(root, "", problems, MEMBERS);
  const cluster = members.must(
    "cluster",
    expects.textLike(CLUSTER, "the name or ARN of an ECS cluster"),
  );
  const asked = members.may(
    "sleepTimeSeconds",
    expects.wholeNumber(Number.MIN_SAFE_INTEGER, MOST_SLEEP),
  );
  const low = asked !== undefined && asked < LEAST_SLEEP;
  if (cluster === undefined || problems.length > 0) {
    return {
      ok: false,
      problems: problems.map((one) =>
        one.member === "sleepTimeSeconds"
          ? { ...one, expected: `a whole number from ${LEAST_SLEEP} to ${MOST_SLEEP}` }
          : one,
      ),
    };
  }
  const notes = [...members.notes()];
  if (low) {
    notes.push({
      line: members.lineOf("sleepTimeSeconds"),
      member: "sleepTimeSeconds",
      expected: `at least ${LEAST_SLEEP}`,
      got: `${asked}; it is taken as ${LEAST_SLEEP}`,
    });
  }
  return {
    ok: true,
    value: {
      cluster,
      sleepTimeSeconds: Math.max(LEAST_SLEEP, asked ?? DEFAULT_SLEEP),
    },
    notes,
  };
}
