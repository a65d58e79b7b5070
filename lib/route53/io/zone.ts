import {
  type Change as ApiChange,
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  GetHostedZoneCommand,
  ListResourceRecordSetsCommand,
  type ListResourceRecordSetsCommandOutput,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { judged } from "../../aws/answer.ts";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { foreignAnswer, inTime, REQUEST_LIMIT_MS, readWhole } from "../../aws/io/whole-answers.ts";
import type { InstanceId } from "../../ecs/arn.ts";
import { Fatal } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";
import { PAGE_SIZE } from "../batches.ts";
import type { Group } from "../group.ts";
import type { ForeignRecord, Whose } from "../own-record.ts";
import { type Change, stepsOf } from "../plan.ts";
import type { AnyRecord, RecordSet } from "../record-set.ts";
import { type TextMove, textChanges, unquoted } from "../text-move.ts";
import { failure, refusal, unavailable } from "./zone-answers.ts";
import {
  anyRecord,
  apiChange,
  groupOf,
  instancesAmong,
  nextOf,
  ownAmong,
  type PageStart,
  plain,
  strangeAmong,
  type ZoneCursor,
} from "./zone-records.ts";

export type { ZoneCursor } from "./zone-records.ts";

/**
 * One Route 53 hosted zone. Every function throws `Unavailable` when trying again may help, and `Fatal` when only an
 * operator can (no permission, no such zone).
 */
export interface HostedZone {
  /** The zone's name, in lower case, without the trailing dot, and how many record sets it holds. */
  facts(): Promise<{ readonly name: string; readonly size: number }>;
  /** The owner's view of the zone, once its name is known; for "any instance" that of all agents together, and for "any host" that of all proxies besides. */
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
  /** Whether all of Route 53's name servers answer with an accepted change (status INSYNC): one request. */
  isInSync(changeId: string): Promise<boolean>;
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
  ): Promise<
    | { kind: "accepted"; changeId?: string }
    | { kind: "refused"; message: string; mayHaveLanded?: boolean }
  >;
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

  const requests = zoneRequests(client, zoneId, requestLimitMs);
  const { list } = requests;

  return {
    facts: requests.facts,
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
    as: (owner, zoneName) => ownedZone(requests, owner, zoneName),
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
    isInSync: requests.isInSync,
    close: () => client.destroy(),
  };
}

type ZoneRequests = ReturnType<typeof zoneRequests>;

/** The requests to one zone; each throws what `failure` makes of its error. */
function zoneRequests(client: Route53Client, zoneId: string, limitMs: number) {
  const list = async (start: PageStart): Promise<ListResourceRecordSetsCommandOutput> => {
    const operation = "ListResourceRecordSets";
    try {
      const command = new ListResourceRecordSetsCommand({
        HostedZoneId: zoneId,
        MaxItems: PAGE_SIZE,
        ...start,
      });
      const page = await inTime(limitMs, (limit) => client.send(command, limit));
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
    list,
    async facts() {
      const command = new GetHostedZoneCommand({ Id: zoneId });
      const output = await inTime(limitMs, (limit) => client.send(command, limit)).catch(
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
    async isInSync(changeId: string): Promise<boolean> {
      const command = new GetChangeCommand({ Id: changeId });
      const output = await inTime(limitMs, (limit) => client.send(command, limit)).catch(
        (error: unknown) => {
          throw failure("GetChange", zoneId, error);
        },
      );
      return output.ChangeInfo?.Status === "INSYNC";
    },
    /** Like `OwnedZone.submit`, in Route 53's own terms. */
    async change(changes: readonly ApiChange[]): ReturnType<OwnedZone["submit"]> {
      const operation = "ChangeResourceRecordSets";
      try {
        const command = new ChangeResourceRecordSetsCommand({
          HostedZoneId: zoneId,
          ChangeBatch: { Comment: "ecs-discovery-agent", Changes: [...changes] },
        });
        const output = await inTime(limitMs, (limit) => client.send(command, limit));
        // Only Route 53 itself gives a change an id.
        if (output.ChangeInfo?.Id === undefined) {
          throw unavailable(operation, { cause: foreignAnswer(output) });
        }
        return { kind: "accepted", changeId: output.ChangeInfo.Id };
      } catch (error) {
        const message = refusal(error);
        if (message === undefined) throw failure(operation, zoneId, error);
        const { mayHaveLanded } = judged(error);
        return { kind: "refused", message, ...(mayHaveLanded && { mayHaveLanded }) };
      }
    },
  };
}

/** The zone as one owner sees it. */
const ownedZone = ({ list, change }: ZoneRequests, owner: Whose, zoneName: string): OwnedZone => ({
  async group(name) {
    // A name holds at most 100 sets of a type, so one page holds those of our three types.
    const { ResourceRecordSets: records = [] } = await list({
      StartRecordName: name,
      StartRecordType: "A",
    });
    const here = records.filter((one) => plain(one.Name ?? "") === name);
    return groupOf(name, here, zoneName, owner);
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
  submit: async (batch, text) => change([...textChanges(text), ...stepsOf(batch).map(apiChange)]),
});

function originOf(request: unknown): string {
  const { protocol, hostname, port } = request as {
    readonly protocol: string;
    readonly hostname: string;
    readonly port?: number;
  };
  return `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`;
}

/** Printable, without an empty label. */
const ZONE_NAME = /^(?:[!-\-/-~]+\.)*[!-\-/-~]+\.?$/;
