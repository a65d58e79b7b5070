import type { InstanceId, Owner, TaskId } from "../../lib/ecs/arn.ts";
import { causes } from "../../lib/kit/failure.ts";
import type { Change } from "../../lib/route53/plan.ts";
import type { RecordSet, RecordType } from "../../lib/route53/record-set.ts";
import { formatSetIdentifier } from "../../lib/route53/set-identifier.ts";
import { type Finding, fail, notChecked, type Outcome, ok, warn } from "./finding.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Regions of these are worlds of their own: accounts, zones and endpoints are not shared. */
const PARTITIONS = ["cn-", "us-gov-", "us-iso-", "us-isob-", "us-isof-", "eu-isoe-", "eusc-"];
const partitionOf = (region: string): string =>
  PARTITIONS.find((start) => region.startsWith(start)) ?? "aws";

/** Which region the AWS SDK is given, and why. */
export function region(env: Env, owner: Owner | undefined): Finding {
  const named = env["AWS_REGION"];
  if (!named) {
    if (owner !== undefined) return ok("region", `${owner.region}, the container instance's own`);
    return notChecked("region", "ecs-agent");
  }
  if (!/^[a-z]{2,}(-[a-z]+)+-\d+$/.test(named)) {
    return fail(
      "region",
      `AWS_REGION: expected a region such as eu-west-1, got ${JSON.stringify(named)}`,
      "unset AWS_REGION: the container instance's own region is taken then",
    );
  }
  if (owner !== undefined && partitionOf(owner.region) !== partitionOf(named)) {
    return fail(
      "region",
      `AWS_REGION is ${named}, but the container instance is in ${owner.region}: zones and credentials of the one are unknown in the other`,
      "unset AWS_REGION, or set it to the container instance's region",
    );
  }
  const where =
    owner === undefined || owner.region === named ? "" : `, this host is in ${owner.region}`;
  return ok("region", `${named}, from AWS_REGION${where}`);
}

/** The variables that lead the AWS SDK to another endpoint, in its own order. */
const ENDPOINT_VARIABLES = ["AWS_ENDPOINT_URL_ROUTE_53", "AWS_ENDPOINT_URL"] as const;
/** What people write instead, after the service's name; the SDK does not know it and says nothing. */
const MISSPELT = "AWS_ENDPOINT_URL_ROUTE53";

/** Which endpoint was asked; `origin` is undefined when nothing was sent. */
export function endpoint(env: Env, origin: string | undefined): Finding {
  if (env[MISSPELT]) {
    return warn(
      "endpoint",
      `${MISSPELT} is set, which the AWS SDK does not read: ${origin ?? "its own endpoint"} is asked`,
      "write AWS_ENDPOINT_URL_ROUTE_53, with an underscore before 53, or unset it",
    );
  }
  const ignored = env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]?.toLowerCase() === "true";
  const variable = ENDPOINT_VARIABLES.find((name) => env[name]);
  if (variable !== undefined && ignored) {
    return warn(
      "endpoint",
      `${variable} is set, but AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, too: ${origin ?? "the AWS SDK's own endpoint"} is asked`,
      "unset one of the two",
    );
  }
  if (origin === undefined) return notChecked("endpoint", "credentials");
  const isOwn = /\/\/route53[a-z.-]*\.(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu)$/.test(
    origin,
  );
  const from = variable ?? (isOwn ? "the AWS SDK's own" : "a shared configuration file");
  return ok("endpoint", `${origin}, ${variable === undefined && isOwn ? from : `from ${from}`}`);
}

/** The AWS SDK's words for where it looks for credentials, in ours. */
const SOURCES: Readonly<Record<string, string>> = {
  "env vars": "environment variables",
  http: "the task's role",
  imds: "the instance's role, by instance metadata",
};

export function credentials(found: Outcome<string>): Finding {
  if (found.kind === "done") {
    const [last = ""] = found.value.split(", ").slice(-1);
    return ok(
      "credentials",
      `found: ${SOURCES[last] ?? (found.value || "by the AWS SDK's chain")}`,
    );
  }
  return fail(
    "credentials",
    `none found: ${found.problem}`,
    "give the task a role (taskRoleArn), or the instance one; from a bridge network instance metadata needs a hop limit of 2 (aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2)",
  );
}

/**
 * A request must reach AWS within five minutes of the time it is signed with (IAM User Guide, "Signing AWS API
 * requests"). The SDK corrects itself after a refusal, at the price of that request.
 */
const SKEW_LIMIT_S = 300;
const SKEW_WARNING_S = 30;

/** `serverMs` is the Date header of Route 53's last answer, `hereMs` this host's time of day at that moment. */
export function clockSkew(
  seen: { readonly serverMs: number; readonly hereMs: number } | undefined,
): Finding {
  if (seen === undefined) return notChecked("clock", "zone");
  const seconds = Math.round((seen.hereMs - seen.serverMs) / 1000);
  const skew = Math.abs(seconds);
  const what = `${skew} s ${seconds < 0 ? "behind" : "ahead of"} Route 53's`;
  // The header has no fractions, and the answer was on its way for a while.
  if (skew <= 2) return ok("clock", "agrees with Route 53's");
  const todo = "start a time service on this host, such as chrony with 169.254.169.123";
  if (skew > SKEW_LIMIT_S) {
    return fail("clock", `${what}: AWS refuses what is signed more than 5 minutes off`, todo);
  }
  return skew > SKEW_WARNING_S ? warn("clock", what, todo) : ok("clock", what);
}

export interface ZoneFacts {
  readonly name: string;
  readonly size: number;
  readonly isPrivate: boolean;
}

