import {
  type Change as ApiChange,
  ChangeResourceRecordSetsCommand,
  GetHostedZoneCommand,
  ListResourceRecordSetsCommand,
  type ListResourceRecordSetsCommandOutput,
  type ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { errorFacts, judged } from "../../aws/answer.ts";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { foreignAnswer, inTime, REQUEST_LIMIT_MS, readWhole } from "../../aws/io/whole-answers.ts";
import type { InstanceId } from "../../ecs/arn.ts";
import { Fatal, Unavailable } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";
import { PAGE_SIZE } from "../batches.ts";
import type { Group } from "../group.ts";
import { type ForeignRecord, isStrange, ownRecord, type Whose } from "../own-record.ts";
import { type Change, type Step, stepsOf } from "../plan.ts";
import { type AnyRecord, type RecordSet, recordTypes } from "../record-set.ts";
import { parseSetIdentifier } from "../set-identifier.ts";
import { type TextMove, textChanges, unquoted } from "../text-move.ts";

/**
 * One Route 53 hosted zone. Every function throws `Unavailable` when trying again may help, and `Fatal` when only an
 * operator can (no permission, no such zone).
 */
export interface HostedZone {
  /** The zone's name, in lower case, without the trailing dot, and how many record sets it holds. */
  facts(): Promise<{ readonly name: string; readonly size: number }>;
  /** The owner's view of the zone, once its name is known; for "any instance" that of all agents together. */
  as(owner: Whose, zoneName: string): OwnedZone;
  close(): void;
}

/** What commands that tell people of the zone ask of it besides. */
export interface OpenZone extends HostedZone {
  /** `isPrivate`: it answers only in its VPCs. */
  facts(): Promise<{ readonly name: string; readonly size: number; readonly isPrivate: boolean }>;
  /** What it holds from the cursor on, whoever owns it, at most 300 record sets: one request. */
  list(
    cursor: ZoneCursor | undefined,
  ): Promise<{ readonly records: readonly AnyRecord[]; readonly next?: ZoneCursor }>;
  /** The text of the TXT record of this name, without quotation marks; undefined where there is none: one request. */
  text(name: string): Promise<string | undefined>;
  /** Where the AWS SDK found credentials, in its own words; never what they are. Rejects when it found none. */
  credentialsSource(): Promise<string>;
}

/** The zone as one owner reads and writes it. */
export interface OwnedZone {
  /** What the zone holds under one name: one request. */
  group(name: string): Promise<Group>;
  /** What it holds from the cursor on, at most 300 record sets: one request. */
  page(cursor: ZoneCursor | undefined): Promise<{
    readonly own: readonly RecordSet[];
    /** Those that look like an agent's, and are none's of this version. */
    readonly strange: readonly ForeignRecord[];
    readonly instances: readonly InstanceId[];
    readonly next?: ZoneCursor;
  }>;
  /**
   * Sends the changes as one batch: all of them land, or none. A refused one `mayHaveLanded` where the refusal is the
   * answer to a repeated request, after an answer that was lost. The errors say in `mayHaveLanded` what is known.
   */
  submit(
    batch: readonly Change[],
    text?: TextMove,
  ): Promise<{ kind: "accepted" } | { kind: "refused"; message: string; mayHaveLanded?: boolean }>;
}

/** Where a page begins. All three fields: without the identifier, a page that ends within a weighted group repeats. */
type PageStart = Pick<
  ListResourceRecordSetsCommand["input"],
  "StartRecordName" | "StartRecordType" | "StartRecordIdentifier"
>;
export interface ZoneCursor extends PageStart {
  /** Where this page and those before it began, so that a list which repeats has an end. */
  readonly begun?: ReadonlySet<string>;
}

/** Hears what goes over the wire. */
export interface RequestWatch {
  /** A request goes to this origin, such as `https://route53.amazonaws.com`. */
  asks(origin: string): void;
  /** An answer came, good or bad, with this Date header. */
  answered(date: string | undefined): void;
}

/**
 * The zone with this id. Credentials and, when set, the endpoint (AWS_ENDPOINT_URL_ROUTE_53) come from where the AWS SDK
 * finds them. One client serves the whole process: credentials and connections are kept per client.
 */
export function hostedZone({
  zoneId,
  region,
  watch,
  requestLimitMs = REQUEST_LIMIT_MS,
}: {
  readonly zoneId: string;
  readonly region: string;
  readonly watch?: RequestWatch;
  readonly requestLimitMs?: number;
}): OpenZone {
  const client = new Route53Client({ region, ...clientDefaults() });
  readWhole(client);

  if (watch !== undefined) {
    // Innermost, so that it sees what is sent and what comes back, whatever the SDK makes of it.
    client.middlewareStack.add(
      (next) => async (args) => {
        watch.asks(originOf(args.request));
        const result = await next(args);
        const { headers } = result.response as { headers?: Readonly<Record<string, string>> };
        watch.answered(headers?.["date"]);
        return result;
      },
      { step: "deserialize", priority: "low", name: "watch" },
    );
  }

  const list = async (start: PageStart): Promise<ListResourceRecordSetsCommandOutput> => {
    const operation = "ListResourceRecordSets";
    try {
      const command = new ListResourceRecordSetsCommand({
        HostedZoneId: zoneId,
        MaxItems: PAGE_SIZE,
        ...start,
      });
      const page = await inTime(requestLimitMs, (limit) => client.send(command, limit));
      // What is no list, a proxy's page for one, must not pass for an empty zone.
      const numbers = (page.ResourceRecordSets ?? []).flatMap(({ TTL = 0, Weight = 0 }) => [
        TTL,
        Weight,
      ]);
      if (page.IsTruncated === undefined || !numbers.every(Number.isSafeInteger)) {
        throw unavailable(operation, { cause: foreignAnswer(page) });
      }
      return page;
    } catch (error) {
      throw failure(operation, zoneId, error);
    }
  };

  return {
    async facts() {
      const command = new GetHostedZoneCommand({ Id: zoneId });
      const output = await inTime(requestLimitMs, (limit) => client.send(command, limit)).catch(
        (error: unknown) => {
          throw failure("GetHostedZone", zoneId, error);
        },
      );
      const zone = output.HostedZone;
      if (zone?.Name === undefined) {
        throw unavailable("GetHostedZone", { cause: foreignAnswer(output) });
      }
      if (!ZONE_NAME.test(zone.Name)) {
        throw new Fatal(
          `Route 53 gave zone ${zoneId} a name that is none: expected one such as example.org., got ${quote(zone.Name)}`,
        );
      }
      return {
        name: plain(zone.Name),
        size: zone.ResourceRecordSetCount ?? 0,
        isPrivate: zone.Config?.PrivateZone === true,
      };
    },
    async list(cursor) {
      const { begun, ...start } = cursor ?? {};
      const page = await list(start);
      return { records: (page.ResourceRecordSets ?? []).map(anyRecord), ...nextOf(page, begun) };
    },
    async credentialsSource() {
      const { $source = {} } = (await client.config.credentials()) as {
        readonly $source?: Readonly<Record<string, unknown>>;
      };
      return Object.keys($source)
        .map((name) =>
          name
            .replace(/^CREDENTIALS_/, "")
            .toLowerCase()
            .replaceAll("_", " "),
        )
        .join(", ");
    },
    as: (owner, zoneName) => ({
      async group(name) {
        // A name holds at most 100 sets of a type, so one page holds those of our three types.
        const { ResourceRecordSets: records = [] } = await list({
          StartRecordName: name,
          StartRecordType: "A",
        });
        const here = records.filter((one) => plain(one.Name ?? "") === name);
        const own = ownAmong(here, zoneName, owner);
        const ownKeys = new Set(own.map((one) => `${one.type} ${one.setIdentifier}`));
        const types = recordTypes.map((type) => {
          const ofType = here.filter(({ Type }) => Type === type);
          const other = ofType.find(
            ({ SetIdentifier = "", Weight }) =>
              Weight !== undefined && !ownKeys.has(`${type} ${SetIdentifier}`),
          );
          const weights = ofType.flatMap(({ Weight }) => Weight ?? []);
          const weight = weights.length > 0 && { weight: weights.reduce((sum, one) => sum + one) };
          const othersTtl = other?.TTL !== undefined && { othersTtlSeconds: other.TTL };
          return [type, { size: ofType.length, ...weight, ...othersTtl }] as const;
        });
        return { name, own, types: new Map(types), instances: instancesAmong(here) };
      },
      async page(cursor) {
        const { begun, ...start } = cursor ?? {};
        const page = await list(start);
        const records = page.ResourceRecordSets ?? [];
        return {
          own: ownAmong(records, zoneName, owner),
          strange: strangeAmong(records, zoneName),
          instances: instancesAmong(records),
          ...nextOf(page, begun),
        };
      },
      async submit(batch, text) {
        const operation = "ChangeResourceRecordSets";
        try {
          const command = new ChangeResourceRecordSetsCommand({
            HostedZoneId: zoneId,
            ChangeBatch: {
              Comment: "ecs-discovery-agent",
              Changes: [...textChanges(text), ...stepsOf(batch).map(apiChange)],
            },
          });
          const output = await inTime(requestLimitMs, (limit) => client.send(command, limit));
          // Only Route 53 itself gives a change an id.
          if (output.ChangeInfo?.Id === undefined) {
            throw unavailable(operation, { cause: foreignAnswer(output) });
          }
          return { kind: "accepted" };
        } catch (error) {
          const message = refusal(error);
          if (message === undefined) throw failure(operation, zoneId, error);
          const { mayHaveLanded } = judged(error);
          return { kind: "refused", message, ...(mayHaveLanded && { mayHaveLanded }) };
        }
      },
    }),
    async text(name) {
      const { ResourceRecordSets: [record] = [] } = await list({
        StartRecordName: name,
        StartRecordType: "TXT",
      });
      if (record === undefined || plain(record.Name ?? "") !== name || record.Type !== "TXT") {
        return undefined;
      }
      return anyRecord(record).values.map(unquoted).join(" ");
    },
    close: () => client.destroy(),
  };
}

const nextOf = (
  page: ListResourceRecordSetsCommandOutput,
  begun: ReadonlySet<string> | undefined,
): { readonly next?: ZoneCursor } => (page.IsTruncated ? { next: cursorAfter(page, begun) } : {});

function originOf(request: unknown): string {
  const { protocol, hostname, port } = request as {
    readonly protocol: string;
    readonly hostname: string;
    readonly port?: number;
  };
  return `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`;
}

const apiChange = ({ action, record: { weight, ...record } }: Step): ApiChange => ({
  Action: action,
  ResourceRecordSet: {
    Name: `${record.name}.`,
    Type: record.type,
    SetIdentifier: record.setIdentifier,
    // A field that does not apply must be left out, not false.
    ...(weight === undefined ? { MultiValueAnswer: true } : { Weight: weight }),
    TTL: record.ttlSeconds,
    ResourceRecords: record.values.map((Value) => ({ Value })),
  },
});

/** As Route 53 writes a name, without its trailing dot. Its octal escapes stay: no name of ours holds one. */
const plain = (name: string): string => name.toLowerCase().replace(/\.$/, "");

/** Printable, without an empty label. */
const ZONE_NAME = /^(?:[!-\-/-~]+\.)*[!-\-/-~]+\.?$/;

/** Where the next page begins. Throws `Unavailable` where that is nowhere, or where a page has begun before. */
function cursorAfter(
  {
    NextRecordName: StartRecordName,
    NextRecordType: StartRecordType,
    NextRecordIdentifier: StartRecordIdentifier,
  }: ListResourceRecordSetsCommandOutput,
  begun: ReadonlySet<string> = new Set(),
): ZoneCursor {
  const start = { StartRecordName, StartRecordType, StartRecordIdentifier };
  const key = JSON.stringify(start);
  if (StartRecordName === undefined || begun.has(key)) {
    throw new Unavailable("Route 53", "answered ListResourceRecordSets with a list without end", {
      cause: `its next page begins at ${quote(key, 400)}`,
    });
  }
  return { ...start, begun: new Set([...begun, key]) };
}

const anyRecord = (record: ResourceRecordSet): AnyRecord => ({
  name: plain(record.Name ?? ""),
  type: record.Type ?? "",
  ...(record.SetIdentifier !== undefined && { setIdentifier: record.SetIdentifier }),
  ...(record.TTL !== undefined && { ttlSeconds: record.TTL }),
  ...(record.Weight !== undefined && { weight: record.Weight }),
  multivalue: record.MultiValueAnswer === true,
  values: (record.ResourceRecords ?? []).flatMap(({ Value }) => Value ?? []),
});

const instancesAmong = (records: readonly ResourceRecordSet[]): readonly InstanceId[] => [
  ...new Set(
    records.flatMap(({ SetIdentifier }) => parseSetIdentifier(SetIdentifier ?? "")?.instance ?? []),
  ),
];

const ownAmong = (
  records: readonly ResourceRecordSet[],
  zoneName: string,
  owner: Whose,
): readonly RecordSet[] =>
  records.flatMap((record) => ownRecord(anyRecord(record), zoneName, owner) ?? []);

const strangeAmong = (
  records: readonly ResourceRecordSet[],
  zoneName: string,
): readonly ForeignRecord[] =>
  records.flatMap(({ Name = "", Type = "", SetIdentifier = "" }) => {
    const record = { name: plain(Name), type: Type, setIdentifier: SetIdentifier };
    return isStrange(record, zoneName) ? [record] : [];
  });

/** What Route 53 says of a batch that it won't have; undefined for every other error. */
function refusal(error: unknown): string | undefined {
  if (judged(error).kind !== "refused") return undefined;
  const { name, message, status } = errorFacts(error);
  if (name === "InvalidChangeBatch" || name === "InvalidInput") return message;
  // The wire format of earlier years: the SDK calls it Unknown and keeps the texts in a field of its own.
  return name === "Unknown" && status === 400 ? JSON.stringify(error) : undefined;
}

/** The error to throw for one of the SDK's. Throws a defect of our own as it is. */
function failure(operation: string, zoneId: string, error: unknown): Unavailable | Fatal {
  if (error instanceof Unavailable || error instanceof Fatal) return error;
  const { kind, mayHaveLanded, words } = judged(error);
  switch (kind) {
    case "defect":
      throw error;
    case "outage":
      return unavailable(operation, { mayHaveLanded, cause: words });
    case "fewer":
    case "later":
      return unavailable(operation, { mayHaveLanded, cause: words, demand: kind });
    case "refused":
  }
  if (errorFacts(error).name.startsWith("AccessDenied")) {
    return new Fatal(
      `Route 53 denied ${operation} on zone ${zoneId}: allow route53:${operation} in the role of this process`,
      { mayHaveLanded, cause: error },
    );
  }
  return new Fatal(`Route 53 refused ${operation} on zone ${zoneId}`, {
    mayHaveLanded,
    cause: error,
  });
}

const unavailable = (
  operation: string,
  options: ConstructorParameters<typeof Unavailable>[2],
): Unavailable => new Unavailable("Route 53", `did not take ${operation}`, options);
