/** One login that a file asks for. It never holds more of the line than it needs. */
export interface Login {
  /** As Docker's configuration calls it: Docker Hub is `https://index.docker.io/v1/`. */
  readonly registry: string;
  readonly how:
    | { readonly kind: "password"; readonly user: string; readonly password: string }
    /** In Secrets Manager; where no user is given, the secret has one. */
    | {
        readonly kind: "secret";
        readonly user?: string;
        readonly arn: string;
        /** The member of a secret that is JSON. */
        readonly member?: string;
      }
    | { readonly kind: "ecr"; readonly account: string; readonly region: string };
}

/** A line and what it asks for, or why it can't be read; the text of a line is never told, for it holds passwords. */
export type LoginLine = { readonly line: number } & (
  | { readonly login: Login }
  | { readonly problem: string }
);

const HUB = "https://index.docker.io/v1/";
const HUB_NAMES = ["", "docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com"];

/**
 * Lines of `docker login` words, as a shell would take them apart: quotes, backslashes, and a number sign that begins a
 * word begins a comment. A number sign inside a word or quotes is one, because passwords have them.
 */
export function parseLogins(text: string): readonly LoginLine[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .flatMap((one, index): readonly LoginLine[] => {
      const line = index + 1;
      const words = wordsOf(one);
      if (typeof words === "string") return [{ line, problem: words }];
      if (words.length === 0) return [];
      const login = loginOf(words);
      return [typeof login === "string" ? { line, problem: login } : { line, login }];
    });
}

/** The words of a line; a text says what is wrong with it. */
function wordsOf(line: string): readonly string[] | string {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const sign = line[at] ?? "";
    if (quote !== undefined) {
      if (sign === quote) quote = undefined;
      // Between double quotes a backslash makes only these plain (POSIX, Shell Command Language, 2.2.3).
      else if (sign === "\\" && quote === '"' && /["\\$`]/.test(line[at + 1] ?? "")) {
        at += 1;
        word += line[at] ?? "";
      } else word += sign;
    } else if (sign === " " || sign === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (sign === "#" && word === undefined) {
      break;
    } else if (sign === "'" || sign === '"') {
      quote = sign;
      word ??= "";
    } else if (sign === "\\") {
      at += 1;
      if (at >= line.length) return "expected something after the backslash at the line's end";
      word = (word ?? "") + (line[at] ?? "");
    } else {
      word = (word ?? "") + sign;
    }
  }
  if (quote !== undefined) return "expected a closing quote";
  if (word !== undefined) words.push(word);
  return words;
}

/** Name by how it is written; a short flag's value may follow it at once. */
const FLAGS: Readonly<Record<string, "user" | "password" | "email" | "secret">> = {
  "-u": "user",
  "--username": "user",
  "-p": "password",
  "--password": "password",
  "-e": "email",
  "--email": "email",
  "--password-secret": "secret",
};

function loginOf(all: readonly string[]): Login | string {
  const words = [...all];
  if (words[0] === "docker") words.shift();
  if (words[0] === "login") words.shift();
  const given: Partial<Record<"user" | "password" | "email" | "secret", string>> = {};
  const places: string[] = [];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (!word.startsWith("-") || word === "-") {
      places.push(word);
      continue;
    }
    if (word === "--password-stdin") {
      return "--password-stdin has nothing to read from: expected -p, or --password-secret";
    }
    const [, long, value] = /^(--[a-z-]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    const flag = long ?? word.slice(0, 2);
    const name = FLAGS[flag];
    if (name === undefined) return "expected only -u, -p, -e and --password-secret as flags";
    // A short flag's value may follow it at once, with an equals sign or without.
    const here = long === undefined ? word.slice(2).replace(/^=/, "") || undefined : value;
    const text = here ?? words.shift();
    if (text === undefined) return `expected a value after ${flag}`;
    given[name] = text;
  }
  if (places.length > 1) return "expected one registry at most, after the flags";
  return howOf(given, places[0] ?? "");
}

const SECRET =
  /^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+)(?:#(.+))?$/;
const ECR =
  /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$/;

function howOf(
  given: Partial<Record<"user" | "password" | "email" | "secret", string>>,
  place: string,
): Login | string {
  const registry = registryOf(place);
  if (registry === undefined) return "expected a registry such as quay.io or host:5000";
  const { user, password, secret } = given;
  const [, account, region] = ECR.exec(registry) ?? [];
  if (password === undefined && secret === undefined) {
    if (account !== undefined && region !== undefined) {
      return { registry, how: { kind: "ecr", account, region } };
    }
    return "expected a password (-p) or a secret (--password-secret); only ECR needs none";
  }
  if (password !== undefined && secret !== undefined) {
    return "expected a password or a secret, not both";
  }
  // Nobody's password is the name of a secret.
  const reference = secret ?? (SECRET.test(password ?? "") ? password : undefined);
  if (reference !== undefined) {
    const [, arn, member] = SECRET.exec(reference) ?? [];
    if (arn === undefined) return "expected the ARN of a secret after --password-secret";
    return {
      registry,
      how: {
        ...{ kind: "secret", arn },
        ...(user !== undefined && { user }),
        ...(member !== undefined && { member }),
      },
    };
  }
  if (user === undefined || user === "") return "expected a user (-u)";
  // Docker keeps them joined by a colon (docker/cli, cli/config/configfile).
  if (user.includes(":")) return "expected a user without a colon";
  if (password === undefined || password === "") return "expected a password (-p)";
  return { registry, how: { kind: "password", user, password } };
}

/** A registry as Docker's configuration calls it: without scheme and path, Docker Hub by its old address. */
function registryOf(place: string): string | undefined {
  const host = place.replace(/^https?:\/\//i, "").replace(/\/.*$/s, "");
  if (HUB_NAMES.includes(host.toLowerCase()) && (host !== "" || place === "")) return HUB;
  return /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/.test(
    host,
  )
    ? host
    : undefined;
}

/** True for a registry that ECS's agent logs in to by itself. */
export const isEcr = (registry: string): boolean => ECR.test(registry);

/** Where a registry's API is: Docker Hub's is not where its logins are kept. */
export const apiHostOf = (registry: string): string =>
  registry === HUB ? "registry-1.docker.io" : registry;
