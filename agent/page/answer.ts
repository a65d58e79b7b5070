import { createHash } from "node:crypto";
import { isIP } from "node:net";

export const JSON_TYPE = "application/json; charset=utf-8";

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sent with every answer: no cache, no frame, no other site. */
export const PROTECTION: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
};

/** 200 when there is no problem, else 503. */
export const healthAnswer = (
  problems: readonly string[],
  notes: readonly string[] = [],
): Answer => ({
  status: problems.length === 0 ? 200 : 503,
  type: JSON_TYPE,
  body: `${JSON.stringify({ ok: problems.length === 0, problems, ...(notes.length > 0 && { notes }) })}\n`,
});

/** Whoever is refused keeps no connection. */
export const refusal = (
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${text}\n`,
  headers: { ...headers, Connection: "close" },
});

/**
 * True for an IP address, `localhost` and the configured name. A browser that was led here by another name sends that
 * name, and an address can't be led elsewhere.
 */
export function isServed(header: string | undefined, configured: string): boolean {
  const [, bracketed, name] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(header ?? "") ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  const asked = (name ?? "").toLowerCase();
  return isIP(asked) === 4 || asked === "localhost" || asked === configured;
}

/** Lets the document's own inline styles and scripts run, by their hashes, and nothing else. */
export function contentPolicy(page: string): string {
  const hashes = (element: "script" | "style"): string => {
    const found = [
      ...page.matchAll(new RegExp(`<${element}(?:\\s[^>]*)?>([\\s\\S]*?)</${element}>`, "g")),
    ];
    const sources = found.map(
      ([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`,
    );
    return `${element}-src ${sources.join(" ") || "'none'"}`;
  };
  return [
    "default-src 'none'",
    hashes("script"),
    hashes("style"),
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
}
