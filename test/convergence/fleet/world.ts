import type { InstanceId, TaskId } from "../../../lib/ecs/arn.ts";
import { fleetWriter } from "../../../lib/fleet/flow/fleet-writer.ts";
import { type Sender, sender } from "../../../lib/fleet/flow/host/sender.ts";
import { verdictOf } from "../../../lib/fleet/sender.ts";
import { toWire } from "../../../lib/fleet/wire.ts";
import { Fatal, Unavailable } from "../../../lib/kit/failure.ts";
import type { Clock } from "../../../lib/kit/flow/clock.ts";
import { doorbell } from "../../../lib/kit/flow/doorbell.ts";
import { retry } from "../../../lib/kit/flow/retry.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../../lib/route53/record-set.ts";
import { formatSetIdentifier } from "../../../lib/route53/set-identifier.ts";
import { formatMessage, parseMessage } from "../../../lib/sqs/message.ts";
import { senderOf } from "../../../lib/sqs/sender-id.ts";
import type { ZoneRecord } from "../../../lib/standins/route53/rules.ts";
import { instance, ZONE } from "../../support/build.ts";
import { chance } from "../../support/chance.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { gate } from "../gate.ts";
import { faultyQueue } from "./queue.ts";
import { LAST_MS, type Scenario, type Step, type StepKind, type WindowKind } from "./scenario.ts";
import { sentSets } from "./sets.ts";
import { faultyZone } from "./zone.ts";

export interface Outcome {
  readonly violations: readonly string[];
  readonly held: ReadonlySet<string>;
  readonly story: readonly string[];
}

/** A lost set is sent again after 15 minutes, a doubtful one is given up after 20: by then all is right. */
const BOUND_MS = 2_700_000;
const QUIET_MS = 120_000;
const UNIX_MS = 1_790_000_000_000;
const RESTART_MS = 5_000;
/** A host that nobody has heard of: it writes for itself. */
const UNHEARD = instance(99);

interface Host {
  readonly number: number;
  readonly owner: InstanceId;
  readonly wants: Map<RecordKey, RecordSet>;
  /** What it is not sure of, and asks to be left as it is. */
  readonly keeps: Map<RecordKey, RecordSet>;
  readonly bell: ReturnType<typeof doorbell>;
  sending: Sender | undefined;
  end: (how: "kill" | "SIGTERM" | "leave" | "leave with its records") => void;
  /** Its agent was told to end, and none comes after it. */
  isGone: boolean;
  /** Nobody may have heard of its end: what stays of it then is for the sweep. */
  isUnheard: boolean;
  clockBackMs: number;
}

