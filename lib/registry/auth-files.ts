/** What a registry asks for, as Docker keeps it: `user:password` in base64. */
export type Auths = ReadonlyMap<string, string>;

export const authOf = (user: string, password: string): string =>
  Buffer.from(`${user}:${password}`, "utf8").toString("base64");

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Docker's config.json with our logins in it; everything else in it stays, logins of others too. */
export function mergeDockerConfig(
  text: string | undefined,
  { set, remove }: { readonly set: Auths; readonly remove: ReadonlySet<string> },
):
  | { readonly text: string; readonly auths: Auths; readonly notes: readonly string[] }
  | { readonly problem: string } {
  let config: unknown = {};
  try {
    if (text !== undefined && text.trim() !== "") config = JSON.parse(text);
  } catch {
    // The parser's own message may quote a login.
    return { problem: "expected JSON in Docker's config.json: mend it, or remove it" };
  }
  if (!isObject(config) || !(config["auths"] === undefined || isObject(config["auths"]))) {
    return {
      problem: "expected an object with auths in Docker's config.json: mend it, or remove it",
    };
  }
  const before = isObject(config["auths"]) ? config["auths"] : {};
  const entries = new Map<string, unknown>(
    Object.entries(before).filter(([registry]) => !remove.has(registry)),
  );
  for (const [registry, auth] of set) {
    const old = entries.get(registry);
    // Tokens of an earlier login would win over it.
    const { identitytoken: _, registrytoken: __, ...kept } = isObject(old) ? old : {};
    entries.set(registry, { ...kept, auth });
  }
  const merged = { ...config, auths: Object.fromEntries(entries) };
  const helpers = isObject(config["credHelpers"]) ? config["credHelpers"] : {};
  const store = config["credsStore"];
  const notes = [
    ...(typeof store === "string" && store !== "" && set.size > 0
      ? ["config.json has a credsStore, which wins over every login written here"]
      : []),
    ...[...set.keys()]
      .filter((registry) => Object.hasOwn(helpers, registry))
      .map((registry) => `config.json has a credHelper for ${registry}, which wins over its login`),
  ];
  const unchanged = text !== undefined && sameContent(config, merged);
  return {
    text: unchanged ? text : `${JSON.stringify(merged, undefined, "\t")}\n`,
    auths: new Map(
      [...entries].flatMap(([registry, entry]) =>
        isObject(entry) && typeof entry["auth"] === "string" && entry["auth"] !== ""
          ? [[registry, entry["auth"]] as const]
          : [],
      ),
    ),
    notes,
  };
}

const sameContent = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const OURS = /^\s*(?:export\s+)?ECS_ENGINE_AUTH_(?:TYPE|DATA)\s*=/;

/**
 * The ECS agent's ecs.config with these logins as its own two variables; every other line stays as it is. The data is the
 * inner object of Docker's auths, in one line (amazon-ecs-agent, agent/engine/dockerauth).
 */
export function mergeEcsConfig(text: string | undefined, auths: Auths): string {
  const ends = text?.includes("\r\n") ? "\r\n" : "\n";
  const others = (text ?? "").split(/\r?\n/).filter((line) => !OURS.test(line));
  while (others.at(-1) === "") others.pop();
  const data = Object.fromEntries(
    [...auths]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([registry, auth]) => [registry, { auth }]),
  );
  const ours =
    auths.size === 0
      ? []
      : ["ECS_ENGINE_AUTH_TYPE=dockercfg", `ECS_ENGINE_AUTH_DATA=${JSON.stringify(data)}`];
  const lines = [...others, ...ours];
  return lines.length === 0 ? "" : lines.map((line) => `${line}${ends}`).join("");
}
