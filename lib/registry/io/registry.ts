import { isIP } from "node:net";
import { causes } from "../../kit/failure.ts";
import { apiHostOf } from "../login-lines.ts";

/** What a registry says of a login. */
export type Proof =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "unknown"; readonly why: string };

const LIMIT_MS = 10_000;
const MAX_BODY = 1_048_576;

/**
 * Proves a login against the registry itself, as Docker does: its API's root asks for Basic, or for a token of a realm
 * that takes Basic (distribution specification, "Token Authentication"). `auth` is `user:password` in base64. Plain HTTP is
 * tried on this machine only, as Docker does.
 */
export async function proveLogin(registry: string, auth: string): Promise<Proof> {
  const host = apiHostOf(registry);
  const schemes = isLoopback(host) ? ["https", "http"] : ["https"];
  let last: Proof = { kind: "unknown", why: "not asked" };
  for (const scheme of schemes) {
    last = await prove(`${scheme}://${host}`, auth).catch((error: unknown): Proof => {
      // What failed may name an address, and never a header.
      return { kind: "unknown", why: `no answer at ${scheme}://${host}: ${causes(error)}` };
    });
    if (last.kind !== "unknown") return last;
  }
  return last;
}

async function prove(base: string, auth: string): Promise<Proof> {
  const asked = await ask(`${base}/v2/`);
  if (asked.status === 200) return { kind: "accepted" };
  if (asked.status !== 401) {
    return { kind: "unknown", why: `${base}/v2/ answered with status ${asked.status}` };
  }
  const challenge = challengeOf(asked.challenge);
  if (challenge.scheme === "basic") return verdict(await ask(`${base}/v2/`, auth), base);
  if (challenge.scheme !== "bearer" || challenge.realm === undefined) {
    return { kind: "unknown", why: `${base} asks for a login in an unknown way` };
  }
  const realm = URL.parse(challenge.realm);
  // A password goes only where it can't be read on its way.
  const isSafe = realm?.protocol === "https:" || (realm !== null && isLoopback(realm.host));
  if (realm === null || !isSafe) {
    return { kind: "unknown", why: `${base} sends logins to a realm without TLS` };
  }
  const [user = ""] = Buffer.from(auth, "base64").toString("utf8").split(":", 1);
  if (challenge.service !== undefined) realm.searchParams.set("service", challenge.service);
  realm.searchParams.set("account", user);
  realm.searchParams.set("client_id", "ecs-discovery-agent");
  return verdict(await ask(realm.href, auth), realm.origin);
}

const verdict = ({ status }: { readonly status: number }, where: string): Proof => {
  if (status === 200) return { kind: "accepted" };
  if (status === 401 || status === 403) {
    return { kind: "refused", why: `${where} refuses the user or password (status ${status})` };
  }
  return { kind: "unknown", why: `${where} answered with status ${status}` };
};

async function ask(
  url: string,
  auth?: string,
): Promise<{ readonly status: number; readonly challenge: string }> {
  const response = await fetch(url, {
    // Elsewhere the password would go to whoever is named.
    redirect: "manual",
    signal: AbortSignal.timeout(LIMIT_MS),
    headers: auth === undefined ? {} : { Authorization: `Basic ${auth}` },
  });
  const challenge = response.headers.get("www-authenticate")?.slice(0, 4_096) ?? "";
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += (chunk as Uint8Array).length;
    if (length > MAX_BODY) break;
  }
  return { status: response.status, challenge };
}

function challengeOf(text: string) {
  const [, scheme = ""] = /^\s*([A-Za-z]+)/.exec(text) ?? [];
  const value = (name: string) => new RegExp(`\\b${name}="([^"]{1,2048})"`, "i").exec(text)?.[1];
  return { scheme: scheme.toLowerCase(), realm: value("realm"), service: value("service") };
}

/** This machine, by its name or an address of its own. */
function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}
