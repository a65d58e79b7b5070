import { fenceName, parseFence } from "../../lib/fleet/fence.ts";
import { dnsResolver } from "../../lib/net/io/dns.ts";
import { messageQueue } from "../../lib/sqs/io/queue.ts";
import type { QueueUrl } from "../../lib/sqs/queue-url.ts";
import type { Ask } from "./asking.ts";
import { type Finding, fail, type Outcome, ok, skip, warn } from "./finding.ts";

/** A writer that is alive writes its record once a minute. */
const WRITER_AWAY_S = 180;

/** Where a host's records go that hands them to a writer: the queue, asked without a message, and the writer, in DNS. */
export async function askVia(
  ask: Ask,
  {
    via,
    zoneName,
    resolver,
    region,
  }: {
    readonly via: QueueUrl;
    readonly zoneName: string | undefined;
    readonly resolver: string | undefined;
    /** Where the queue's URL names none. */
    readonly region: string;
  },
): Promise<readonly Finding[]> {
  const queue = messageQueue({ url: via.url, region: via.region ?? region });
  const facts = await ask(() => queue.facts());
  queue.close();
  if (zoneName === undefined) return [queueFinding(facts, via.name), writerFinding(undefined)];
  const dns = dnsResolver(resolver);
  const texts = await dns.texts(fenceName(zoneName));
  return [queueFinding(facts, via.name), writerFinding({ zoneName, texts, nowMs: Date.now() })];
}

/** Whether the queue is there. A host may send to it, and need not be allowed anything else. */
export function queueFinding(
  asked: Outcome<{ readonly waiting: number; readonly inFlight: number }>,
  name: string,
): Finding {
  if (asked.kind === "done") {
    const { waiting, inFlight } = asked.value;
    return ok("queue", `${name}: about ${waiting} messages wait, ${inFlight} are given out`);
  }
  if (asked.problem.includes("denied")) {
    return ok(
      "queue",
      `${name} answers, and does not let this host look at it, which it need not; whether it may send is not tried`,
    );
  }
  return fail(
    "queue",
    asked.problem,
    "check the URL of --via, the way to SQS, and sqs:SendMessage in this host's role (deploy/writer/iam-host.json)",
  );
}

/** Whether somebody takes what the host sends, as the writer's own record in the zone tells. */
export function writerFinding(
  asked:
    | {
        readonly zoneName: string;
        /** Undefined where DNS does not answer. */
        readonly texts: readonly string[] | undefined;
        readonly nowMs: number;
      }
    | undefined,
): Finding {
  if (asked === undefined) {
    return skip("writer", "not looked for", "give --zoneName: the writer shows itself in the zone");
  }
  const { zoneName, texts, nowMs } = asked;
  const name = fenceName(zoneName);
  if (texts === undefined) {
    return warn("writer", `DNS does not answer for ${name}`, "see the resolver, or --resolver");
  }
  const fence = texts.map(parseFence).find((one) => one !== undefined);
  if (fence === undefined) {
    return fail(
      "writer",
      `no writer has written ${name} yet: what this host sends waits in the queue`,
      `start one: ecs-discovery-agent writer --queueUrl=… --hostedZoneId=… (deploy/writer); where one runs, see that --zoneName is its zone's name`,
    );
  }
  const seconds = Math.max(0, Math.round((nowMs - fence.atMs) / 1000));
  const what = `the writer ${fence.writer} keeps ${zoneName}, batch ${fence.count}, ${seconds} s ago`;
  return seconds <= WRITER_AWAY_S
    ? ok("writer", what)
    : warn(
        "writer",
        `${what}: it writes once a minute`,
        "see whether the writer runs, and its page",
      );
}
