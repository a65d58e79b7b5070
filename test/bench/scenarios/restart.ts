import { rm } from "node:fs/promises";
import type { Scenario } from "../results.ts";
import { answeredAll } from "../steps.ts";
import { firstMinute, OWN_NAMES, OWN_RECORDS, RECORDS } from "../virtual/restart.ts";
import { LABEL, until, type World, world, ZONE } from "../world.ts";
import { FOLLOWS, type Kind, startWriter } from "../writers.ts";

const LATENCY_MS = 50;
const SETS_PER_NAME = 50;

/** An agent that starts again on a host where nothing changed, in a zone that is full of other records. */
export async function restart(seed: number): Promise<readonly Scenario[]> {
  const withJournal = await firstMinute({ remembers: true, seed });
  const without = await firstMinute({ remembers: false, seed });
  const agent = await agentStarts();
  const baseline = await baselineStart();
  return [
    {
      title: `d. a restart with ${OWN_RECORDS} records in a zone of ${RECORDS + 2}, ${LATENCY_MS} ms latency`,
      beside: "baseline",
      rows: [
        {
          measure: "writes at the start, from the journal",
          unit: "",
          agent: agent.withJournal.writes,
          other: baseline.writes,
          atMost: 0,
        },
        {
          measure: "requests at the start, from the journal",
          unit: "",
          agent: agent.withJournal.requests,
          other: baseline.requests,
          atMost: 2,
          plotted: true,
        },
        {
          measure: "requests at the start, without a journal",
          unit: "",
          agent: agent.without.requests,
          other: baseline.requests,
        },
        {
          measure: "spawn to the end of the start, from the journal",
          unit: "ms",
          agent: agent.withJournal.ms,
          other: baseline.ms,
        },
        {
          measure: "spawn to the end of the start, without a journal",
          unit: "ms",
          agent: agent.without.ms,
          other: baseline.ms,
        },
        {
          measure: "writes in the first minute, from the journal (virtual time)",
          unit: "",
          agent: withJournal.writes,
          atMost: 0,
        },
        {
          measure: "requests in the first minute, from the journal (virtual time)",
          unit: "",
          agent: withJournal.requests,
          atMost: 2,
        },
        {
          measure: "requests in the first minute, without a journal (virtual time)",
          unit: "",
          agent: without.requests,
        },
      ],
      notes: [
        "the agent's start ends when the zone follows, the baseline's when it has registered every running container again",
      ],
    },
  ];
}

/** A host whose containers all run. */
async function hostWorld(): Promise<World> {
  const stage = await world({ latencyMs: LATENCY_MS });
  for (let n = 0; n < OWN_RECORDS; n += 1) stage.place({ running: true, services: OWN_NAMES });
  return stage;
}

/** Others fill the zone. */
const fill = ({ route53 }: World): void =>
  route53.seed(
    ZONE.id,
    Array.from({ length: RECORDS - OWN_RECORDS }, (_, n) => ({
      name: `other-${Math.floor(n / SETS_PER_NAME)}.${ZONE.name}.`,
      type: "A",
      ttlSeconds: 10,
      values: [`172.16.${n >> 8}.${n & 255}`],
      setIdentifier: `theirs-${n}`,
      weight: 1,
    })),
  );

async function agentStarts() {
  await using stage = await hostWorld();
  // The first start of all writes the records, and the journal, as it can read the whole zone at once.
  await start(stage, OWN_RECORDS);
  fill(stage);
  const withJournal = await start(stage);
  await rm(stage.stateDir, { recursive: true });
  return { withJournal, without: await start(stage) };
}

async function start(stage: World, records = RECORDS) {
  const counted = counting(stage);
  await using writer = startWriter("agent", stage);
  await writer.says(FOLLOWS);
  const followsMs = counted.ms();
  await until(
    "all records",
    () => stage.records().length === records,
    (look) => stage.route53.onLanded(look),
    writer.failure,
  );
  await answeredAll(stage, writer.failure);
  return { ...counted.result(), ms: followsMs };
}

async function baselineStart() {
  await using stage = await hostWorld();
  fill(stage);
  const { engine, route53 } = stage;
  route53.seed(
    ZONE.id,
    engine.containers().map(({ id, labels }) => ({
      name: `${labels[LABEL]}.${ZONE.name}.`,
      type: "A",
      ttlSeconds: 10,
      values: [stage.addressOf(id)],
      setIdentifier: id,
      weight: 1,
    })),
  );
  const counted = counting(stage);
  const kind: Kind = "baseline";
  await using writer = startWriter(kind, stage);
  let landed = 0;
  await until(
    "every container to be registered again",
    () => landed === OWN_RECORDS,
    (look) =>
      route53.onLanded((changes) => {
        landed += changes.length;
        look();
      }),
    writer.failure,
  );
  await answeredAll(stage, writer.failure);
  return counted.result();
}

/** What a start asks of Route 53, from now on. */
function counting({ route53 }: World) {
  const startedMs = performance.now();
  const before = route53.requests.length;
  const ms = () => performance.now() - startedMs;
  return {
    ms,
    result() {
      const requests = route53.requests.slice(before);
      const writes = requests.filter(({ operation }) => operation === "ChangeResourceRecordSets");
      return { requests: requests.length, writes: writes.length, ms: ms() };
    },
  };
}
