import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { journalFile } from "../../lib/route53/io/journal-file.ts";
import { containerInstanceArn } from "../../lib/standins/ecs/tasks.ts";
import type { RequestPhase, RequestSeen } from "../../lib/standins/route53/server.ts";
import type { AgentProcess } from "../support/agent-process.ts";
import { NAME_LABEL, newTaskLabel, type SimulatedLab, simulatedLab } from "../support/lab.ts";
import { smallDisk } from "../support/small-disk.ts";
import { changes } from "../support/wait.ts";

const JUMPING_CLOCK = new URL("../support/jumping-clock.mjs", import.meta.url).href;
const HOUR_MS = 3_600_000;
const CANT_WRITE = "can't write the journal";

/** A service's container at an address that no other one has; its record is `<label>.<zone> <address>`. */
function serve(lab: SimulatedLab, label: string) {
  const address = `10.1.0.${lab.engine.containers().length + 1}`;
  const id = lab.engine.run({ labels: { [NAME_LABEL]: label, ...newTaskLabel() }, address });
  return { id, label, record: `${label}.${lab.zone.name} ${address}` };
}

const recordsOf = (...services: readonly { readonly record: string }[]) =>
  services.map(({ record }) => record);

/** Every change of a service's records that has landed so far. */
const changesOf = (lab: SimulatedLab, { label }: { readonly label: string }) =>
  lab.zone.landed.filter((one) => one.includes(` ${label}.`));

const warnings = (agent: AgentProcess, text: string) =>
  agent.log.filter(({ level, message }) => level === "warn" && message.includes(text));

const readsFrom = async (agent: AgentProcess): Promise<string> => {
  const { message } = await agent.until((line) => line.message.startsWith("knows this host's"));
  return message.replace(/^.* from /, "");
};

async function killed(agent: AgentProcess): Promise<void> {
  agent.kill("SIGKILL");
  await agent.exit();
}

/** Counts the requests of a phase from now on. */
function counted(lab: SimulatedLab, phase: RequestPhase, wanted: (one: RequestSeen) => boolean) {
  const moved = changes();
  let count = 0;
  lab.route53.onRequest((request, heard) => {
    if (heard !== phase || !wanted(request)) return;
    count += 1;
    moved.tell();
  });
  return {
    until: (least: number) =>
      moved.until(
        () => count >= least,
        () => `${count} requests ${phase}`,
      ),
  };
}

// All of these wait more than they work, so they run side by side, the two longest first: in those, real time passes by the
// agent's own limit of 10 s for a request.
it.concurrent("Route 53 takes every request and answers none for 45 s: the agent lives on, and the zone catches up", async () => {
  await using lab = await simulatedLab();
  const [stays, ends] = [serve(lab, "stays"), serve(lab, "ends")];
  const agent = lab.agent();
  await lab.zone.until(recordsOf(stays, ends));

  const gaveUp = counted(lab, "given up", ({ result }) => result === "hang");
  lab.route53.fail({ kind: "hang", times: Number.POSITIVE_INFINITY });
  lab.engine.kill(ends.id);
  const [short, starts] = [serve(lab, "short"), serve(lab, "starts")];
  for (const count of [1, 2, 3, 4, 5]) await gaveUp.until(count);
  lab.engine.kill(short.id);
  expect(agent.ended).toBe(false);
  expect(lab.zone.now()).toEqual(recordsOf(ends, stays));
  const before = lab.route53.requests.find(({ result }) => result === "hang")?.at ?? 0;
  expect(performance.now() - before).toBeGreaterThan(45_000);

  lab.route53.clearFaults();
  await lab.zone.until(recordsOf(stays, starts));
  expect(changesOf(lab, stays)).toHaveLength(1);
  expect(agent.ended).toBe(false);
}, 300_000);

it.concurrent("Route 53 takes every request and answers none for longer than the patience: exit code 1 with the cause, and the restart repairs the zone", async () => {
  await using lab = await simulatedLab();
  const [stays, ends] = [serve(lab, "stays"), serve(lab, "ends")];
  const first = lab.agent("--patience=1");
  await lab.zone.until(recordsOf(stays, ends));

  const gaveUp = counted(lab, "given up", ({ result }) => result === "hang");
  lab.route53.fail({ kind: "hang", times: Number.POSITIVE_INFINITY });
  lab.engine.kill(ends.id);
  await gaveUp.until(1);
  expect(first.ended).toBe(false);
  // The patience is over by now, and this was its last try.
  await gaveUp.until(2);
  expect(await first.exit()).toEqual({ code: 1, signal: null });
  expect(first.log.at(-1)).toMatchObject({
    cause: expect.stringMatching(
      /gave up after 1 s \(--patience\): Route 53 did not take ChangeResourceRecordSets/,
    ),
  });
  expect(lab.zone.now()).toEqual(recordsOf(ends, stays));

  lab.route53.clearFaults();
  const starts = serve(lab, "starts");
  lab.agent();
  await lab.zone.until(recordsOf(stays, starts));
  expect(changesOf(lab, stays)).toHaveLength(1);
}, 300_000);

