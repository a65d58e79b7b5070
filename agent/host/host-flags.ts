import * as z from "zod";
import { zoneReference } from "../../lib/route53/zone-name.ts";
import { commonFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, onOff, wholeNumber } from "../cli/flags.ts";

const hostedZoneId: Flag<string> = {
  takes: "id",
  help: "the hosted zone that holds the records, by its id or its name",
  expected:
    "a Route 53 hosted zone id such as Z0123456789ABCDEFGHIJ, or the zone's name such as example.internal",
  schema: z
    .string()
    .refine((text) => zoneReference(text) !== undefined)
    .transform((text) => zoneReference(text) ?? text),
  environment: ["HOSTED_ZONE_ID"],
};

const introspectionUrl: Flag<string | undefined> = {
  takes: "url",
  optional: true,
  help: "the ECS agent's introspection endpoint; found by itself when not given",
  expected: "a URL such as http://127.0.0.1:51678, without user and password",
  // The URL is logged, and the ECS agent asks nobody who he is.
  schema: z.url({ protocol: /^http$/ }).refine((url) => !/^http:\/\/[^/?#]*@/i.test(url)),
};

const stateDir: Flag<string> = {
  takes: "folder",
  help: "holds a small journal, so that a start need not read the zone",
  expected: "an absolute path",
  schema: z.string().regex(/^\//),
  byDefault: "/var/lib/ecs-discovery-agent",
};

/** What every mode takes that works for this host in a zone. */
export const hostFlags = {
  hostedZoneId,
  introspectionUrl,
  stateDir,
  patience: wholeNumber({
    takes: "seconds",
    min: 0,
    max: 86_400,
    byDefault: 60,
    help: "how long Docker's first connection, the ECS agent or Route 53 may stay unavailable",
  }),
  dryRun: onOff({ help: "say what would change, change nothing" }),
  ...commonFlags,
};

export type HostConfig = ConfigOf<typeof hostFlags>;
