import { describe, expect, it, test } from "@jest/globals";
import * as aws from "../../../agent/doctor/aws-checks.ts";
import {
  type Finding,
  type Outcome,
  outcomeOf,
  type verdicts,
} from "../../../agent/doctor/finding.ts";
import * as host from "../../../agent/doctor/host-checks.ts";
import * as zone from "../../../agent/doctor/zone-checks.ts";
import { Fatal, Unavailable } from "../../../lib/kit/failure.ts";
import { stepsOf } from "../../../lib/route53/plan.ts";
import type { AnyRecord } from "../../../lib/route53/record-set.ts";
import { applyBatch, newZone } from "../../../lib/standins/route53/rules.ts";
import { instance, owner, ZONE } from "../../support/build.ts";
import { fakeClock, settle } from "../../support/fake-clock.ts";

type Verdict = (typeof verdicts)[number];

const done = <T>(value: T): Outcome<T> => ({ kind: "done", value });
const failed = (error: unknown, problem = String(error)): Outcome<never> => ({
  kind: "failed",
  error,
  problem,
});

/** A finding is what it should be; one that is not ok says what to do. */
function says(finding: Finding, verdict: Verdict, what: string, todo = "") {
  expect(finding).toMatchObject({ verdict, what: expect.stringContaining(what) });
  if (verdict === "ok") expect(finding.todo).toBeUndefined();
  else {
    expect(todo).not.toBe("");
    expect(finding.todo).toContain(todo);
  }
}

describe("docker", () => {
  test.each([
    ["no permission for Docker's socket: connect EACCES /var/run/docker.sock", "--group-add"],
    ["Docker did not answer version: connect ENOENT /var/run/docker.sock", "mount its socket"],
    ["Docker did not answer version: connect ECONNREFUSED", "start Docker"],
    ["DOCKER_HOST: expected unix:///path", "docker version"],
  ])("%s", (problem, todo) => {
    says(host.docker(failed(undefined, problem), {}), "fail", problem, todo);
  });
});

describe("ecs-agent", () => {
  const silent = new Unavailable("the ECS agent", "was not found");
  it("says what each candidate said", () => {
    const finding = host.introspection([
      { url: "http://host:51678", found: failed(silent, "getaddrinfo ENOTFOUND host") },
      { url: "http://127.0.0.1:51678", found: failed(silent, "no answer within 2 s") },
    ]);
    says(finding, "fail", "http://host:51678: getaddrinfo ENOTFOUND host", "--network host");
    says(finding, "fail", "http://127.0.0.1:51678: no answer within 2 s", "--introspectionUrl");
  });

  it("tells an agent that is there but not registered from none", () => {
    const problem = "no container instance ARN: it has not registered with its cluster";
    const url = "http://127.0.0.1:51678";
    says(
      host.introspection([{ url, found: failed(silent, problem) }]),
      "fail",
      "has not registered",
      "ECS_CLUSTER",
    );
  });
});

describe("region", () => {
  test.each<[string | undefined, boolean, Verdict, string, string?]>([
    [undefined, true, "ok", "eu-west-1, the container instance's own"],
    [undefined, false, "skip", "not tried", "ecs-agent"],
    ["eu-west-1", true, "ok", "eu-west-1, from AWS_REGION"],
    ["us-east-1", true, "ok", "us-east-1, from AWS_REGION, this host is in eu-west-1"],
    ["us-east-1", false, "ok", "us-east-1, from AWS_REGION"],
    [
      "cn-north-1",
      true,
      "fail",
      "is cn-north-1, but the container instance is in eu-west-1",
      "unset",
    ],
    ["us-gov-west-1", true, "fail", "us-gov-west-1", "unset AWS_REGION"],
    ["Ireland", true, "fail", 'got "Ireland"', "unset AWS_REGION"],
  ])("AWS_REGION=%s, owner known: %s", (named, known, verdict, what, todo = "") => {
    const env = named === undefined ? {} : { AWS_REGION: named };
    says(aws.region(env, known ? owner : undefined), verdict, what, todo);
  });
});