it.concurrent("the ECS agent restarts: what ends meanwhile is removed, what starts waits, and what serves is left alone", async () => {
  await using lab = await simulatedLab();
  const [stays, ends] = [serve(lab, "stays"), serve(lab, "ends")];
  const agent = lab.agent();
  await lab.zone.until(recordsOf(stays, ends));

  await lab.ecs.close();
  lab.engine.kill(ends.id);
  const starts = serve(lab, "starts");
  await lab.zone.until(recordsOf(stays));
  await lab.ecs.reopen();
  await lab.zone.until(recordsOf(stays, starts));
  expect(changesOf(lab, stays)).toHaveLength(1);
  expect(agent.ended).toBe(false);
});

it.concurrent("the ECS agent is down at the agent's start, then up, and registers with its cluster later still", async () => {
  await using lab = await simulatedLab();
  const web = serve(lab, "web");
  lab.ecs.register(null);
  await lab.ecs.close();
  const agent = lab.agent();
  await agent.until(({ message }) => message.includes("did not answer"));
  await lab.ecs.reopen();
  await agent.until(({ message }) => message.includes("it has not registered with its cluster"));
  expect(lab.route53.requests).toEqual([]);
  lab.ecs.register(containerInstanceArn({ id: "ab".repeat(16) }));
  await lab.zone.until(recordsOf(web));
  expect(agent.ended).toBe(false);
});

it.concurrent.each(["reset-before", "reset-after"] as const)(
  "Route 53 resets connections (%s) for longer than the SDK tries: the zone catches up",
  async (kind) => {
    await using lab = await simulatedLab();
    const stays = serve(lab, "stays");
    const agent = lab.agent();
    await lab.zone.until(recordsOf(stays));
    lab.route53.fail({ kind, times: 12 });
    const [short, starts] = [serve(lab, "short"), serve(lab, "starts")];
    await agent.until(({ message }) => message.includes("Route 53 did not take"));
    lab.engine.kill(short.id);
    await lab.zone.until(recordsOf(stays, starts));
    expect(changesOf(lab, stays)).toHaveLength(1);
    expect(agent.ended).toBe(false);
  },
);

it.concurrent("the disk of the journal is full from the start: one warning, and it works on; the next start reads the zone", async () => {
  await using disk = await smallDisk();
  await using lab = await simulatedLab();
  await disk.fill();
  const [stays, ends] = [serve(lab, "stays"), serve(lab, "ends")];
  const first = lab.agent(`--stateDir=${disk.folder}`);
  await lab.zone.until(recordsOf(stays, ends));
  lab.engine.kill(ends.id);
  await lab.zone.until(recordsOf(stays));
  expect(warnings(first, CANT_WRITE)).toHaveLength(1);

  await killed(first);
  const starts = serve(lab, "starts");
  const second = lab.agent(`--stateDir=${disk.folder}`);
  expect(await readsFrom(second)).toBe("the zone");
  await lab.zone.until(recordsOf(stays, starts));
  expect(changesOf(lab, stays)).toHaveLength(1);
});

it.concurrent("the disk of the journal fills up while it holds a journal: that goes on in its own room, without a word", async () => {
  await using disk = await smallDisk();
  await using lab = await simulatedLab();
  const [stays, ends] = [serve(lab, "stays"), serve(lab, "ends")];
  const first = lab.agent(`--stateDir=${disk.folder}`);
  await lab.zone.until(recordsOf(stays, ends));
  await disk.fill();
  const later = [];
  for (const label of ["b", "c", "d"]) {
    later.push(serve(lab, label));
    await lab.zone.until(recordsOf(stays, ends, ...later));
  }
  expect(warnings(first, CANT_WRITE)).toEqual([]);

  await killed(first);
  lab.engine.kill(ends.id);
  const second = lab.agent(`--stateDir=${disk.folder}`);
  expect(await readsFrom(second)).toBe("the journal");
  await lab.zone.until(recordsOf(stays, ...later));
  expect(changesOf(lab, stays)).toHaveLength(1);
});

it.concurrent("the disk of the journal becomes read-only: one warning, it works on, and no start believes the journal that stayed", async () => {
  await using disk = await smallDisk();
  await using lab = await simulatedLab();
  const [stays, ends] = [serve(lab, "stays"), serve(lab, "ends")];
  const first = lab.agent(`--stateDir=${disk.folder}`);
  await lab.zone.until(recordsOf(stays, ends));
  await disk.set("ro");
  lab.engine.kill(ends.id);
  const unknown = serve(lab, "unknown");
  await lab.zone.until(recordsOf(stays, unknown));
  const another = serve(lab, "another");
  await lab.zone.until(recordsOf(stays, unknown, another));
  expect(warnings(first, CANT_WRITE)).toHaveLength(1);

  await killed(first);
  // The journal that stayed knows nothing of it: by that journal its record would never be removed.
  lab.engine.kill(unknown.id);
  const second = lab.agent(`--stateDir=${disk.folder}`);
  expect(await readsFrom(second)).toBe("the zone");
  await lab.zone.until(recordsOf(stays, another));
  expect(changesOf(lab, stays)).toHaveLength(1);
});

