import { quote } from "../kit/quote.ts";
import { nameProblem } from "../net/host-name.ts";

const MAX_PATH = 200;

/** A virtual host as a label asks for it. */
export interface HostWord {
  /** Lower case, full; may begin with `*.`. */
  readonly name: string;
  /** Without a slash at its end; "" for all paths. */
  readonly path: string;
}

/**
 * The full name, and the path, that one word of `proxy.host` asks for: `web`, `web.example.com`, `*.example.com`,
 * `web.example.com/api`. A name of fewer than two dots gets `.domain` behind it, where there is a domain. A sentence for
 * a word that can't be served. Underscores are taken, as in the original, though RFC 1123 has none.
 */
export function hostWord(word: string, domain: string): HostWord | string {
  const slash = word.indexOf("/");
  const given = slash === -1 ? word : word.slice(0, slash);
  const path = slash === -1 ? "" : pathWord(word.slice(slash));
  if (typeof path !== "string") return path.problem;
  const plain = given.toLowerCase().replace(/\.$/, "");
  const dots = plain.split(".").length - 1;
  const name = dots < 2 && domain !== "" ? `${plain}.${domain}` : plain;
  const problem = nameProblem(name);
  return problem === undefined ? { name, path } : `${problem}, got ${quote(word)}`;
}

/** The path that `/api/` means: `/api`; `/` is all paths. A problem for a path that can't be matched as it is written. */
export function pathWord(text: string): string | { readonly problem: string } {
  const path = text.replace(/\/+$/, "");
  if (path === "") return "";
  if (path.length > MAX_PATH)
    return { problem: `expected a path of at most ${MAX_PATH} characters` };
  if (/^(?:\/[A-Za-z0-9._-]+)+$/.test(path) && !/\/\.\.?(?:\/|$)/.test(path)) return path;
  return {
    problem: `expected a path such as /api, of letters, digits, . _ and -, got ${quote(text)}`,
  };
}

/** The first label, by which a full name is known for short; undefined where it has none. */
export function shortOf(name: string): string | undefined {
  const [first] = name.split(".", 1);
  return first === name || first === "*" ? undefined : first;
}
