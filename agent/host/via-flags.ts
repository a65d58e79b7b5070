import * as z from "zod";
import { type QueueUrl, queueUrlOf } from "../../lib/sqs/queue-url.ts";
import { type Flag, oneOf } from "../cli/flags.ts";

const via: Flag<QueueUrl | undefined> = {
  takes: "sqs:url",
  optional: true,
  help: "sends what the host wants to this queue, for the mode writer, instead of writing the zone; then no right on the zone is needed",
  expected:
    "sqs: and a standard queue's URL, such as sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/discovery; http only at 127.0.0.1",
  schema: z.string().transform((text, context) => {
    const url = text.startsWith("sqs:") ? queueUrlOf(text.slice("sqs:".length)) : undefined;
    if (url === undefined) context.addIssue("no queue");
    return url;
  }),
};

const zoneName: Flag<string | undefined> = {
  takes: "name",
  optional: true,
  help: "with --via: the zone's name, so that the agent can look in DNS what the writer has made of its records",
  expected: "a zone's name such as example.internal",
  schema: z
    .string()
    .regex(/^(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?$/)
    .transform((name) => name.toLowerCase().replace(/\.$/, "")),
};

const resolver: Flag<string | undefined> = {
  takes: "ip[:port]",
  optional: true,
  help: "the DNS resolver that is asked for the zone; those of this host when not given",
  expected: "an IP address, with or without a port, such as 10.0.0.2 or [fd00:ec2::253]:53",
  schema: z.union([
    z.ipv4(),
    z.ipv6(),
    z.string().regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}$/),
  ]),
};

/** How a host hands its records over to a writer. */
export const viaFlags = {
  via,
  zoneName,
  fallback: oneOf(["none", "direct"], {
    byDefault: "none",
    help: "with --via: whether the host writes the zone itself once neither the queue nor the writer has answered for long, which needs the right to",
  }),
  resolver,
};