/** Plays the scenario to its end, in virtual time. The same scenario is the same run. */
export async function run(scenario: Scenario, isTold = false): Promise<Outcome> {
  const clock = virtualClock();
  const unixMs = (): number => UNIX_MS + clock.now();
  const random = chance(scenario.seed);
  const held = new Set<string>();
  const story: string[] = [];
  const violations: string[] = [];
  const tell = (text: () => string): void => {
    if (isTold) story.push(`${clock.now().toFixed(0).padStart(8)} ${text()}`);
  };
  const violate = (what: string): void =>
    void violations.push(`${what} at ${clock.now().toFixed(0)}`);
  const befalls = (kind: WindowKind): boolean => {
    const nowMs = clock.now();
    const falls = scenario.windows.some(
      (one) =>
        one.kind === kind &&
        nowMs >= one.fromMs &&
        nowMs < one.fromMs + one.lengthMs &&
        random() < one.chance,
    );
    if (falls) held.add(kind);
    return falls;
  };

  /** Of each host's records since when it wants them, and whether they were in the zone since. */
  const wanted = new Map<RecordKey, { hasLanded: boolean }>();
  const byHand = new Set<string>();
  const editedOwners = new Set<InstanceId>();
  const zone = faultyZone({
    clock,
    random,
    befalls,
    landed(applied, who) {
      for (const { action, record } of applied) {
        if (record.type === "TXT") continue;
        tell(() => `${who}: ${action} ${shown(record)}`);
        const owner = /^ecs-discovery-1\/([0-9a-f]{32})\//.exec(record.setIdentifier ?? "")?.[1];
        if (!hosts.some((host) => host.owner === owner))
          violate(`(a) not its own: ${shown(record)}`);
        const key = keyOf({
          name: record.name.slice(0, -1),
          type: "A",
          setIdentifier: record.setIdentifier ?? "",
        });
        const want = wanted.get(key);
        if (action === "DELETE") {
          if (want?.hasLanded && !byHand.has(key))
            violate(`(b) removed while it serves: ${shown(record)}`);
        } else if (want !== undefined) want.hasLanded = true;
      }
      for (const { owner } of hosts) {
        const its = zone.records().filter((one) => one.setIdentifier?.includes(owner));
        sets.holds(owner, new Set(its.map(({ setIdentifier = "" }) => setIdentifier.slice(-32))));
      }
    },
  });
  const sets = sentSets();
  /** A zone changed by hand, or one that refuses for no reason, need not hold what was asked for. */
  const isAsAsked = !scenario.steps.some(({ kind }) => kind.startsWith("by hand"));
  const queue = faultyQueue({
    ...{ clock, random, befalls, unixMs },
    shuffles: scenario.shuffles,
    removed({ body, senderId: id }) {
      const host = hosts.find((one) => senderId(one) === id);
      if (host === undefined || !isAsAsked || held.has("route 53: refused in unknown words"))
        return;
      if (!sets.mayGo(host.owner, body, clock.now())) {
        violate(`(e) deleted before it was in the zone: ${body.slice(0, 200)}`);
      }
    },
  });
  let tasks = 0;
  const recordOf = (owner: InstanceId): RecordSet => {
    tasks += 1;
    return {
      name: `${tasks % 2 === 0 ? "web" : "api"}.${ZONE}`,
      type: "A",
      setIdentifier: formatSetIdentifier({
        instance: owner,
        task: tasks.toString(16).padStart(32, "0") as TaskId,
      }),
      ttlSeconds: 10,
      weight: 1,
      values: [`10.0.${tasks >> 8}.${tasks & 255}`],
    };
  };
  const hosts: readonly Host[] = Array.from({ length: scenario.hosts }, (_, number) => ({
    number,
    owner: instance(number + 1),
    wants: new Map(),
    keeps: new Map(),
    bell: doorbell(),
    sending: undefined,
    end: () => {},
    isGone: false,
    isUnheard: false,
    clockBackMs: 0,
  }));
  const foreign: readonly ZoneRecord[] = [
    { name: `mail.${ZONE}.`, type: "A", ttlSeconds: 60, values: ["192.0.2.1"] },
    { ...recordOf(UNHEARD), name: `web.${ZONE}.` },
    { ...recordOf(UNHEARD), name: `api.${ZONE}.` },
  ];
  zone.edit(foreign.map((record) => ({ action: "UPSERT", record })));

  const starts = (host: Host): void => {
    const record = recordOf(host.owner);
    host.wants.set(keyOf(record), record);
    wanted.set(keyOf(record), { hasLanded: false });
    tell(() => `host ${host.number} wants ${record.values[0]}`);
    host.bell.ring();
  };
  const stops = (host: Host, key: RecordKey | undefined): void => {
    if (key === undefined) return;
    host.wants.delete(key);
    wanted.delete(key);
    tell(() => `host ${host.number} stops ${key.slice(-4)}`);
    host.bell.ring();
  };
  /** Of a host whose agent has left for good nothing is told any more. */
  const later = (host: Host, ms: number, act: () => void): void =>
    clock.at(clock.now() + ms, () => {
      if (!host.isGone) act();
    });
  /** For a moment the host can't say whether the task is there. */
  const doubts = (host: Host, key: RecordKey | undefined, isThere: () => boolean): void => {
    const record = key === undefined ? undefined : host.wants.get(key);
    if (key === undefined || record === undefined) return;
    host.wants.delete(key);
    host.keeps.set(key, record);
    host.bell.ring();
    later(host, 300, () => {
      if (!host.keeps.delete(key)) return;
      if (isThere()) host.wants.set(key, record);
      else wanted.delete(key);
      tell(() => `host ${host.number} is sure of ${key.slice(-4)}`);
      host.bell.ring();
    });
  };
  const senderId = (host: Host): string => `AROAHOSTS:i-${host.owner.slice(-17)}`;

  const startAgent = (host: Host): void => {
    const ends = new AbortController();
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      if (host.isGone) return;
      clock.at(clock.now() + RESTART_MS * (0.1 + random()), () => startAgent(host));
    };
    const through = gate(over);
    const own: Clock = {
      now: clock.now,
      sleep: (ms, stop) => through.call(() => clock.sleep(ms, stop)),
    };
    const sending = sender({
      desired: () => new Map(host.wants),
      kept: () => new Set(host.keeps.keys()),
      bell: host.bell,
      send: (body) =>
        through.call(() => {
          sets.sent(host.owner, body, clock.now());
          return queue.send(senderId(host), body);
        }),
      zone: { id: "Z1", name: ZONE, isNamed: true },
      owner: host.owner,
      cluster: "prod",
      epoch: Math.round(unixMs() - host.clockBackMs),
      direct: () => false,
      clock: own,
      random,
      report: (told) =>
        tell(
          () =>
            `host ${host.number}: ${told.kind} ${told.kind === "sent" ? `${told.why}, ${told.records} records` : told.problem}`,
        ),
    });
    host.sending = sending;
    host.end = (how) => {
      tell(() => `host ${host.number}: agent ${how}`);
      if (how === "kill") {
        through.close();
        over();
        return;
      }
      if (how !== "SIGTERM") {
        host.isGone = true;
        for (const [one, record] of host.keeps) host.wants.set(one, record);
        host.keeps.clear();
        isToRemove = how === "leave with its records";
      }
      ends.abort();
    };
    let isToRemove = false;
    sending
      .run(ends.signal)
      .then(() => {
        if (isToRemove) for (const key of [...host.wants.keys()]) stops(host, key);
        return sending.leave(isToRemove, host.isGone ? BOUND_MS : 5_000);
      })
      .then(over, (error: unknown) => violate(`(d) an agent failed: ${String(error)}`));
  };

  const lives: { kill(): void; killAt(calls: number): void; stop(): void; spare(): void }[] = [];
  const startWriter = (isMain: boolean): void => {
    const name = chanceHex(random);
    const ends = new AbortController();
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      lives.splice(lives.indexOf(life), 1);
      if (isMain) clock.at(clock.now() + RESTART_MS * (0.1 + random()), () => startWriter(true));
    };
    const through = gate(over);
    const { call } = through;
    const own: Clock = { now: clock.now, sleep: (ms, stop) => call(() => clock.sleep(ms, stop)) };
    const ports = zone.writer(`writer ${name.slice(0, 4)}`);
    const life = {
      kill() {
        through.close();
        over();
      },
      killAt: (calls: number) => through.closeAt(calls, random() < 0.5 ? "before" : "after"),
      spare: () => through.spare(),
      stop: () => ends.abort(),
    };
    lives.push(life);
    void fleetWriter<string>({
      writer: name,
      zones: [
        {
          names: ports.names,
          submit: (batch, fence) => call(() => ports.submit(batch, fence)),
          fence: (at) => call(() => ports.fence(at)),
          group: (whose, at) => call(() => ports.group(whose, at)),
          page: (from) => call(() => ports.page(from)),
        },
      ],
      queue: {
        receive: (stop) => call(() => queue.ports.receive(stop)),
        hide: (receipts, seconds) => call(() => queue.ports.hide(receipts, seconds)),
        remove: (receipts) => call(() => queue.ports.remove(receipts)),
        bury: (body, reason) => call(async () => queue.ports.bury?.(body, reason)),
      },
      visibilitySeconds: 60,
      judge: (id, owner) =>
        call(async () => {
          await clock.sleep(5);
          if (befalls("ecs: away")) throw new Unavailable("ECS", "is away");
          const host = hosts.find((one) => one.owner === owner);
          const ec2Instance = host && `i-${host.owner.slice(-17)}`;
          return verdictOf(senderOf(id), owner, { ec2Instance, taskInstance: undefined });
        }),
      loops: 2,
      resyncMs: 120_000,
      force: true,
      insist: (act) => retry(act, { clock: own, random, limitMs: 600_000, stop: ends.signal }),
      clock: own,
      random,
      unixMs,
      report(told) {
        if (["asked", "received", "took"].includes(told.kind)) return;
        tell(() => `writer ${name.slice(0, 4)}: ${JSON.stringify(told).slice(0, 160)}`);
        held.add(`writer: ${told.kind}`);
        if (told.kind === "doubtful") {
          const host = hosts.find((one) => one.owner === told.owner);
          if (host?.isGone === true) host.isUnheard = true;
        }
      },
    })
      .run(ends.signal)
      .then(
        () => "asked",
        (error: unknown) => {
          const isTakenOver = error instanceof Fatal && /has taken over/.test(error.message);
          if (isTakenOver) held.add("writer: ended by another");
          else if (!ends.signal.aborted)
            violate(
              `(d) the writer failed: ${error instanceof Error ? error.stack : String(error)}`,
            );
          return "failed";
        },
      )
      .then((how) => {
        tell(() => `writer ${name.slice(0, 4)} ends: ${how}`);
        through.close();
        over();
      });
  };

  const lie = (victim: Host, records: readonly RecordSet[]): void => {
    const liar = hosts.find((host) => host !== victim);
    const head = {
      zone: "Z1",
      zoneName: ZONE,
      owner: victim.owner,
      cluster: "prod",
      epoch: Math.round(unixMs()) + 1_000_000,
      seq: 9_999,
      upMs: 1,
      drain: true,
      leaves: false,
      direct: false,
    };
    const [body = ""] = formatMessage(toWire(head, ZONE, records, []));
    const id = liar === undefined ? "AROAHOSTS:i-0123456789abcdef0" : senderId(liar);
    queue.send(id, body).catch(() => {});
  };
  const act = ({ kind, who }: Step): void => {
    const host = hosts[who % hosts.length];
    if (host === undefined || (host.isGone && /^(task|host|agent):/.test(kind))) return;
    const keys = [...host.wants.keys()];
    const key = keys[who % Math.max(1, keys.length)];
    const life = lives[who % Math.max(1, lives.length)];
    tell(() => `-- ${kind} (${host.number})`);
    held.add(kind);
    const edit = (action: "DELETE" | "UPSERT"): void => {
      const record = zone.records().filter((one) => one.setIdentifier?.includes(host.owner))[0];
      if (record === undefined) return;
      // What somebody else has made of the records of a host that is gone, nobody will put right.
      editedOwners.add(host.owner);
      byHand.add(`${record.name.slice(0, -1)} A ${record.setIdentifier}`);
      zone.edit([
        { action, record: action === "UPSERT" ? { ...record, values: ["192.0.2.9"] } : record },
      ]);
    };
    const steps: Readonly<Record<StepKind, () => void>> = {
      "task: starts": () => starts(host),
      "task: stops": () => stops(host, key),
      "task: replaced"() {
        starts(host);
        later(host, 2_000, () => stops(host, key));
      },
      "task: starts, and stops at once"() {
        starts(host);
        const [started] = [...host.wants.keys()].slice(-1);
        later(host, 120 + (who % 8) * 60, () => stops(host, started));
      },
      "task: unsure, then as before": () => doubts(host, key, () => true),
      "task: unsure, then gone": () => doubts(host, key, () => false),
      "host: loses all tasks"() {
        for (const one of keys) stops(host, one);
      },
      "agent: killed": () => host.end("kill"),
      "agent: SIGTERM": () => host.end("SIGTERM"),
      "agent: leaves for good": () => host.end("leave"),
      "agent: leaves for good, with its records": () => host.end("leave with its records"),
      "agent: comes back with its clock set back"() {
        host.clockBackMs = host.clockBackMs === 0 ? 3_600_000 : 0;
        host.end("kill");
      },
      "writer: killed": () => life?.kill(),
      "writer: killed at a call": () => life?.killAt(1 + (who % 30)),
      "writer: SIGTERM": () => life?.stop(),
      "writer: a second one starts": () => startWriter(false),
      "liar: empties another host": () => lie(host, []),
      "liar: adds to another host": () => lie(host, [recordOf(host.owner)]),
      "stranger: sends garbage": () =>
        void queue.send(senderId(host), '{"v":1,"zone":').catch(() => {}),
      "stranger: has no role": () => void queue.send("AIDAUSER", "{}").catch(() => {}),
      "by hand: our record deleted": () => edit("DELETE"),
      "by hand: our record edited": () => edit("UPSERT"),
    };
    steps[kind]();
  };

  for (const host of hosts) {
    for (let n = 0; n < scenario.tasks; n += 1) starts(host);
    clock.at(random() * 5_000, () => startAgent(host));
  }
  startWriter(true);
  for (const step of scenario.steps) clock.at(step.atMs, () => act(step));
  const isWrong = () => violations.length > 0;
  await clock.pass(LAST_MS, isWrong);
  for (const life of lives) life.spare();
  byHand.clear();
  tell(() => "-- all faults are over");
  await clock.pass(LAST_MS + BOUND_MS, isWrong);
  if (!isWrong()) settled();
  const before = zone.changing();
  await clock.pass(LAST_MS + BOUND_MS + QUIET_MS, isWrong);
  if (!isWrong()) settled();
  if (!isWrong() && zone.changing() > before) violate("(c) not quiet");
  if (!isWrong() && queue.size() > hosts.length) violate(`(c) ${queue.size()} messages are left`);
  return { violations, held, story };

  function settled(): void {
    for (const host of hosts.filter(({ isGone }) => isGone)) {
      const said = queue.lost().map((body) => parseMessage(body));
      host.isUnheard ||= editedOwners.has(host.owner);
      host.isUnheard ||= said.some(
        (one) => one.ok && one.message.leaves && one.message.owner === host.owner,
      );
    }
    const heard = hosts.filter(({ isUnheard }) => !isUnheard);
    const unheard = hosts.filter(({ isUnheard }) => isUnheard);
    const must = [
      ...foreign.map(shown),
      ...heard.flatMap(({ wants }) =>
        [...wants.values()].map((one) => shown({ ...one, name: `${one.name}.` })),
      ),
    ].toSorted();
    const is = zone
      .records()
      .filter(({ type }) => type === "A")
      .filter(
        ({ setIdentifier = "" }) => !unheard.some(({ owner }) => setIdentifier.includes(owner)),
      )
      .map(shown)
      .toSorted();
    for (const one of must.filter((each) => !is.includes(each))) violate(`(c) missing ${one}`);
    for (const one of is.filter((each) => !must.includes(each))) violate(`(c) left over ${one}`);
  }
}

const shown = ({ name, type, setIdentifier = "", values }: ZoneRecord): string =>
  `${name} ${type} ${setIdentifier.slice(-38)} ${values.join(" ")}`;

const chanceHex = (random: () => number): string =>
  Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join("");
