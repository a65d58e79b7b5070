import winston from "winston";
import { redact } from "../../lib/kit/redact.ts";
import { escapeJson, escapeText } from "./escape.ts";

export const logLevels = ["error", "warn", "info", "debug"] as const;
export const logFormats = ["text", "json"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Named values of a log line; in the text form they follow the message as `name=value`. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

const shown = (value: unknown): string => {
  const text = String(value as LogFields[string]);
  return /^[\w.:/@-]+$/.test(text) ? text : escapeText(JSON.stringify(text));
};

const text = winston.format.printf(({ timestamp, level, message, ...fields }) => {
  const named = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${shown(value)}`);
  return `${String(timestamp)} ${level.padEnd(5)} ${escapeText(String(message))}${named.join("")}`;
});

const MESSAGE = Symbol.for("message");
const plainJson = winston.format((info) => ({
  ...info,
  [MESSAGE]: escapeJson(String(info[MESSAGE])),
}));

/** Writes lines: JSON for machines, or one line of text for people. */
export function createLog({
  level,
  format,
  to = "stdout",
  secrets = [],
}: {
  readonly level: LogLevel;
  readonly format: (typeof logFormats)[number];
  readonly to?: "stdout" | "stderr";
  /** Hidden wherever they are quoted; what looks like a credential is hidden anyway. */
  readonly secrets?: readonly string[];
}): Log {
  const { combine, timestamp, json } = winston.format;
  const logger = winston.createLogger({
    level,
    format: combine(timestamp(), format === "json" ? combine(json(), plainJson()) : text),
    transports: [
      new winston.transports.Console({ stderrLevels: to === "stderr" ? [...logLevels] : [] }),
    ],
  });
  const plain = <T>(value: T) => (typeof value === "string" ? redact(value, secrets) : value);
  const plainFields = (fields: LogFields = {}) =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]));
  // As one object: given apart, winston takes the fields for arguments of a `%s` that a message may quote.
  const at = (named: LogLevel) => (message: string, fields?: LogFields) =>
    void logger.log({ ...plainFields(fields), level: named, message: plain(message) });
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}
