import * as z from "zod";
import { type DeleteLimit, unknownInstancesChoices } from "../../lib/discovery/sweep.ts";
import { commandFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, oneOf, wholeNumber } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";

const { hostedZoneId, dryRun, patience } = hostFlags;

// A name has at most 255 letters, digits, hyphens and underscores (API reference, CreateCluster).
const CLUSTER = "(?:arn:aws[a-z-]*:ecs:[a-z0-9-]+:\\d{12}:cluster/)?[A-Za-z0-9_-]{1,255}";

const clusterList = (help: string): Flag<readonly string[] | undefined> => ({
  takes: "names",
  optional: true,
  help,
  expected: "names or ARNs of clusters, separated by commas",
  schema: z
    .string()
    .regex(new RegExp(`^${CLUSTER}(?:,${CLUSTER})*$`))
    .transform((text) => text.split(",")),
});

const maxDeletes: Flag<DeleteLimit> = {
  takes: "limit",
  help: "a sweep that would delete more is refused: a number of records, or a share of all that agents wrote",
  expected: "a whole number such as 20, or a percentage from 0% to 100%",
  schema: z
    .string()
    .regex(/^\d{1,6}$|^(?:\d{1,2}|100)%$/)
    .transform((text) =>
      text.endsWith("%")
        ? { kind: "share", percent: Number(text.slice(0, -1)) }
        : { kind: "count", records: Number(text) },
    ),
  byDefault: "50%",
};

export const flags = {
  hostedZoneId,
  clusters: clusterList(
    "every cluster whose hosts write into the zone; all of the account and region when not given",
  ),
  emptyClusters: clusterList(
    "those that rightly have no container instances; an empty answer of any other leaves doubt",
  ),
  unknownInstances: oneOf(unknownInstancesChoices, {
    byDefault: "keep",
    help: "records of which no cluster knows the instance or the task: deleted only where no other account or region writes into the zone",
  }),
  confirmAfter: wholeNumber({
    takes: "seconds",
    min: 1,
    max: 600,
    byDefault: 30,
    help: "what looks dead must look dead again after this long",
  }),
  maxDeletes,
  dryRun,
  patience: {
    ...patience,
    help: "how long ECS or Route 53 may stay unavailable",
  },
  ...commandFlags,
};

export type SweepConfig = ConfigOf<typeof flags>;
