import { logFormats, logLevels } from "../process/log.ts";
import { oneOf, onOff, wholeNumber } from "./flags.ts";

/** What every mode takes. */
export const commonFlags = {
  drainTimeout: wholeNumber({
    takes: "seconds",
    min: 0,
    max: 3_600,
    byDefault: 25,
    help: "how long work in flight may take to land after a signal or a failure",
  }),
  logLevel: oneOf(logLevels, { byDefault: "info", help: "the least level that is logged" }),
  logFormat: oneOf(logFormats, {
    byDefault: "text",
    help: "log lines for people, or one JSON object each",
  }),
};

/** What every mode takes that answers a question: the answer goes to standard output, the log to standard error. */
export const commandFlags = {
  // JSON is too common a name to mean this in every environment.
  json: {
    ...onOff({ help: "the answer as one line of JSON, for machines" }),
    noEnvironment: true as const,
  },
  ...commonFlags,
  logLevel: oneOf(logLevels, { byDefault: "warn", help: commonFlags.logLevel.help }),
};
