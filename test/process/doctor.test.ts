import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "@jest/globals";
import type { Finding } from "../../agent/doctor/finding.ts";
import { dnsServer } from "../../lib/standins/dns/server.ts";
import { type LabOptions, type SimulatedLab, simulatedLab } from "../support/lab.ts";

const denied = {
  status: 403,
  code: "AccessDenied",
  message:
    "User: arn:aws:sts::123456789012:assumed-role/agent/i-1 is not authorized to perform this operation",
};

/** A lab in which all is well: a private zone with a short negative TTL, and a resolver that answers for it. */
async function wellLab(options: LabOptions = { privateZone: true }) {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await simulatedLab(options));
  const [soa] = lab.route53.records(lab.zone.id).filter(({ type }) => type === "SOA");
  if (soa === undefined) throw new Error("expected a SOA record");
  lab.route53.edit(lab.zone.id, [{ action: "UPSERT", record: { ...soa, ttlSeconds: 30 } }]);
  const dns = await dnsServer({
    zones: () => [{ name: lab.zone.name, records: lab.route53.records(lab.zone.id) }],
    random: Math.random,
  });
  stack.defer(() => dns.close());
  const held = stack.move();
  const before = lab.route53.records(lab.zone.id);
  return {
    lab,
    /** What the doctor says, as JSON. Whatever it was, it has changed nothing. */
    async examine(flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
      const held = JSON.stringify(lab.route53.records(lab.zone.id));
      const doctor = start(lab, ["--json", ...flags], env);
      const { code } = await doctor.exit();
      expect(JSON.stringify(lab.route53.records(lab.zone.id))).toBe(held);
      const report = JSON.parse(doctor.stdout) as {
        readonly ok: boolean;
        readonly findings: readonly Finding[];
      };
      expect(report.ok).toBe(code === 0);
      return { code, ...report, of: (check: string) => findingOf(report.findings, check) };
    },
    start: (flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
      start(lab, flags, env),
    before,
    async [Symbol.asyncDispose]() {
      await held.disposeAsync();
    },
  };

  function start(
    { command }: SimulatedLab,
    flags: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    const here = [`--resolver=${dns.address}:${dns.port}`, "--statusAddress=127.0.0.1:1"];
    return command("doctor", [...here, ...flags], env);
  }
}

function findingOf(findings: readonly Finding[], check: string): Finding {
  const found = findings.find((one) => one.check === check);
  if (found === undefined) throw new Error(`expected a finding of ${check}`);
  return found;
}

const CHECKS = [
  "docker",
  "ecs-agent",
  "owner",
  "region",
  "endpoint",
  "credentials",
  "clock",
  "zone",
  "read",
  "change",
  "negative-ttl",
  "full-names",
  "proxy",
  "dns",
  "journal",
  "status",
];

