import { describe, expect, it } from "@jest/globals";
import { startAgent } from "../support/agent-process.ts";
import { NAME_LABEL, newTaskLabel, type SimulatedLab, simulatedLab } from "../support/lab.ts";

const serve = (lab: SimulatedLab, label: string, address: string) =>
  lab.engine.run({ labels: { [NAME_LABEL]: label, ...newTaskLabel() }, address });

/** Resolves when the first request to change the zone has arrived; from then on answers take `latencyMs`. */
function changeArrives(lab: SimulatedLab, latencyMs = 0): Promise<void> {
  return new Promise((resolve) => {
    lab.route53.onRequest(({ operation }, phase) => {
      if (operation !== "ChangeResourceRecordSets" || phase !== "arrived") return;
      lab.route53.set({ latencyMs });
      resolve();
    });
  });
}

describe("promise 8: SIGTERM and SIGINT", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "%s lets the change in flight land, starts no other, and ends with 0",
    async (signal) => {
      await using lab = await simulatedLab();
      serve(lab, "web", "10.0.0.1");
      const arrived = changeArrives(lab, 2_000);
      const agent = lab.agent();
      await arrived;
      serve(lab, "late", "10.0.0.2");
      agent.kill(signal);
      expect(await agent.exit()).toEqual({ code: 0, signal: null });
      expect(lab.zone.now()).toEqual(["web.example.internal 10.0.0.1"]);
      expect(lab.zone.changeRequests).toBe(1);
      expect(agent.log.at(-1)).toMatchObject({ message: "ends: asked to stop", exitCode: 0 });
    },
  );

  it("starts no request either for what Route 53 refuses meanwhile", async () => {
    await using lab = await simulatedLab();
    const web = serve(lab, "web", "10.0.0.1");
    const agent = lab.agent();
    await lab.zone.until(["web.example.internal 10.0.0.1"]);
    const record = lab.route53.records(lab.zone.id).find(({ weight }) => weight !== undefined);
    // Somebody else's hand: the agent can no longer delete what it wrote.
    if (record === undefined) throw new Error("expected a record");
    lab.route53.edit(lab.zone.id, [
      { action: "UPSERT", record: { ...record, values: ["10.0.0.9"] } },
    ]);
    const arrived = changeArrives(lab, 1_000);
    lab.engine.kill(web);
    await arrived;
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(lab.route53.requests.at(-1)).toMatchObject({
      operation: "ChangeResourceRecordSets",
      result: "InvalidChangeBatch",
    });
  });

  it("leaves the records as they are: containers outlive their agent", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    const agent = lab.agent();
    await lab.zone.until(["web.example.internal 10.0.0.1"]);
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.landed).toHaveLength(1);
    expect(await agent.stderr).toBe("");
  });

  it("ends with 0 also while it still waits for the ECS agent at its start", async () => {
    await using lab = await simulatedLab();
    lab.ecs.fail({ kind: { status: 500, body: "" } });
    const agent = lab.agent();
    await agent.until(({ message }) => message.includes("tries again"));
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
  });

  it("ends with 0 also while the ECS agent leaves a look unanswered", async () => {
    await using lab = await simulatedLab();
    lab.ecs.fail({ path: /dockerid=/, kind: "hang" });
    serve(lab, "web", "10.0.0.1");
    const agent = lab.agent("--logLevel=debug");
    await agent.until(({ message }) => message.startsWith("found the zone"));
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.changeRequests).toBe(0);
  });

  it("a second one ends it at once, with 1", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    lab.route53.fail({ operation: "ChangeResourceRecordSets", kind: "hang" });
    const arrived = changeArrives(lab);
    const agent = lab.agent();
    await arrived;
    agent.kill("SIGTERM");
    await agent.until(({ message }) => message.startsWith("SIGTERM: "));
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(agent.log.at(-1)).toMatchObject({ message: "ends: SIGTERM during the drain" });
  });

  it("a drain beyond --drainTimeout ends with 1", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    lab.route53.fail({ operation: "ChangeResourceRecordSets", kind: "hang" });
    const arrived = changeArrives(lab);
    const agent = lab.agent("--drainTimeout=1");
    await arrived;
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(agent.log.at(-1)).toMatchObject({ message: "ends: the drain took longer than 1 s" });
  });
});

