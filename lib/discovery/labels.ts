import { matchesGlob } from "../kit/glob.ts";
import { quote } from "../kit/quote.ts";
import { serviceName } from "../route53/service-name.ts";

/** The labels of a container that the agent reads. */
export const SERVICE_NAME_LABEL = "discovery.service.name";
const WEIGHT_LABEL = "discovery.service.weight";
const TTL_LABEL = "discovery.service.ttl";
const PORT_LABEL = "discovery.service.port";

const LABELS = [SERVICE_NAME_LABEL, WEIGHT_LABEL, TTL_LABEL, PORT_LABEL];

/** So many names one container may claim: a name of a thousand records is nobody's, and each costs all others requests. */
const MOST_NAMES = 100;
/** Of a label with names: 100 of them, and more, have room. */
const MOST_OF_LABEL = 16_384;

/** True for a label that the agent reads, or that the ECS agent sets. The agent's own may be written in any case. */
export const isReadLabel = (key: string): boolean =>
  key.startsWith("com.amazonaws.ecs.") || LABELS.includes(key.toLowerCase());

/**
 * The label's value, whatever the case its key is written in: Docker keeps the case, and the program that these labels
 * come from did not look at it. The key in lower case goes before all others, of which the first by the alphabet counts.
 */
export function labelOf(labels: ReadonlyMap<string, string>, label: string): string | undefined {
  const [first] = [...labels.keys()].filter((key) => key.toLowerCase() === label).toSorted();
  return labels.get(label) ?? (first === undefined ? undefined : labels.get(first));
}

/** What a container's labels ask for. */
export interface LabelRequest {
  /** Record names, each once. */
  readonly names: readonly string[];
  /** Why names that were asked for, too, are not among them. */
  readonly problems: readonly string[];
  readonly weight?: number;
  readonly ttlSeconds?: number;
  /** The container port that an SRV record is to name. */
  readonly port?: number;
}

export interface LabelRules {
  readonly zoneName: string;
  /** Globs; a service name that none of them matches can't be claimed. Matched before the zone is added. */
  readonly allowedNames: readonly string[];
}

/**
 * Reads the labels: several names are separated by commas. Each bad name is a problem of its own; undefined names and a
 * bad weight, TTL or port are a problem of the whole container.
 */
export function readLabels(
  labels: ReadonlyMap<string, string>,
  rules: LabelRules,
):
  | { readonly ok: true; readonly asked: LabelRequest }
  | { readonly ok: false; readonly reason: "bad-name" | "bad-label"; readonly problem: string } {
  const names = new Set<string>();
  const problems: string[] = [];
  const label = labelOf(labels, SERVICE_NAME_LABEL) ?? "";
  const bound = boundProblem(label);
  if (bound !== undefined) {
    return { ok: false, reason: "bad-label", problem: `label ${SERVICE_NAME_LABEL}: ${bound}` };
  }
  for (const text of label.split(",")) {
    const problem = addName(names, text.trim(), rules);
    if (problem !== undefined) problems.push(`label ${SERVICE_NAME_LABEL}: ${problem}`);
  }
  const weight = wholeNumber(labels, WEIGHT_LABEL, 255);
  const ttl = wholeNumber(labels, TTL_LABEL, 2_147_483_647);
  const port = wholeNumber(labels, PORT_LABEL, 65_535, 1);
  const bad = [weight, ttl, port].flatMap((number) => number.problem ?? []);
  if (names.size === 0) {
    return { ok: false, reason: "bad-name", problem: [...problems, ...bad].join("; ") };
  }
  if (bad.length > 0) return { ok: false, reason: "bad-label", problem: bad.join("; ") };
  return {
    ok: true,
    asked: {
      names: [...names],
      problems,
      ...(weight.value !== undefined && { weight: weight.value }),
      ...(ttl.value !== undefined && { ttlSeconds: ttl.value }),
      ...(port.value !== undefined && { port: port.value }),
    },
  };
}

function boundProblem(label: string): string | undefined {
  if (label.length > MOST_OF_LABEL) {
    return `expected at most ${MOST_OF_LABEL} characters, got ${label.length} or more`;
  }
  const count = label.split(",").length;
  return count > MOST_NAMES ? `expected at most ${MOST_NAMES} names, got ${count}` : undefined;
}

function addName(names: Set<string>, text: string, rules: LabelRules): string | undefined {
  const check = serviceName(text, rules.zoneName);
  if (!check.ok) return check.problem;
  const service = text.toLowerCase();
  if (!rules.allowedNames.some((glob) => matchesGlob(glob, service))) {
    return `expected a name that --allowedNames allows (${rules.allowedNames.join(",")}), got ${quote(text)}`;
  }
  names.add(check.name);
  return undefined;
}

function wholeNumber(
  labels: ReadonlyMap<string, string>,
  label: string,
  max: number,
  min = 0,
): { readonly value?: number; readonly problem?: string } {
  const text = labelOf(labels, label);
  if (text === undefined) return {};
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max
    ? { value }
    : {
        problem: `label ${label}: expected a whole number from ${min} to ${max}, got ${quote(text)}`,
      };
}
