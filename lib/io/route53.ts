import {
  ChangeResourceRecordSetsCommand,
  GetHostedZoneCommand,
  ListResourceRecordSetsCommand,
  type ListResourceRecordSetsCommandOutput,
  type ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import type { InstanceId } from "../core/arn.ts";
import { causes, Fatal, Unavailable } from "../core/failure.ts";
import type { Change } from "../core/plan.ts";
import { type RecordSet, recordTypes } from "../core/record-set.ts";
import { serviceName } from "../core/service-name.ts";
import { parseSetIdentifier } from "../core/set-identifier.ts";

/**
 * One Route 53 hosted zone. Every function throws `Unavailable` when trying again may help, and `Fatal` when only an
 * operator can (no permission, no such zone).
 */
export interface HostedZone {
  /** The zone's name, in lower case, without the trailing dot. */
  name(): Promise<string>;
  /** Every record set in the zone that `owner` wrote; reads the whole zone, 300 a request. */
  ownRecords(zoneName: string, owner: InstanceId): Promise<readonly RecordSet[]>;
  /** Those under one name only. */
  ownRecordsAt(name: string, zoneName: string, owner: InstanceId): Promise<readonly RecordSet[]>;
  /** Sends the changes as one batch: all of them land, or none. */
  submit(
    batch: readonly Change[],
  ): Promise<{ kind: "accepted" } | { kind: "refused"; message: string }>;
  close(): void;
}

/** The most that a page holds (facts: ListResourceRecordSets). */
const PAGE = 300;

/** Of these the SDK's own retries are told apart by the number of attempts; see `mayHaveLanded`. */
const THROTTLED = new Set(["Throttling", "ThrottlingException", "PriorRequestNotComplete"]);
const TRANSIENT = new Set([
  ...THROTTLED,
  "TimeoutError",
  "RequestTimeout",
  "RequestExpired",
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
]);
/** Nothing was sent: the connection or the credentials were not there. */
const NOT_SENT = new Set(["CredentialsProviderError", "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"]);

/**
 * The zone with this id. Credentials and, when set, the endpoint (AWS_ENDPOINT_URL_ROUTE_53) come from where the AWS SDK
 * finds them. One client serves the whole process: credentials and connections are kept per client.
 */
export function hostedZone({
  zoneId,
  region,
}: {
  readonly zoneId: string;
  readonly region: string;
}): HostedZone {
  const client = new Route53Client({
    region,
    maxAttempts: 5,
    // Without throwOnRequestTimeout the SDK only warns and waits for ever.
    requestHandler: {
      connectionTimeout: 2_000,
      requestTimeout: 10_000,
      throwOnRequestTimeout: true,
    },
  });

  const pages = async function* (startAt: Cursor, pageSize: number) {
    for (let cursor: Cursor | undefined = startAt; cursor !== undefined; ) {
      const page: ListResourceRecordSetsCommandOutput = await client
        .send(
          new ListResourceRecordSetsCommand({
            HostedZoneId: zoneId,
            MaxItems: pageSize,
            ...cursor,
          }),
        )
        .catch((error: unknown) => {
          throw failure("ListResourceRecordSets", zoneId, error);
        });
      yield page.ResourceRecordSets ?? [];
      cursor = nextCursor(page);
    }
  };

  return {
    async name() {
      const { HostedZone: zone } = await client
        .send(new GetHostedZoneCommand({ Id: zoneId }))
        .catch((error: unknown) => {
          throw failure("GetHostedZone", zoneId, error);
        });
      if (zone?.Name === undefined) throw new Fatal(`Route 53 gave no name for zone ${zoneId}`);
      return plain(zone.Name);
    },
    async ownRecords(zoneName, owner) {
      const own: RecordSet[] = [];
      for await (const page of pages({}, PAGE)) own.push(...ownAmong(page, zoneName, owner));
      return own;
    },
    async ownRecordsAt(name, zoneName, owner) {
      const own: RecordSet[] = [];
      // A name holds at most 100 weighted sets of a type, so they fit into one page.
      for await (const page of pages({ StartRecordName: name, StartRecordType: "A" }, 100)) {
        const here = page.filter((record) => plain(record.Name ?? "") === name);
        own.push(...ownAmong(here, zoneName, owner));
        if (here.length < page.length) break;
      }
      return own;
    },
    async submit(batch) {
      try {
        await client.send(
          new ChangeResourceRecordSetsCommand({
            HostedZoneId: zoneId,
            ChangeBatch: {
              Comment: "ecs-discovery-agent",
              Changes: batch.map(({ action, record }) => ({
                Action: action,
                ResourceRecordSet: {
                  Name: `${record.name}.`,
                  Type: record.type,
                  SetIdentifier: record.setIdentifier,
                  Weight: record.weight,
                  TTL: record.ttlSeconds,
                  ResourceRecords: record.values.map((Value) => ({ Value })),
                },
              })),
            },
          }),
        );
        return { kind: "accepted" };
      } catch (error) {
        const message = refusal(error);
        if (message !== undefined) return { kind: "refused", message };
        throw failure("ChangeResourceRecordSets", zoneId, error);
      }
    },
    close: () => client.destroy(),
  };
}

type Cursor = Pick<
  ListResourceRecordSetsCommand["input"],
  "StartRecordName" | "StartRecordType" | "StartRecordIdentifier"
>;

/** All three fields: without the identifier, a page that ends within a weighted group comes again for ever. */
const nextCursor = (page: ListResourceRecordSetsCommandOutput): Cursor | undefined =>
  page.IsTruncated
    ? {
        StartRecordName: page.NextRecordName,
        StartRecordType: page.NextRecordType,
        StartRecordIdentifier: page.NextRecordIdentifier,
      }
    : undefined;

/** As Route 53 writes a name, without its trailing dot. Its octal escapes stay: no name of ours holds one. */
const plain = (name: string): string => name.toLowerCase().replace(/\.$/, "");

function ownAmong(
  records: readonly ResourceRecordSet[],
  zoneName: string,
  owner: InstanceId,
): readonly RecordSet[] {
  return records.flatMap((record) => {
    const { SetIdentifier = "", TTL, Weight, ResourceRecords } = record;
    const name = plain(record.Name ?? "");
    const type = recordTypes.find((one) => one === record.Type);
    if (parseSetIdentifier(SetIdentifier)?.instance !== owner) return [];
    if (type === undefined || TTL === undefined || Weight === undefined) return [];
    // A name that no label gives is not ours, whatever its set identifier says.
    if (!name.endsWith(`.${zoneName}`)) return [];
    if (!serviceName(name.slice(0, -zoneName.length - 1), zoneName).ok) return [];
    const values = (ResourceRecords ?? []).flatMap(({ Value }) => Value ?? []);
    return [{ name, type, setIdentifier: SetIdentifier, ttlSeconds: TTL, weight: Weight, values }];
  });
}

/** What Route 53 says of a batch that it won't have; undefined for every other error. */
function refusal(error: unknown): string | undefined {
  const { name, message, status } = facts(error);
  if (name === "InvalidChangeBatch" || name === "InvalidInput") return message;
  // The wire format of earlier years: the SDK calls it Unknown and keeps the texts in a field of its own.
  return name === "Unknown" && status === 400 ? JSON.stringify(error) : undefined;
}

function failure(operation: string, zoneId: string, error: unknown): Unavailable | Fatal {
  const { name, code, status, attempts } = facts(error);
  if (status === undefined || status >= 500 || TRANSIENT.has(name)) {
    const notSent = NOT_SENT.has(name) || NOT_SENT.has(code);
    return new Unavailable("Route 53", `did not take ${operation}`, {
      cause: `${name}: ${causes(error)}`,
      mayHaveLanded: !(attempts <= 1 && (notSent || THROTTLED.has(name))),
    });
  }
  if (status === 403) {
    return new Fatal(
      `Route 53 denied ${operation} on zone ${zoneId}: allow route53:${operation} in the role of this process`,
      { cause: error },
    );
  }
  return new Fatal(`Route 53 refused ${operation} on zone ${zoneId}`, { cause: error });
}

/** By name, never by class: Throttling, for one, comes as the base class (facts: errors). */
function facts(error: unknown) {
  const of = (value: unknown): Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const fields = of(error);
  const metadata = of(fields["$metadata"]);
  return {
    name: text(fields["name"]),
    message: text(fields["message"]),
    code: text(fields["code"]),
    status: typeof metadata["httpStatusCode"] === "number" ? metadata["httpStatusCode"] : undefined,
    attempts: typeof metadata["attempts"] === "number" ? metadata["attempts"] : 1,
  };
}