type Corrupt = (folder: string, name: string) => Promise<void>;
const bytes =
  (change: (text: Buffer) => Buffer | string): Corrupt =>
  async (folder, name) => {
    const path = join(folder, name);
    await writeFile(path, change(await readFile(path)));
  };
/** Whole, and written as the agent writes it. */
const text =
  (change: (text: string) => string): Corrupt =>
  async (folder, name) => {
    const file = journalFile(folder, name);
    await file.write(change((await file.read()) ?? ""));
  };
const replaced = (from: string, to: string) => (before: string) => {
  if (!before.includes(from)) throw new Error(`expected ${from} in ${before}`);
  return before.replaceAll(from, to);
};

it.concurrent.each<readonly [string, Corrupt, string]>([
  ["untouched, for comparison: it is", async () => {}, "the journal"],
  ["empty", bytes(() => ""), "the zone"],
  ["cut off in the middle", bytes((all) => all.subarray(0, all.length / 2)), "the zone"],
  ["without its last byte", bytes((all) => all.subarray(0, -1)), "the zone"],
  ["full of zeros", bytes((all) => Buffer.alloc(all.length)), "the zone"],
  // Of the letter "e" of a name, so that it still parses.
  [
    "with one bit flipped",
    bytes((all) => replaced("ends.", "dnds.")(all.toString("latin1"))),
    "the zone",
  ],
  ["of another zone", text(replaced("Z00TEST", "Z00OTHER")), "the zone"],
  ["of another boot", text((all) => all.replace(/"boot":"[^"]+"/, '"boot":"other"')), "the zone"],
])("a journal that is not as it was written is not believed %s", async (_, corrupt, source) => {
  await using disk = await smallDisk();
  await using lab = await simulatedLab();
  const [stays, ends] = [serve(lab, "stays"), serve(lab, "ends")];
  const once = async () => {
    const agent = lab.agent("--once", `--stateDir=${disk.folder}`);
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    return readsFrom(agent);
  };
  expect(await once()).toBe("the zone");
  expect(lab.zone.now()).toEqual(recordsOf(ends, stays));

  // Beside it lies the sign of life of the agent that kept it.
  const files = (await readdir(disk.folder)).filter((one) => !one.endsWith(".alive"));
  const [name, ...more] = files;
  if (name === undefined || more.length > 0) throw new Error("expected one journal");
  await corrupt(disk.folder, name);
  lab.engine.kill(ends.id);
  const starts = serve(lab, "starts");
  expect(await once()).toBe(source);
  expect(lab.zone.now()).toEqual(recordsOf(starts, stays));
  expect(changesOf(lab, stays)).toHaveLength(1);
});

it.concurrent("the wall clock jumps by hours and days, forwards and backwards: the agent goes on, and so does the zone", async () => {
  await using lab = await simulatedLab();
  const stays = serve(lab, "stays");
  const offsets = [0, 3 * HOUR_MS, -3 * HOUR_MS, 0, 400 * 24 * HOUR_MS, 0, -400 * 24 * HOUR_MS];
  const agent = lab.agentByEnvironment({
    NODE_OPTIONS: `--import=${JUMPING_CLOCK}`,
    WALL_CLOCK_MS: offsets.join(","),
  });
  await lab.zone.until(recordsOf(stays));
  let before = serve(lab, "service-0");
  await lab.zone.until(recordsOf(stays, before));
  for (const [nth, offsetMs] of offsets.entries()) {
    if (nth === 0) continue;
    agent.kill("SIGUSR2");
    await agent.until(({ offsetMs: jumped, nth: jump }) => jumped === offsetMs && jump === nth);
    lab.engine.kill(before.id);
    before = serve(lab, `service-${nth}`);
    await lab.zone.until(recordsOf(stays, before));
  }
  expect(agent.ended).toBe(false);
  expect(changesOf(lab, stays)).toHaveLength(1);
});

it.concurrent.each([-3, 3])(
  "the wall clock is off by %d hours from the start, until a time server mends it",
  async (hours) => {
    await using lab = await simulatedLab();
    const first = serve(lab, "first");
    const agent = lab.agentByEnvironment({
      NODE_OPTIONS: `--import=${JUMPING_CLOCK}`,
      WALL_CLOCK_MS: `${hours * HOUR_MS},0`,
    });
    await lab.zone.until(recordsOf(first));
    agent.kill("SIGUSR2");
    await agent.until(({ message }) => message === "the wall clock jumped");
    const second = serve(lab, "second");
    await lab.zone.until(recordsOf(first, second));
    expect(agent.ended).toBe(false);
  },
);