/** GetHostedZone, and what it says. */
export function zone(found: Outcome<ZoneFacts>, zoneId: string): Finding {
  if (found.kind === "failed") return refused("zone", "GetHostedZone", zoneId, found);
  const { name, size, isPrivate } = found.value;
  const what = `${name}, ${isPrivate ? "private" : "public"}, ${size} record sets (GetHostedZone)`;
  return isPrivate
    ? ok("zone", what)
    : warn(
        "zone",
        `${what}: everybody can read the addresses of your tasks`,
        "use a private zone of your VPCs, unless the tasks are to be found from outside",
      );
}

export const listing = (found: Outcome<unknown>, zoneId: string): Finding =>
  found.kind === "done"
    ? ok("read", "record sets can be read (ListResourceRecordSets)")
    : refused("read", "ListResourceRecordSets", zoneId, found);

/** What the SDK calls a refusal; in `failure()` of lib/route53/io/zone.ts it is the cause. */
const codeOf = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? cause.name : "";
};

/** Its own words, without our advice around them. */
const wordsOf = (error: unknown): string => causes(error instanceof Error ? error.cause : error);

export const isDenied = (error: unknown): boolean => codeOf(error).startsWith("AccessDenied");

function refused(
  check: string,
  operation: string,
  zoneId: string,
  { error, problem }: Extract<Outcome<unknown>, { kind: "failed" }>,
): Finding {
  const code = codeOf(error);
  if (isDenied(error)) {
    return fail(
      check,
      `Route 53 denied ${operation} on zone ${zoneId}: ${wordsOf(error)}`,
      `allow route53:${operation} on arn:aws:route53:::hostedzone/${zoneId} in the role of this process (deploy/iam-agent.json)`,
    );
  }
  if (code === "NoSuchHostedZone") {
    return fail(
      check,
      problem,
      "check --hostedZoneId: the zone must be of the account whose credentials are used (aws route53 list-hosted-zones)",
    );
  }
  if (
    /^(InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|ExpiredToken)/.test(
      code,
    )
  ) {
    return fail(check, problem, "renew the credentials, and see that they are of this partition");
  }
  return fail(
    check,
    problem,
    "see that this host reaches the endpoint over HTTPS: security group, NAT gateway, proxy",
  );
}

// ── the permission to change, tried without a change ──

/** A label that nobody uses. */
const PROBE_LABEL = "ecs-discovery-doctor";
const NO_TASK = "0".repeat(32) as TaskId;

/**
 * Changes of which none can land, neither together nor alone: deletes of record sets that are not there, and record sets
 * with values that are no addresses. Route 53 must refuse them, and says in which words: of a policy or of the zone.
 * They show IAM's condition keys all that the agent's own batches do: every action, every type, and a name below the
 * zone, one that this host has records of where there is any, because a policy may allow some names only.
 */
export function probes(
  zoneName: string,
  instance: InstanceId,
  ownName = `${PROBE_LABEL}.${zoneName}`,
): readonly Change[] {
  const probe = (type: RecordType, values: readonly string[]): RecordSet => ({
    name: ownName,
    type,
    setIdentifier: formatSetIdentifier({ instance, task: NO_TASK }),
    ttlSeconds: 0,
    weight: 0,
    values,
  });
  const missing = probe("SRV", [`1 1 1 ${ownName}`]);
  return [
    { action: "DELETE", record: probe("A", ["192.0.2.1"]) },
    { action: "UPSERT", record: probe("AAAA", ["none"]) },
    { action: "REPLACE", before: missing, record: probe("SRV", ["none"]) },
  ];
}

/**
 * What became of the probes. That IAM speaks before the zone does is an assumption: no page of AWS's says so, but every
 * known report of AccessDenied from this operation is of a batch that would otherwise have been judged.
 */
export function changing(
  all: Outcome<{ readonly kind: "accepted" | "refused" }>,
  single: readonly { readonly change: Change; readonly tried: Outcome<unknown> }[],
  zoneId: string,
): Finding {
  if (all.kind === "done") {
    return all.value.kind === "refused"
      ? ok(
          "change",
          "record sets can be changed (ChangeResourceRecordSets, tried with changes that can't land)",
        )
      : fail(
          "change",
          "Route 53 accepted changes that it must refuse",
          `delete the record sets of task ${NO_TASK} from the zone, and report this`,
        );
  }
  const allowed = single.filter(({ tried }) => tried.kind === "done");
  const denied = single.filter(({ tried }) => tried.kind === "failed" && isDenied(tried.error));
  if (!isDenied(all.error) || allowed.length === 0 || denied.length === 0) {
    return refused("change", "ChangeResourceRecordSets", zoneId, all);
  }
  const which = denied.map(({ change }) => WORDS[change.action]).join(" and ");
  return fail(
    "change",
    `Route 53 denied ${which}, and allows the rest: ${wordsOf(all.error)}`,
    `complete the conditions of the policy: actions UPSERT, DELETE and CREATE, types A, AAAA and SRV, names *.<zone> (deploy/iam-agent.json)`,
  );
}

/** Every check of Route 53 where there are no credentials: none but them is to be mended. */
export const withoutCredentials = (
  env: Env,
  origin: string | undefined,
  found: Outcome<string>,
): readonly Finding[] => [
  endpoint(env, origin),
  credentials(found),
  ...["clock", "zone", "read", "change", "negative-ttl", "full-names", "dns"].map((check) =>
    notChecked(check, "credentials"),
  ),
];

const WORDS: Readonly<Record<Change["action"], string>> = {
  DELETE: "DELETE of A",
  UPSERT: "UPSERT of AAAA",
  REPLACE: "DELETE and CREATE of SRV",
};
