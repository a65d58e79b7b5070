import type { Readable } from "node:stream";
import { parseArgs } from "node:util";
import {
  ChangeResourceRecordSetsCommand,
  ListResourceRecordSetsCommand,
  type ListResourceRecordSetsCommandOutput,
  type ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import Docker from "dockerode";
import PQueue from "p-queue";
import { splitLines } from "../../lib/kit/io/lines.ts";
import { LABEL, ZONE } from "./world.ts";

/**
 * What the first agents of this kind did, in their own order: five workers, and for each event a request of its own. It
 * is given what it can be given: labels come with the event, it needs no inspect, and no event is ever lost.
 */

const { introspectionUrl = "" } = parseArgs({
  options: { introspectionUrl: { type: "string" } },
}).values;

interface ContainerEvent {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}
interface Task {
  /** Null where the ECS agent knows no such task. */
  readonly Containers:
    | readonly {
        readonly DockerId: string;
        readonly Networks?: readonly { readonly IPv4Addresses?: readonly string[] }[];
      }[]
    | null;
}

/** With the SDK's default of three attempts. */
const client = new Route53Client({});
const HELD_BACK = new Set(["Throttling", "ThrottlingException", "PriorRequestNotComplete"]);

/** Goes on when the SDK has given up, so that the work gets done in the end. */
async function retry<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof Error && HELD_BACK.has(error.name))) throw error;
    }
  }
}

const change = (Action: "UPSERT" | "DELETE", record: ResourceRecordSet) =>
  retry(() =>
    client.send(
      new ChangeResourceRecordSetsCommand({
        HostedZoneId: ZONE.id,
        ChangeBatch: { Changes: [{ Action, ResourceRecordSet: record }] },
      }),
    ),
  );

async function register(id: string, name: string): Promise<void> {
  const answer = await fetch(`${introspectionUrl}/v1/tasks?dockerid=${id}`);
  const { Containers } = (await answer.json()) as Task;
  const container = Containers?.find(({ DockerId }) => DockerId === id);
  const Value = container?.Networks?.[0]?.IPv4Addresses?.[0];
  // The container is gone already.
  if (Value === undefined) return;
  await change("UPSERT", {
    Name: name,
    Type: "A",
    SetIdentifier: id,
    Weight: 1,
    TTL: 10,
    ResourceRecords: [{ Value }],
  });
}

async function deregister(id: string, name: string): Promise<void> {
  const record = await find(id, name);
  if (record !== undefined) await change("DELETE", record);
}

/** Reads the zone from the name on, page by page, until it has found the record or passed the name. */
async function find(id: string, name: string): Promise<ResourceRecordSet | undefined> {
  let from: ListResourceRecordSetsCommand["input"] = {
    HostedZoneId: ZONE.id,
    StartRecordName: name,
    StartRecordType: "A",
  };
  for (;;) {
    const page: ListResourceRecordSetsCommandOutput = await retry(() =>
      client.send(new ListResourceRecordSetsCommand(from)),
    );
    const records = page.ResourceRecordSets ?? [];
    const found = records.find(({ SetIdentifier }) => SetIdentifier === id);
    if (found !== undefined || !page.IsTruncated || records.at(-1)?.Name !== name) return found;
    from = {
      HostedZoneId: ZONE.id,
      StartRecordName: page.NextRecordName,
      StartRecordType: page.NextRecordType,
      StartRecordIdentifier: page.NextRecordIdentifier,
    };
  }
}

const workers = new PQueue({ concurrency: 5 });
const events = await new Docker().getEvents({
  filters: { type: ["container"], label: [LABEL], event: ["start", "die"] },
});
// It remembers nothing, so it registers what runs at its start.
for (const { Id, Labels } of await new Docker().listContainers({ filters: { label: [LABEL] } })) {
  void workers.add(() => register(Id, `${Labels[LABEL]}.${ZONE.name}.`));
}
for await (const line of splitLines(events as Readable)) {
  const { Action, Actor } = JSON.parse(line ?? "") as ContainerEvent;
  const name = `${Actor.Attributes[LABEL]}.${ZONE.name}.`;
  const work = Action === "start" ? register : deregister;
  // A failure ends the process as an unhandled rejection, which the benchmark sees.
  void workers.add(() => work(Actor.ID, name));
}
