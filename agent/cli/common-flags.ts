import { logFormats, logLevels } from "../process/log.ts";
import { type Flag, oneOf, onOff, wholeNumber } from "./flags.ts";
import { COMMON } from "./help.ts";

/** Shown last in every help, because it is the same in all of them. */
const common = <T>(flag: Flag<T>): Flag<T> => ({ ...flag, group: COMMON });

/** What every mode takes. */
export const commonFlags = {
  drainTimeout: common(
    wholeNumber({
      takes: "seconds",
      min: 0,
      max: 3_600,
      byDefault: 25,
      help: "how long work in flight may take to land after a signal or a failure",
    }),
  ),
  logLevel: common(oneOf(logLevels, { byDefault: "info", help: "the least level that is logged" })),
  logFormat: common(
    oneOf(logFormats, {
      byDefault: "text",
      help: "log lines for people, or one JSON object each",
    }),
  ),
};

/** What every mode takes that answers a question: the answer goes to standard output, the log to standard error. */
export const commandFlags = {
  json: {
    ...onOff({ help: "the answer as one line of JSON, for machines" }),
    noEnvironment: true as const,
  },
  ...commonFlags,
  logLevel: common(oneOf(logLevels, { byDefault: "warn", help: commonFlags.logLevel.help })),
};
