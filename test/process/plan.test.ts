import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { PlanReport } from "../../agent/plan/report.ts";
import { taskArn, tasksOf } from "../../lib/standins/ecs/tasks.ts";
import type { ZoneRecord } from "../../lib/standins/route53/rules.ts";
import type { Route53StandIn } from "../../lib/standins/route53/server.ts";
import type { AgentProcess } from "../support/agent-process.ts";
import { engineLab, type SimulatedLab, simulatedLab } from "../support/lab.ts";

const ZONE = "example.internal";
const hex = (n: number, length: number) => n.toString(16).padStart(length, "0");
const task = (n: number) => hex(n, 32);
const id = (n: number) => hex(0xc0 + n, 64);

/** A running awsvpc container of task `n` on the simulated engine. */
const serve = (
  { engine }: SimulatedLab,
  n: number,
  service: string,
  over: { readonly healthcheck?: boolean; readonly address?: string; readonly name?: string } = {},
) =>
  engine.run({
    id: id(n),
    name: `${service}-${n}`,
    address: `10.0.0.${n}`,
    labels: {
      "discovery.service.name": service,
      "com.amazonaws.ecs.task-arn": taskArn(task(n)),
    },
    ...over,
  });

const instanceOf = (agent: AgentProcess) =>
  /host ([0-9a-f]{32})/.exec(agent.stdout)?.[1] ?? "no instance";

/** A record set of this host that no task of it asks for. */
const own = (instance: string, n: number, over: Partial<ZoneRecord> = {}): ZoneRecord => ({
  name: `web.${ZONE}.`,
  type: "A",
  setIdentifier: `ecs-discovery-1/${instance}/${task(n)}`,
  ttlSeconds: 10,
  weight: 1,
  values: [`10.0.0.${n}`],
  ...over,
});

async function ends(agent: AgentProcess): Promise<number | null> {
  return (await agent.exit()).code;
}

/** What a process asked of Route 53 that could change it. */
const writes = ({ requests }: Route53StandIn) =>
  requests.filter(({ operation }) => operation === "ChangeResourceRecordSets").length;

const lines = (...words: readonly string[]) => words.join("\n");

/** Who this host is: each lab has a container instance of its own. */
async function instanceIn(lab: SimulatedLab): Promise<string> {
  const plan = lab.command("plan");
  await ends(plan);
  return instanceOf(plan);
}

