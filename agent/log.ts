import winston from "winston";

export const logLevels = ["error", "warn", "info", "debug"] as const;
export const logFormats = ["text", "json"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Named values of a log line; in the text form they follow the message as `name=value`. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

const text = winston.format.printf(({ timestamp, level, message, ...fields }) => {
  const named = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        ` ${name}=${/^[\w.:/@-]+$/.test(String(value)) ? value : JSON.stringify(value)}`,
    );
  return `${timestamp} ${level.padEnd(5)} ${message}${named.join("")}`;
});

/** Writes lines to standard output: JSON for machines, or one line of text for people. */
export function createLog({
  level,
  format,
}: {
  readonly level: LogLevel;
  readonly format: (typeof logFormats)[number];
}): Log {
  const { combine, timestamp, json } = winston.format;
  return winston.createLogger({
    level,
    format: combine(timestamp(), format === "json" ? json() : text),
    transports: [new winston.transports.Console()],
  });
}
