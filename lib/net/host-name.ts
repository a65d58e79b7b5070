/** RFC 1035 2.3.4, as text. */
const MAX_LABEL = 63;
const MAX_NAME = 253;

/** What is wrong with a full name in lower case; undefined when nothing is. */
export function nameProblem(name: string): string | undefined {
  if (name.length > MAX_NAME) return `expected at most ${MAX_NAME} characters`;
  const labels = (name.startsWith("*.") ? name.slice(2) : name).split(".");
  if (labels.some((label) => label === "")) return "expected a name without empty parts";
  if (labels.some((label) => label.length > MAX_LABEL)) {
    return `expected at most ${MAX_LABEL} characters between dots`;
  }
  if (!labels.every((label) => /^[a-z0-9_-]+$/.test(label))) {
    return "expected letters, digits, hyphens and dots, or *. and those";
  }
  if (labels.some((label) => label.startsWith("-") || label.endsWith("-"))) {
    return "expected no hyphen at the start or the end of a part";
  }
  return undefined;
}
