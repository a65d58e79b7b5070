import type { Login } from "./login-lines.ts";

type SecretLogin = Extract<Login["how"], { kind: "secret" }>;

/**
 * The user and password that a secret holds: its text as it is, the named member of a secret that is JSON, or `username`
 * and `password` as ECS and Secrets Manager themselves write them. A problem never quotes the secret.
 */
export function credentialsIn(
  text: string,
  { user, member }: SecretLogin,
): { readonly user: string; readonly password: string } | { readonly problem: string } {
  const members = membersOf(text);
  const named = member ?? (members["password"] === undefined ? undefined : "password");
  const password = named === undefined ? text : members[named];
  const who = user ?? members["username"];
  if (password === undefined || password === "") {
    return { problem: `the secret has no member ${named ?? "password"} that is a text` };
  }
  if (who === undefined || who === "" || who.includes(":")) {
    return { problem: "expected a user: -u on the line, or username in the secret" };
  }
  return { user: who, password };
}

function membersOf(text: string): Readonly<Record<string, string>> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) return {};
  return Object.fromEntries(
    Object.entries(content).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );
}