describe("promise 7: our faults stop us", () => {
  const failsWith = async (lab: SimulatedLab, cause: string, ...flags: string[]) => {
    const agent = lab.agent(...flags);
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(agent.log.at(-1)).toMatchObject({
      message: "ends: failed",
      cause: expect.stringContaining(cause),
    });
    return agent;
  };

  it.each(["GetHostedZone", "ListResourceRecordSets", "ChangeResourceRecordSets"] as const)(
    "no permission for %s: ends at once and names the action to allow",
    async (operation) => {
      await using lab = await simulatedLab();
      serve(lab, "web", "10.0.0.1");
      const message = `User is not authorized to perform: route53:${operation}`;
      lab.route53.fail({
        operation,
        times: 100,
        kind: { error: { status: 403, code: "AccessDenied", message } },
      });
      const agent = await failsWith(lab, `allow route53:${operation} in the role`);
      expect(agent.stdout).not.toContain("tries again");
      const asked = lab.route53.requests.filter((request) => request.operation === operation);
      expect(asked).toHaveLength(1);
    },
  );

  it("no such hosted zone", async () => {
    await using lab = await simulatedLab();
    await failsWith(lab, "No hosted zone found with ID: Z00OTHER", "--hostedZoneId=Z00OTHER");
  });

  it("no Docker engine beyond the patience", async () => {
    await using lab = await simulatedLab();
    await lab.engine.close();
    await failsWith(lab, "gave up after 1 s (--patience): Docker did not answer", "--patience=1");
  });

  it("no ECS agent beyond the patience: says where it looked", async () => {
    await using lab = await simulatedLab();
    await lab.ecs.close();
    await failsWith(lab, `the ECS agent at ${lab.ecs.url} did not answer`, "--patience=1");
  });

  it("an ECS agent that never answers, as behind a firewall that drops", async () => {
    await using lab = await simulatedLab();
    lab.ecs.fail({ kind: "hang" });
    await failsWith(lab, "no answer within 2 s", "--patience=1");
  });

  it("an ECS agent that fails later, beyond the patience: the records stay", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    const agent = lab.agent("--patience=1");
    await lab.zone.until(["web.example.internal 10.0.0.1"]);
    lab.ecs.fail({ kind: { status: 500, body: "" } });
    serve(lab, "new", "10.0.0.2");
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(agent.log.at(-1)).toMatchObject({ cause: expect.stringContaining("status 500") });
    expect(lab.zone.now()).toEqual(["web.example.internal 10.0.0.1"]);
  });

  it("a drain beyond its deadline, too, names the failure behind it", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    lab.route53.fail({ operation: "ChangeResourceRecordSets", kind: "hang" });
    const arrived = changeArrives(lab);
    const agent = lab.agent("--drainTimeout=1");
    await arrived;
    lab.engine.cutStreams("reset");
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(agent.log.at(-1)).toMatchObject({
      message: "ends: the drain took longer than 1 s",
      cause: expect.stringContaining("Docker cut its event stream"),
    });
  });

  it("but Route 53 that throttles is there: it is asked on, beyond the patience, too", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    const error = { status: 400, code: "Throttling", message: "Rate exceeded" };
    lab.route53.fail({ operation: "ChangeResourceRecordSets", times: 8, kind: { error } });
    lab.agent("--patience=0");
    await lab.zone.until(["web.example.internal 10.0.0.1"]);
  });

  it("Route 53 whose answers get lost: what was in doubt is settled, in both directions", async () => {
    await using lab = await simulatedLab();
    const agent = lab.agent();
    await lab.engine.untilStreams(1);
    // More than the SDK tries by itself.
    const lost = () =>
      lab.route53.fail({ operation: "ChangeResourceRecordSets", times: 6, kind: "reset-after" });
    lost();
    const web = serve(lab, "web", "10.0.0.1");
    await agent.until(({ message }) => message === "registered");
    expect(lab.zone.now()).toEqual(["web.example.internal 10.0.0.1"]);

    lost();
    lab.engine.kill(web);
    await lab.zone.until([]);
    lab.route53.clearFaults();
    serve(lab, "next", "10.0.0.2");
    await lab.zone.until(["next.example.internal 10.0.0.2"]);
    expect(agent.log.filter(({ message }) => message.includes("refuses"))).toEqual([]);
  });

  it("Route 53 that throttles for a while: it goes on, and the record lands", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    const error = { status: 400, code: "Throttling", message: "Rate exceeded" };
    lab.route53.fail({ operation: "ChangeResourceRecordSets", times: 6, kind: { error } });
    const agent = lab.agent();
    await lab.zone.until(["web.example.internal 10.0.0.1"]);
    await agent.until(
      ({ level, message }) => level === "warn" && message.includes("Rate exceeded"),
    );
  });
});