describe("endpoint", () => {
  const OWN = "https://route53.amazonaws.com";
  const here = "http://127.0.0.1:1";
  test.each<[Record<string, string>, string | undefined, Verdict, string, string?]>([
    [{}, OWN, "ok", `${OWN}, the AWS SDK's own`],
    [{}, "https://route53.amazonaws.com.cn", "ok", "the AWS SDK's own"],
    [{}, here, "ok", "from a shared configuration file"],
    [{}, undefined, "skip", "not tried", "credentials"],
    [{ AWS_ENDPOINT_URL_ROUTE_53: here }, here, "ok", `${here}, from AWS_ENDPOINT_URL_ROUTE_53`],
    [{ AWS_ENDPOINT_URL: here }, here, "ok", `${here}, from AWS_ENDPOINT_URL`],
    [
      { AWS_ENDPOINT_URL_ROUTE53: here },
      OWN,
      "warn",
      `does not read: ${OWN} is asked`,
      "underscore",
    ],
    [
      { AWS_ENDPOINT_URL: here, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" },
      OWN,
      "warn",
      `${OWN} is asked`,
      "unset one",
    ],
  ])("%j, %s", (env, origin, verdict, what, todo = "") => {
    says(aws.endpoint(env, origin), verdict, what, todo);
  });
});

describe("clock", () => {
  test.each<[number, Verdict, string]>([
    [0, "ok", "agrees"],
    [-2, "ok", "agrees"],
    [29, "ok", "29 s ahead of"],
    [31, "warn", "31 s ahead of"],
    [-300, "warn", "300 s behind"],
    [301, "fail", "301 s ahead of"],
    [-86_400, "fail", "86400 s behind"],
  ])("%s s off", (seconds, verdict, what) => {
    const seen = { serverMs: 1_000_000, hereMs: 1_000_000 + seconds * 1000 };
    says(aws.clockSkew(seen), verdict, what, verdict === "ok" ? undefined : "chrony");
  });
});

test("what only a table of the SDK's names tells: where credentials were found", () => {
  says(aws.credentials(done("env vars")), "ok", "environment variables");
  says(aws.credentials(done("imds")), "ok", "instance's role");
  says(aws.credentials(done("profile sso")), "ok", "profile sso");
  says(aws.credentials(failed(new Error("none"))), "fail", "none found", "hop limit of 2");
});

const refusal = (name: string) =>
  failed(new Fatal("refused", { cause: Object.assign(new Error("no"), { name }) }));

describe("zone", () => {
  test.each([
    ["AccessDeniedException", "allow route53:GetHostedZone on arn:aws:route53:::hostedzone/Z1"],
    ["NoSuchHostedZone", "check --hostedZoneId"],
    ["InvalidClientTokenId", "renew the credentials"],
    ["Other", "HTTPS"],
  ])("%s", (name, todo) => {
    const what = name.startsWith("AccessDenied")
      ? "denied GetHostedZone on zone Z1: no"
      : "refused";
    says(aws.zone(refusal(name), "Z1"), "fail", what, todo);
  });

  it("is better private", () => {
    const facts = { name: ZONE, size: 3 };
    says(aws.zone(done({ ...facts, isPrivate: true }), "Z1"), "ok", "private, 3 record sets");
    says(aws.zone(done({ ...facts, isPrivate: false }), "Z1"), "warn", "public", "private zone");
  });
});

describe("the probes of the permission to change", () => {
  const probes = aws.probes(ZONE, instance(1));
  const steps = stepsOf(probes).map(({ action, record }) => ({
    action,
    record: { ...record, name: `${record.name}.` },
  }));

  it("can't land, neither together nor alone, in any order", () => {
    const empty = newZone("Z1", `${ZONE}.`);
    for (const batch of [steps, steps.toReversed(), ...steps.map((step) => [step])]) {
      expect(applyBatch(empty, batch)).toMatchObject({
        ok: false,
        error: { code: "InvalidChangeBatch" },
      });
    }
  });

  it("show IAM's conditions every action and type of the agent's, below the zone", () => {
    expect(new Set(steps.map(({ action }) => action))).toEqual(
      new Set(["UPSERT", "DELETE", "CREATE"]),
    );
    expect(new Set(steps.map(({ record }) => record.type))).toEqual(new Set(["A", "AAAA", "SRV"]));
    for (const { record } of steps) expect(record.name).toMatch(/^[a-z-]+\.example\.internal\.$/);
    const own = aws.probes(ZONE, instance(1), `web.${ZONE}`);
    expect(stepsOf(own).map(({ record }) => record.name)).toEqual(steps.map(() => `web.${ZONE}`));
  });

  it("tell a permission from none, and which one is missing", () => {
    const refused = done({ kind: "refused" as const });
    says(aws.changing(refused, [], "Z1"), "ok", "can be changed");
    says(aws.changing(done({ kind: "accepted" }), [], "Z1"), "fail", "accepted", "delete");
    const denied = refusal("AccessDenied");
    const single = (...tried: readonly Outcome<unknown>[]) =>
      probes.map((change, at) => ({ change, tried: tried[at] ?? refused }));
    says(
      aws.changing(denied, single(denied, denied, denied), "Z1"),
      "fail",
      "denied ChangeResourceRecordSets on zone Z1: no",
      "allow route53:ChangeResourceRecordSets on",
    );
    says(
      aws.changing(denied, single(refused, refused, denied), "Z1"),
      "fail",
      "denied DELETE and CREATE of SRV, and allows the rest",
      "complete the conditions",
    );
    says(aws.changing(refusal("Other"), [], "Z1"), "fail", "refused", "HTTPS");
  });
});

const soa = (ttlSeconds: number, minimum: number | string): AnyRecord => ({
  name: ZONE,
  type: "SOA",
  ttlSeconds,
  multivalue: false,
  values: [`ns-1.awsdns-00.org. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 ${minimum}`],
});
const listed = (...records: readonly AnyRecord[]): zone.Listed => ({ records, whole: true });
const many = (count: number, name: string): readonly AnyRecord[] =>
  Array.from({ length: count }, (_, n) => ({
    name: `${name}.${ZONE}`,
    type: "A",
    setIdentifier: `set-${n}`,
    ttlSeconds: 10,
    weight: 1,
    multivalue: false,
    values: ["10.0.0.1"],
  }));

describe("negative-ttl", () => {
  test.each<[AnyRecord, Verdict, string]>([
    [soa(900, 86_400), "warn", "for 900 s"],
    [soa(900, 60), "ok", "for 60 s"],
    [soa(61, 86_400), "warn", "for 61 s"],
    [soa(900, "soon"), "warn", "no minimum"],
  ])("of %j", (record, verdict, what) => {
    says(zone.negativeTtl(listed(record)), verdict, what, "SOA record");
  });
});

describe("full-names", () => {
  test.each<[readonly AnyRecord[], Verdict, string]>([
    [many(79, "web"), "ok", "no name has 80"],
    [many(80, "web"), "warn", `web.${ZONE} A: 80`],
    [[...many(80, "web"), ...many(99, "api")], "warn", `api.${ZONE} A: 99, web.${ZONE} A: 80`],
  ])("%#", (records, verdict, what) => {
    says(zone.fullNames(listed(...records)), verdict, what, "fewer tasks");
  });

  it("says when it has not seen all of a big zone", () => {
    const some = { records: many(3, "web"), whole: false };
    says(zone.fullNames(some), "ok", "among the zone's first 3 record sets");
  });
});

describe("proxy", () => {
  const HOST = instance(1);
  const www = (host: string): AnyRecord => ({
    name: `www.${ZONE}`,
    type: "A",
    setIdentifier: `ecs-proxy-1/${host}`,
    ttlSeconds: 300,
    weight: 1,
    multivalue: false,
    values: ["10.0.0.1"],
  });
  const ofAgent = { ...www(HOST), setIdentifier: `ecs-discovery-1/${HOST}/${HOST}` };
  test.each<[string, readonly AnyRecord[], Verdict, string]>([
    ["none", [ofAgent], "ok", "no proxy has records here"],
    [
      "two hosts'",
      [www(HOST), www("i-0123456789abcdef0")],
      "ok",
      "record sets of proxies: 2, of which this host's: 1; hosts: 2",
    ],
    ["one beside discover's", [www(HOST), ofAgent], "warn", `beside them: www.${ZONE} A`],
  ])("%s", (_, records, verdict, what) => {
    says(zone.proxyRecords(listed(...records), ZONE, HOST), verdict, what, "another name");
  });
});

describe("dns", () => {
  const ask = (answer: Parameters<typeof zone.resolving>[3], isPrivate = true) =>
    zone.resolving(ZONE, isPrivate, ["10.0.0.2"], answer, listed(soa(900, 60)));
  const master = (nameServer: string) => done({ kind: "soa" as const, nameServer });

  test.each<[string, Finding, Verdict, string, string?]>([
    ["the zone", ask(master("ns-1.awsdns-00.org")), "ok", "10.0.0.2 answers for example.internal"],
    ["another zone", ask(master("ns.other.test")), "fail", "another zone", "check --hostedZoneId"],
    [
      "no private zone",
      ask(done({ kind: "none", code: "ENOTFOUND" })),
      "fail",
      "does not know example.internal (ENOTFOUND)",
      "associate the private zone with this VPC",
    ],
    [
      "no public zone",
      ask(done({ kind: "none", code: "ENOTFOUND" }), false),
      "fail",
      "does not know",
      "delegate the zone",
    ],
    ["silence", ask(done({ kind: "silent", code: "ETIMEOUT" })), "warn", "ETIMEOUT", "--resolver"],
    ["nothing in time", ask(failed(undefined, "no answer")), "warn", "no answer", "resolv.conf"],
  ])("that answers with %s", (_, finding, verdict, what, todo = "") => {
    says(finding, verdict, what, todo);
  });
});

describe("status", () => {
  const address = { host: "127.0.0.1", port: 51680 };
  const answer = (status: number, body: unknown) =>
    done({ status, body: typeof body === "string" ? body : JSON.stringify(body) });
  test.each<[string, Parameters<typeof host.statusServer>[1], Verdict, string, string?]>([
    ["a healthy agent", answer(200, { ok: true, problems: [] }), "ok", "is healthy"],
    [
      "an ill agent",
      answer(503, { ok: false, problems: ["the event stream is closed"] }),
      "fail",
      "not healthy: the event stream is closed",
      "ecs-discovery-agent status",
    ],
    ["nobody", failed(undefined, "connect ECONNREFUSED 127.0.0.1:51680"), "ok", "nobody listens"],
    ["somebody else", answer(200, "<html>"), "warn", "something else", "--statusAddress"],
    ["somebody else's JSON", answer(404, "null"), "warn", "status 404", "--statusAddress"],
    [
      "somebody silent",
      failed(undefined, "no answer within 3 s"),
      "warn",
      "3 s",
      "see what listens",
    ],
  ])("%s", (_, asked, verdict, what, todo = "") => {
    says(host.statusServer(address, asked), verdict, what, todo);
  });

  it("is not asked for where it is off", () => {
    says(host.statusServer(undefined, undefined), "ok", "switched off");
  });
});

test("a folder that can't be written costs requests, not records", () => {
  const problem: NodeJS.ErrnoException = Object.assign(new Error("no"), { code: "EROFS" });
  says(host.journalFolder("/var/x", undefined), "ok", "/var/x can be written");
  says(host.journalFolder("/var/x", problem), "warn", "EROFS", "--stateDir");
});

describe("a check", () => {
  const stop = () => new AbortController();
  it("that never ends is given up after its time", async () => {
    const clock = fakeClock();
    const asked = outcomeOf(() => new Promise(() => {}), {
      clock,
      limitMs: 5_000,
      stop: stop().signal,
    });
    await settle();
    await clock.advance(5_000);
    expect(await asked).toMatchObject({ kind: "failed", problem: "no answer within 5 s" });
  });

  it("that fails hides no other, but a stop ends them all", async () => {
    const clock = fakeClock();
    const end = stop();
    const options = { clock, limitMs: 5_000, stop: end.signal };
    expect(await outcomeOf(() => Promise.reject(new Error("broken")), options)).toMatchObject({
      kind: "failed",
      problem: "broken",
    });
    const asked = outcomeOf(() => new Promise(() => {}), options);
    end.abort(new Error("asked to stop"));
    await expect(asked).rejects.toThrow("asked to stop");
  });
});
