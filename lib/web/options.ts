export type Redirect = "off" | "https" | "short";
type Sticky = "ip" | "cookie" | "off";
type Proto = "http" | "https" | "h2" | "grpc";

/** How one virtual host is served, as its container's labels say. */
export interface Options {
  /** `off`, `acme`, `self`, or the name of a certificate of the operator's own. */
  readonly tls: string;
  readonly redirect: Redirect;
  /** The largest request body, in bytes; 0 for any, undefined for the flag's. */
  readonly uploadBytes?: number;
  /** How long the container may take to answer, in ms; undefined for the engine's own limit. */
  readonly timeoutMs?: number;
  readonly sticky: Sticky;
  readonly weight: number;
  readonly proto: Proto;
}

interface Option {
  readonly name: keyof Options;
  readonly expected: string;
  readonly byDefault?: string | number;
  /** Undefined for a value that it can't be. */
  readonly read: (text: string) => string | number | undefined;
}

const oneOf =
  (...words: readonly string[]) =>
  (text: string): string | undefined =>
    words.find((word) => word === text.toLowerCase());

export const OPTIONS: Readonly<Record<string, Option>> = {
  "proxy.tls": {
    name: "tls",
    expected: "off, acme, self, or the name of a certificate",
    byDefault: "off",
    read: (text) => (/^[A-Za-z0-9_*-][A-Za-z0-9._*-]{0,99}$/.test(text) ? text : undefined),
  },
  "proxy.redirect": {
    name: "redirect",
    expected: "https, short or off",
    read: oneOf("https", "short", "off"),
  },
  "proxy.upload": {
    name: "uploadBytes",
    expected: "a size such as 100m, or 0 for any",
    read: sizeOf,
  },
  "proxy.timeout": {
    name: "timeoutMs",
    expected: "a time from 1s to 24h such as 90s",
    read: durationOf,
  },
  "proxy.sticky": {
    name: "sticky",
    expected: "ip, cookie or off",
    byDefault: "ip",
    read: oneOf("ip", "cookie", "off"),
  },
  "proxy.weight": {
    name: "weight",
    expected: "a whole number from 1 to 256",
    byDefault: 1,
    read: (text) => within(/^\d{1,3}$/.test(text) ? Number(text) : undefined, 1, 256),
  },
  "proxy.proto": {
    name: "proto",
    expected: "http, https, h2 or grpc",
    byDefault: "http",
    read: oneOf("http", "https", "h2", "grpc"),
  },
};

const within = (value: number | undefined, min: number, max: number): number | undefined =>
  value !== undefined && value >= min && value <= max ? value : undefined;

/** Bytes of `100m`, `64k`, `1g`, `5000`, as nginx writes sizes; undefined for anything else, and past a tebibyte. */
export function sizeOf(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,13})([kmg]?)b?$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const factor = { "": 1, k: 1_024, m: 1_048_576, g: 1_073_741_824 }[unit.toLowerCase()] ?? 1;
  return within(Number(digits) * factor, 0, 1_099_511_627_776);
}

/** Milliseconds of `90`, `90s`, `5m`, `1h`, `1500ms`; undefined for anything else, and outside of 1 s to 24 h. */
export function durationOf(text: string): number | undefined {
  const [, digits, unit = "s"] = /^(\d{1,9})(ms|s|m|h)?$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit] ?? 1;
  return within(Number(digits) * factor, 1_000, 86_400_000);
}
