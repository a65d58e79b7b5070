import * as z from "zod";
import { queueUrlOf } from "../../lib/sqs/queue-url.ts";
import { commonFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, oneOf, onOff, wholeNumber } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { statusAddressOf } from "../page/status-address.ts";

const queueUrl: Flag<string> = {
  takes: "url",
  help: "the queue that the hosts send to",
  expected:
    "a standard queue's URL such as https://sqs.eu-west-1.amazonaws.com/123456789012/discovery; http only at 127.0.0.1",
  schema: z.string().refine((text) => queueUrlOf(text) !== undefined),
};

const hostedZoneId: Flag<readonly string[]> = {
  takes: "ids",
  help: "the hosted zones that it writes, by their ids or names, separated by commas",
  expected:
    "Route 53 hosted zone ids such as Z0123456789ABCDEFGHIJ, or the zones' names, separated by commas",
  schema: z
    .string()
    .regex(/^[^,]+(?:,[^,]+)*$/)
    .transform((text): unknown[] => text.split(","))
    .pipe(z.array(hostFlags.hostedZoneId.schema))
    .refine((ids) => new Set(ids).size === ids.length),
  environment: ["HOSTED_ZONE_ID"],
};

export const flags = {
  queueUrl,
  hostedZoneId,
  senders: oneOf(["ecs", "anyone"], {
    byDefault: "ecs",
    help: "whose messages are taken: those whose sender ECS knows as the owner's host, or, with an emulator of SQS, anyone's",
  }),
  resync: wholeNumber({
    takes: "seconds",
    min: 0,
    max: 86_400,
    byDefault: 900,
    help: "the whole zone is compared within this time; 0 for never",
  }),
  patience: wholeNumber({
    takes: "seconds",
    min: 0,
    max: 86_400,
    byDefault: 60,
    help: "how long a start waits for SQS and Route 53; later it waits for as long as it takes",
  }),
  force: onOff({
    help: "delete records even if that is more than a fifth of the zone's in a minute",
  }),
  statusAddress: statusAddressOf("writer"),
  ...commonFlags,
};

export const examples = [
  [
    "writer --queueUrl=https://sqs.eu-west-1.amazonaws.com/123456789012/discovery --hostedZoneId=Z0123456789ABCDEFGHIJ",
    "writes the zone for every host that sends to the queue",
  ],
] as const;

export type WriterConfig = ConfigOf<typeof flags>;