describe("plan", () => {
  it("shows the exact difference of a drifted zone and ends with 3, and with 0 once it is right", async () => {
    await using lab = await simulatedLab();
    const instance = await instanceIn(lab);
    serve(lab, 1, "web");
    serve(lab, 2, "web");
    serve(lab, 3, "api");
    const web1 = own(instance, 1);
    lab.route53.seed(lab.zone.id, [
      web1,
      own(instance, 9, { name: `old.${ZONE}.` }),
      own(instance, 3, { name: `api.${ZONE}.`, values: ["192.0.2.1"], weight: 7, ttlSeconds: 60 }),
      { name: `mail.${ZONE}.`, type: "A", ttlSeconds: 60, values: ["192.0.2.2"] },
    ]);
    const plan = lab.command("plan");
    expect(await ends(plan)).toBe(3);
    expect(await plan.stderr).toBe("");
    expect(plan.stdout).toBe(
      lines(
        `${ZONE} (${lab.zone.id}) and host ${instance}: 3 containers`,
        "",
        `~  api.${ZONE}  A  192.0.2.1 -> 10.0.0.3  weight 7 -> weight 1  ttl 60 -> ttl 10  task ${task(3)}  api-3 (${id(3).slice(0, 12)})`,
        `-  old.${ZONE}  A  10.0.0.9               weight 1              ttl 10            task ${task(9)}`,
        `+  web.${ZONE}  A  10.0.0.2               weight 1              ttl 10            task ${task(2)}  web-2 (${id(2).slice(0, 12)})`,
        "",
        "1 to add, 1 to change, 1 to remove; 1 right as they are.",
      ),
    );

    expect(await ends(lab.agent("--once"))).toBe(0);
    const right = lab.command("plan");
    expect(await ends(right)).toBe(0);
    expect(right.stdout).toBe(
      lines(
        `${ZONE} (${lab.zone.id}) and host ${instance}: 3 containers`,
        "",
        "Nothing to do: 3 records of this host are right.",
      ),
    );
  });

  it("says what discover then does, and nothing else", async () => {
    await using lab = await simulatedLab();
    const instance = await instanceIn(lab);
    for (let n = 1; n <= 12; n += 1) serve(lab, n, ["web", "api", "db"][n % 3] ?? "");
    lab.route53.seed(lab.zone.id, [
      own(instance, 1, { name: `api.${ZONE}.` }),
      own(instance, 2, { name: `db.${ZONE}.`, weight: 0 }),
      own(instance, 77, { name: `db.${ZONE}.` }),
      own(instance, 78, { ttlSeconds: 30 }),
      // Somebody else's, with another TTL: the group's.
      { ...own("f".repeat(32), 99), ttlSeconds: 30 },
    ]);
    const flags = ["--weight=5", "--srv"];
    const plan = lab.command("plan", [...flags, "--json"]);
    expect(await ends(plan)).toBe(3);
    const { differences } = JSON.parse(plan.stdout) as PlanReport;
    const before = new Map(lab.route53.records(lab.zone.id).map((one) => [keyOf(one), one]));

    expect(await ends(lab.agent(...flags, "--once"))).toBe(0);
    const after = new Map(lab.route53.records(lab.zone.id).map((one) => [keyOf(one), one]));
    const done = [...new Set([...before.keys(), ...after.keys()])]
      .filter((key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)))
      .map((key) => {
        const [old, now] = [before.get(key), after.get(key)];
        const action = now === undefined ? "remove" : old === undefined ? "add" : "change";
        const { ttlSeconds, weight, values } = now ?? old ?? own("", 0);
        return { key, action, ttlSeconds, weight, values };
      });
    const said = differences.map(({ name, type, setIdentifier, ...one }) => {
      const { action, ttlSeconds, weight, values } = one;
      return { key: `${name}. ${type} ${setIdentifier}`, action, ttlSeconds, weight, values };
    });
    expect(said.length).toBeGreaterThan(10);
    expect(said.toSorted(byKey)).toEqual(done.toSorted(byKey));
  });

  it("writes nothing: not to the zone, not to the journal, and only reads of Docker", async () => {
    await using lab = await engineLab();
    await lab.run({ label: "web" });
    expect(await ends(lab.agent("--once"))).toBe(0);
    await lab.run({ label: "web" });
    const journal = async () => {
      const names = (await readdir(lab.folder)).filter((name) => name.endsWith(".json"));
      return Promise.all(names.map((name) => readFile(join(lab.folder, name), "utf8")));
    };
    const before = {
      zone: lab.zone.now(),
      writes: writes(lab.route53),
      files: await readdir(lab.folder),
      journal: await journal(),
    };
    expect(before.journal).toHaveLength(1);

    const plan = lab.command("plan");
    expect(await ends(plan)).toBe(3);
    expect(plan.stdout).toContain("1 to add, 0 to change, 0 to remove; 1 right as they are.");
    expect({
      zone: lab.zone.now(),
      writes: writes(lab.route53),
      files: await readdir(lab.folder),
      journal: await journal(),
    }).toEqual(before);
    expect(lab.proxy.requests.filter(({ method }) => method !== "GET")).toEqual([]);
  });

  it("reads the zone itself: what was removed behind a running agent's back is to be added", async () => {
    await using lab = await engineLab();
    await lab.run({ label: "web" });
    lab.agent();
    await lab.follows();
    const [record] = lab.route53.records(lab.zone.id).filter(({ weight }) => weight !== undefined);
    if (record === undefined) throw new Error("expected a record");
    lab.route53.edit(lab.zone.id, [{ action: "DELETE", record }]);
    const plan = lab.command("plan");
    expect(await ends(plan)).toBe(3);
    expect(plan.stdout).toMatch(/^\+ {2}web\.example\.internal {2}A {2}[\d.]+ /m);
  });

  it("lists containers without a record as what they are", async () => {
    await using lab = await simulatedLab({
      tasks: () => [],
    });
    lab.engine.run({
      name: "starts",
      healthcheck: true,
      labels: { "discovery.service.name": "web" },
    });
    serve(lab, 2, "web", { name: "unknown" });
    lab.engine.run({ name: "no-task", labels: { "discovery.service.name": "web" } });
    lab.engine.run({ name: "bad", labels: { "discovery.service.name": "my_web" } });
    const paused = lab.engine.run({ name: "rests", labels: { "discovery.service.name": "web" } });
    lab.engine.pause(paused);
    const plan = lab.command("plan", ["--json"]);
    expect(await ends(plan)).toBe(0);
    const { left } = JSON.parse(plan.stdout) as PlanReport;
    expect(left.map(({ name, state, reason }) => [name, state, reason])).toEqual([
      ["bad", "skipped", "bad-name"],
      ["no-task", "skipped", "not-a-task"],
      ["rests", "none", "paused"],
      ["starts", "waits", "starting"],
      ["unknown", "waits", "unknown-task"],
    ]);
    const text = lab.command("plan");
    expect(await ends(text)).toBe(0);
    expect(text.stdout).toMatch(/^skipped +bad \([0-9a-f]{12}\) +bad-name +.*my_web/m);
    expect(text.stdout).toMatch(/^waits +starts \([0-9a-f]{12}\) +starting +its health check/m);
  });

  it("keeps the record of a container that the ECS agent does not know at the moment", async () => {
    await using lab = await simulatedLab({ tasks: () => [] });
    const instance = await instanceIn(lab);
    serve(lab, 1, "web");
    lab.route53.seed(lab.zone.id, [own(instance, 1)]);
    const plan = lab.command("plan");
    expect(await ends(plan)).toBe(0);
    expect(plan.stdout).toContain("Nothing to do: 1 record of this host is right.");
  });

  it("takes the TTL of the others of a name, and says what Route 53 would refuse", async () => {
    await using lab = await simulatedLab();
    serve(lab, 1, "web");
    serve(lab, 2, "taken");
    serve(lab, 3, "full");
    const foreign = (n: number, name: string) => ({
      ...own("f".repeat(32), n, { name: `${name}.${ZONE}.` }),
      ttlSeconds: 30,
    });
    lab.route53.seed(lab.zone.id, [
      foreign(50, "web"),
      { name: `taken.${ZONE}.`, type: "CNAME", ttlSeconds: 60, values: ["elsewhere.test."] },
      ...Array.from({ length: 100 }, (_, n) => foreign(n, "full")),
    ]);
    const plan = lab.command("plan", ["--json"]);
    expect(await ends(plan)).toBe(3);
    const { differences } = JSON.parse(plan.stdout) as PlanReport;
    expect(
      differences.map(({ name, ttlSeconds, obstacle }) => [name, ttlSeconds, obstacle ?? "none"]),
    ).toEqual([
      [`full.${ZONE}`, 30, expect.stringContaining("has 100 A record sets")],
      [`taken.${ZONE}`, 10, expect.stringContaining("a CNAME")],
      [`web.${ZONE}`, 30, "none"],
    ]);
    const text = lab.command("plan");
    await text.exit();
    expect(text.stdout).toMatch(/^refused by Route 53 +taken\.example\.internal A: a CNAME/m);
  });

  it("says what discover would hold back, and with --force does not", async () => {
    let told: ReturnType<typeof tasksOf> = [];
    await using lab = await simulatedLab({ tasks: () => told });
    const instance = await instanceIn(lab);
    for (const n of [1, 2, 3, 4]) serve(lab, n, "web");
    lab.route53.seed(
      lab.zone.id,
      [1, 2, 3, 4].map((n) => own(instance, n)),
    );
    // Docker shows nothing of what the ECS agent calls running.
    told = tasksOf(lab.engine.containers());
    for (const n of [1, 2, 3, 4]) lab.engine.kill(id(n));
    const plan = lab.command("plan");
    expect(await ends(plan)).toBe(3);
    expect(plan.stdout).toMatch(/held back: it would delete 4 of 4 owned records/);
    const forced = lab.command("plan", ["--force"]);
    expect(await ends(forced)).toBe(3);
    expect(forced.stdout).not.toContain("held back");
  });

  it("takes discover's own flags, those without a meaning here included; ends with 2 for others", async () => {
    await using lab = await simulatedLab();
    const plan = lab.command("plan", ["--resync=60", "--onStop=remove", "--dryRun", "--once"]);
    expect(await ends(plan)).toBe(0);
    const wrong = lab.command("plan", ["--nonsense", "--ttl=-1"]);
    expect(await ends(wrong)).toBe(2);
    expect(await wrong.stderr).toContain("--ttl: expected a whole number");
    expect(wrong.stdout).toBe("");
    const help = lab.command("plan", ["--help"]);
    expect(await ends(help)).toBe(0);
    expect(help.stdout).toContain("--ttl");
    expect(help.stdout).not.toContain("--resync");
  });

  it("ends with 1 when something does not answer, and prints no plan", async () => {
    await using lab = await simulatedLab();
    lab.ecs.fail({ kind: "reset" });
    const plan = lab.command("plan", ["--patience=0", "--json"]);
    expect(await ends(plan)).toBe(1);
    expect(JSON.parse(plan.stdout)).toEqual({
      error: expect.stringContaining("the ECS agent was not found"),
    });
    expect((await plan.errorLog()).at(-1)).toMatchObject({
      exitCode: 1,
      cause: expect.stringContaining("the ECS agent was not found"),
    });
  });

  it("ends with 1 when it is stopped: no plan is not a zone that is right", async () => {
    await using lab = await simulatedLab();
    lab.route53.fail({ operation: "GetHostedZone", kind: "hang" });
    const asked = Promise.withResolvers<void>();
    lab.route53.onRequest(() => asked.resolve());
    const plan = lab.command("plan", ["--drainTimeout=0"]);
    await asked.promise;
    plan.kill("SIGTERM");
    expect(await ends(plan)).toBe(1);
    expect(plan.stdout).toBe("");
  });

  it("prints names from outside as text that leads no terminal", async () => {
    await using lab = await simulatedLab();
    const instance = await instanceIn(lab);
    serve(lab, 1, "web", { name: "a\u001b[2J\u202eb\nc" });
    lab.route53.seed(lab.zone.id, [own(instance, 9)]);
    const plan = lab.command("plan");
    expect(await ends(plan)).toBe(3);
    expect(plan.stdout).toContain("a\\u{1b}[2J\\u{202e}b\\u{a}c");
    expect(plan.stdout).not.toMatch(/[^\P{C}\n]/u);
  });

  it("is without colours through a pipe, and with them where they are forced", async () => {
    await using lab = await simulatedLab();
    serve(lab, 1, "web");
    const piped = lab.command("plan");
    expect(await ends(piped)).toBe(3);
    expect(piped.stdout).not.toContain("\u001b[");
    const forced = lab.command("plan", [], { FORCE_COLOR: "1" });
    expect(await ends(forced)).toBe(3);
    expect(forced.stdout).toContain("\u001b[32m+\u001b[39m  web.example.internal");
  });
});

const keyOf = ({ name, type, setIdentifier }: ZoneRecord) => `${name} ${type} ${setIdentifier}`;
const byKey = (a: { readonly key: string }, b: { readonly key: string }) =>
  a.key < b.key ? -1 : 1;