describe("promise 7: theirs are data", () => {
  it.each([
    ["does not know the task yet", { status: 404, body: "{}" }],
    ["answers with something else than JSON", { status: 200, body: "<html>" }],
    ["answers with status 500", { status: 500, body: "" }],
  ])("an ECS agent that %s is asked again, until the record lands", async (_, kind) => {
    await using lab = await simulatedLab();
    lab.ecs.fail({ path: /dockerid=/, times: 2, kind });
    serve(lab, "web", "10.0.0.1");
    const agent = lab.agent();
    await lab.zone.until(["web.example.internal 10.0.0.1"]);
    expect(agent.log.filter(({ level }) => level === "warn")).toEqual([]);
  });
});

describe("--once", () => {
  it("ends when the zone is right, not while a container is yet to be asked about again", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    lab.ecs.fail({ path: /dockerid=/, times: 1, kind: { status: 500, body: "" } });
    expect(await lab.agent("--once").exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual(["web.example.internal 10.0.0.1"]);
  });

  it("gives a whole weighted group another TTL", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    serve(lab, "web", "10.0.0.2");
    await lab.agent("--once", "--ttl=10").exit();
    await lab.agent("--once", "--ttl=20").exit();
    const own = lab.route53.records(lab.zone.id).filter(({ weight }) => weight !== undefined);
    expect(own.map(({ ttlSeconds }) => ttlSeconds)).toEqual([20, 20]);
  });
});

describe("the command line", () => {
  /** Nothing listens there: none of these gets that far. */
  const nowhere = { AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9" };
  const ended = async (...flags: string[]) => {
    const agent = startAgent(flags, nowhere);
    const { code } = await agent.exit();
    return { code, stdout: agent.stdout, stderr: await agent.stderr };
  };

  it("says what is missing, without a stack trace, and ends with 2", async () => {
    expect(await ended()).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "ecs-discovery-agent: --hostedZoneId: expected a Route 53 hosted zone id such as " +
        "Z0123456789ABCDEFGHIJ, or the zone's name such as example.internal, got nothing (or set HOSTED_ZONE_ID)\n",
    });
  });

  it("says everything that is wrong at once", async () => {
    const { code, stderr } = await ended(
      "--hostedZoneId=/zone/Z1",
      "--ttl=ten",
      "--weight=256",
      "--workers=0",
      "--introspectionUrl=ftp://127.0.0.1",
      "--logFormat=xml",
      "--nonsense",
    );
    expect(code).toBe(2);
    expect(stderr.trimEnd().split("\n").toSorted()).toEqual(
      [
        'unknown flag "--nonsense", see --help',
        `--hostedZoneId: expected a Route 53 hosted zone id such as Z0123456789ABCDEFGHIJ, or the zone's name such as example.internal, got "/zone/Z1"`,
        '--ttl: expected a whole number from 0 to 2147483647, got "ten"',
        '--weight: expected a whole number from 0 to 255, got "256"',
        '--workers: expected a whole number from 1 to 100, got "0"',
        '--introspectionUrl: expected a URL such as http://127.0.0.1:51678, without user and password, got "ftp://127.0.0.1"',
        '--logFormat: expected one of text, json, got "xml"',
      ]
        .map((problem) => `ecs-discovery-agent: ${problem}`)
        .toSorted(),
    );
  });

  it("knows no other mode than it has", async () => {
    const { code, stderr } = await ended("discovr");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ecs-discovery-agent: unknown mode "discovr", did you mean discover\?/);
  });

  it("--help and --version go to standard output and end with 0", async () => {
    const help = await ended("discover", "--help");
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/--hostedZoneId <id> .*\(required, or\s+HOSTED_ZONE_ID\)/s);
    expect(await ended("--version")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      stderr: "",
    });
  });

  it("reads flags from the environment", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    const agent = lab.agentByEnvironment({
      ECS_DISCOVERY_ONCE: "true",
      ECS_DISCOVERY_TTL: "7",
      ECS_DISCOVERY_WEIGHT: "3",
    });
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.landedRecords).toEqual([
      expect.objectContaining({ ttlSeconds: 7, weight: 3, values: ["10.0.0.1"] }),
    ]);
  });
});