describe("doctor", () => {
  it("finds nothing where all is well, and ends with 0", async () => {
    await using well = await wellLab();
    const { code, findings, of } = await well.examine();
    expect(findings.map(({ check, verdict }) => [check, verdict])).toEqual(
      CHECKS.map((check) => [check, "ok"]),
    );
    expect(code).toBe(0);
    expect(of("docker").what).toContain("API 1.52");
    expect(of("ecs-agent").what).toContain(well.lab.ecs.url);
    expect(of("owner").what).toMatch(/container instance [0-9a-f]{32} of cluster default/);
    expect(of("endpoint").what).toBe(`${well.lab.route53.url}, from AWS_ENDPOINT_URL_ROUTE_53`);
    expect(of("credentials").what).toContain("environment variables");
    expect(of("zone").what).toContain("example.internal, private");
  });

  it("for people has a line for each check, and below it what to do", async () => {
    await using well = await wellLab({});
    const doctor = well.start();
    expect((await doctor.exit()).code).toBe(0);
    const lines = doctor.stdout.split("\n");
    expect(lines).toHaveLength(CHECKS.length + 1);
    expect(lines[7]).toMatch(/^warn +zone +example\.internal, public/);
    expect(lines[8]).toMatch(/^ +-> use a private zone of your VPCs/);
    expect(await doctor.stderr).toBe("");
  });

  it("tries permissions without a change", async () => {
    await using well = await wellLab();
    await well.examine();
    expect(well.lab.route53.records(well.lab.zone.id)).toEqual(well.before);
    expect(well.lab.zone.landed).toEqual([]);
    const tried = well.lab.route53.requests.map(({ operation, result }) => [operation, result]);
    expect(tried).toEqual([
      ["GetHostedZone", "ok"],
      ["ListResourceRecordSets", "ok"],
      ["ChangeResourceRecordSets", "InvalidChangeBatch"],
    ]);
  });

  it("without Docker says so, and still checks all the rest", async () => {
    await using well = await wellLab();
    const { code, findings, of } = await well.examine([], {
      DOCKER_HOST: "unix:///nowhere/docker.sock",
    });
    expect(code).toBe(1);
    expect(of("docker")).toMatchObject({
      verdict: "fail",
      what: expect.stringContaining("ENOENT"),
      todo: expect.stringContaining("-v /var/run/docker.sock:/var/run/docker.sock"),
    });
    expect(findings.filter(({ verdict }) => verdict !== "ok")).toHaveLength(1);
  });

  it("without introspection says what each candidate said, and still asks the zone", async () => {
    await using well = await wellLab();
    well.lab.ecs.fail({ kind: "reset" });
    const { code, of } = await well.examine([], { AWS_REGION: "eu-west-1" });
    expect(code).toBe(1);
    expect(of("ecs-agent")).toMatchObject({
      verdict: "fail",
      what: expect.stringContaining(well.lab.ecs.url),
      todo: expect.stringContaining("--network host"),
    });
    expect(of("owner")).toMatchObject({ verdict: "skip", todo: 'first "ecs-agent"' });
    for (const check of ["zone", "read", "change", "dns"]) expect(of(check).verdict).toBe("ok");
  });

  it("with a zone that is not there says to check its id", async () => {
    await using well = await wellLab();
    const { code, of } = await well.examine(["--hostedZoneId=Z00OTHER"]);
    expect(code).toBe(1);
    expect(of("zone")).toMatchObject({
      verdict: "fail",
      what: expect.stringContaining("No hosted zone found with ID: Z00OTHER"),
      todo: expect.stringContaining("check --hostedZoneId"),
    });
    for (const check of ["change", "negative-ttl", "full-names", "dns"]) {
      expect(of(check)).toMatchObject({ verdict: "skip", what: "not tried" });
    }
  });

  it.each([
    ["GetHostedZone", "zone"],
    ["ListResourceRecordSets", "read"],
    ["ChangeResourceRecordSets", "change"],
  ] as const)(
    "without the permission for %s names it, and the resource",
    async (operation, check) => {
      await using well = await wellLab();
      well.lab.route53.fail({ operation, times: 10, kind: { error: denied } });
      const { code, of, findings } = await well.examine();
      expect(code).toBe(1);
      expect(of(check)).toMatchObject({
        verdict: "fail",
        what: expect.stringContaining(`Route 53 denied ${operation}`),
        todo: expect.stringContaining(
          `allow route53:${operation} on arn:aws:route53:::hostedzone/${well.lab.zone.id}`,
        ),
      });
      // The zone's name is in its list of records, too.
      expect(findings.filter(({ verdict }) => verdict === "fail")).toHaveLength(1);
    },
  );

  it("with a policy whose conditions are too narrow says which changes it denies", async () => {
    await using well = await wellLab();
    let changes = 0;
    const deny = () =>
      well.lab.route53.fail({
        operation: "ChangeResourceRecordSets",
        kind: { error: denied },
      });
    deny();
    well.lab.route53.onRequest(({ operation }, phase) => {
      if (operation !== "ChangeResourceRecordSets" || phase !== "answered") return;
      changes += 1;
      // All together, and the last one by itself: DELETE and CREATE of SRV.
      if (changes === 3) deny();
    });
    const { of } = await well.examine();
    expect(changes).toBe(4);
    expect(of("change")).toMatchObject({
      verdict: "fail",
      what: expect.stringContaining("denied DELETE and CREATE of SRV, and allows the rest"),
      todo: expect.stringContaining("actions UPSERT, DELETE and CREATE"),
    });
  });

  it("with a region of another partition says to unset it", async () => {
    await using well = await wellLab();
    const { code, of } = await well.examine([], { AWS_REGION: "cn-north-1" });
    expect(code).toBe(1);
    expect(of("region")).toMatchObject({
      verdict: "fail",
      what: expect.stringContaining(
        "AWS_REGION is cn-north-1, but the container instance is in eu-west-1",
      ),
      todo: expect.stringContaining("unset AWS_REGION"),
    });
  });

  it("with a misspelt endpoint variable says that the AWS SDK does not read it", async () => {
    await using well = await wellLab();
    const { code, of } = await well.examine([], { AWS_ENDPOINT_URL_ROUTE53: "http://127.0.0.1:1" });
    expect(code).toBe(0);
    expect(of("endpoint")).toMatchObject({
      verdict: "warn",
      what: expect.stringContaining(`${well.lab.route53.url} is asked`),
      todo: expect.stringContaining("AWS_ENDPOINT_URL_ROUTE_53"),
    });
  });

  it.each([
    [10 * 60_000, "600 s behind"],
    [-10 * 60_000, "600 s ahead of"],
  ])(
    "with a clock that is off by more than AWS takes says to mend it: %s ms",
    async (aheadMs, what) => {
      await using well = await wellLab();
      well.lab.route53.set({ aheadMs });
      const { code, of } = await well.examine();
      expect(code).toBe(1);
      expect(of("clock")).toMatchObject({
        verdict: "fail",
        what: expect.stringMatching(/^(599|600|601) s /),
        todo: expect.stringContaining("chrony"),
      });
      expect(of("clock").what).toContain(what.replace(/^\d+ s /, ""));
    },
  );

  it("without credentials says where they can come from", async () => {
    await using well = await wellLab();
    const { code, of } = await well.examine([], {
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
    });
    expect(code).toBe(1);
    // What could not be tried is no cause of its own.
    for (const check of ["zone", "read", "change"]) {
      expect(of(check)).toMatchObject({ verdict: "skip", what: "not tried" });
      expect(of(check).todo).toMatch(/first "(credentials|zone)"/);
    }
    expect(of("credentials")).toMatchObject({
      verdict: "fail",
      todo: expect.stringContaining("taskRoleArn"),
    });
    expect(well.lab.route53.requests).toEqual([]);
  });

  it("with a resolver that does not know the zone says to associate it with the VPC", async () => {
    await using well = await wellLab();
    const other = await dnsServer({ zones: () => [], random: Math.random });
    try {
      const { code, of } = await well.examine([`--resolver=${other.address}:${other.port}`]);
      expect(code).toBe(1);
      expect(of("dns")).toMatchObject({
        verdict: "fail",
        what: expect.stringContaining(
          `${other.address}:${other.port} does not know example.internal`,
        ),
        todo: expect.stringContaining("associate the private zone with this VPC"),
      });
    } finally {
      await other.close();
    }
  });

  it("warns of names that are nearly full, long negative answers and a folder that can't be written", async () => {
    await using well = await wellLab();
    const { lab } = well;
    lab.route53.seed(
      lab.zone.id,
      Array.from({ length: 80 }, (_, n) => ({
        name: `web.${lab.zone.name}.`,
        type: "A",
        ttlSeconds: 10,
        weight: 1,
        values: ["10.0.0.1"],
        setIdentifier: `set-${n}`,
      })),
    );
    const [soa] = lab.route53.records(lab.zone.id).filter(({ type }) => type === "SOA");
    if (soa === undefined) throw new Error("expected a SOA record");
    lab.route53.edit(lab.zone.id, [{ action: "UPSERT", record: { ...soa, ttlSeconds: 900 } }]);
    const { code, of } = await well.examine(["--stateDir=/dev/null/state"]);
    expect(code).toBe(0);
    expect(of("full-names")).toMatchObject({
      verdict: "warn",
      what: expect.stringContaining(": 80"),
    });
    expect(of("negative-ttl")).toMatchObject({
      verdict: "warn",
      what: expect.stringContaining("for 900 s"),
      todo: expect.stringContaining("SOA record"),
    });
    expect(of("journal")).toMatchObject({
      verdict: "warn",
      what: expect.stringContaining("ENOTDIR"),
      todo: expect.stringContaining("--stateDir"),
    });
  });

  it.each([
    [503, { ok: false, problems: ["no write has landed for 90 s"] }, "fail", "no write has landed"],
    [200, { ok: true, problems: [] }, "ok", "is healthy"],
    [200, "hello", "warn", "something else"],
  ])("says how a running agent feels: %s %j", async (status, body, verdict, what) => {
    await using well = await wellLab();
    const server = createServer((_, response) =>
      response.writeHead(status).end(JSON.stringify(body)),
    ).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const { of } = await well.examine([`--statusAddress=127.0.0.1:${port}`]);
      expect(of("status")).toMatchObject({ verdict, what: expect.stringContaining(what) });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it("prints what others say as text that leads no terminal", async () => {
    await using well = await wellLab();
    well.lab.route53.fail({
      operation: "GetHostedZone",
      kind: { error: { status: 400, code: "Odd", message: "red \u202e\nand more" } },
    });
    const doctor = well.start();
    expect((await doctor.exit()).code).toBe(1);
    expect(doctor.stdout).toContain("red \\u{202e}\\u{a}and more");
    expect(doctor.stdout).not.toMatch(/[^\P{C}\n]/u);
  });

  it("without Route 53 in reach ends in time, and says what to open", async () => {
    await using well = await wellLab();
    const { code, of } = await well.examine([], {
      AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:1",
    });
    expect(code).toBe(1);
    expect(of("zone")).toMatchObject({
      verdict: "fail",
      todo: expect.stringContaining("reaches the endpoint"),
    });
    expect(of("endpoint").what).toContain("http://127.0.0.1:1");
  });
});
