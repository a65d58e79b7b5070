import { spawn } from "node:child_process";
import { chmod } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { rawServer } from "../fuzz/raw-server.ts";
import { TEST_IMAGE } from "../support/engine.ts";
import {
  type EngineLab,
  engineLab,
  NAME_LABEL,
  newTaskLabel,
  simulatedLab,
} from "../support/lab.ts";

const MAIN = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));

describe("Docker", () => {
  it("is asked for nothing but events, containers and its version, through the whole life of an agent", async () => {
    await using lab = await engineLab();
    const first = lab.agent("--resync=1", "--health=docker");
    const stays = await lab.run({ label: "stays" });
    const goes = await lab.run({
      label: "goes",
      healthcheck: { Test: ["CMD-SHELL", ":"], Interval: 1e9 },
    });
    await lab.follows();
    await goes.pause();
    await goes.unpause();
    const bad = await lab.run({ label: "bad_name" });
    lab.proxy.send("no JSON: everything is looked at again");
    await lab.caughtUp();
    first.kill("SIGKILL");
    await first.exit();
    await Promise.all([goes.kill(), bad.kill()]);
    const second = lab.agent();
    await lab.follows();
    await stays.stop({ t: 0 });
    await lab.caughtUp();
    second.kill("SIGTERM");
    expect(await second.exit()).toEqual({ code: 0, signal: null });

    // The proxy lets these through alone: had the agent needed more, it would have come to nothing.
    expect(lab.proxy.refused).toEqual([]);
    const kinds = lab.proxy.requests.map(({ method, path }) =>
      `${method} ${path}`.replace(/\?.*/, "").replace(/[0-9a-f]{64}/, "<id>"),
    );
    expect([...new Set(kinds)].toSorted()).toEqual([
      "GET /containers/<id>/json",
      "GET /containers/json",
      "GET /events",
      "GET /version",
    ]);
  });

  it("that refuses more than that is not asked for it: the proxy would say so", async () => {
    await using lab = await engineLab();
    const refusal = await fetchSocket(lab, "/containers/json/../../images/json");
    expect(refusal).toBe(403);
    expect(lab.proxy.refused).toHaveLength(1);
  });
});

/** The proxy's status for a GET of this path. */
async function fetchSocket(lab: EngineLab, path: string): Promise<number | undefined> {
  const { request } = await import("node:http");
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  request({ socketPath: lab.proxy.dockerHost.replace("unix://", ""), path }, (answer) => {
    answer.resume();
    resolve(answer.statusCode);
  })
    .once("error", reject)
    .end();
  return promise;
}

describe("a process without rights", () => {
  it("works: no root, no file that it may write, no process that it may start", async () => {
    await using lab = await engineLab();
    const socketPath = lab.proxy.dockerHost.replace("unix://", "");
    // As a host does for the group that owns Docker's socket.
    await chmod(lab.folder, 0o711);
    await chmod(socketPath, 0o666);
    const isRoot = process.getuid?.() === 0;
    const agent = spawn(
      process.execPath,
      [
        // Denies all writes, child processes, workers and native code.
        "--permission",
        "--allow-fs-read=*",
        MAIN,
        `--hostedZoneId=${lab.zone.id}`,
        `--introspectionUrl=${lab.ecs.url}`,
        "--stateDir=/var/lib/ecs-discovery-agent",
        "--logFormat=json",
      ],
      {
        cwd: "/",
        ...(isRoot && { uid: 65_534, gid: 65_534 }),
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          DOCKER_HOST: lab.proxy.dockerHost,
          AWS_ENDPOINT_URL_ROUTE_53: lab.route53.url,
          AWS_REGION: "eu-west-1",
          AWS_ACCESS_KEY_ID: "test",
          AWS_SECRET_ACCESS_KEY: "test",
          AWS_EC2_METADATA_DISABLED: "true",
        },
      },
    );
    const [stdout, stderr] = [text(agent.stdout), text(agent.stderr)];
    const exit = new Promise((resolve) => agent.once("close", (code) => resolve(code)));
    try {
      await lab.run({ label: "web" });
      await lab.follows();
      const gone = await lab.run({ label: "api" });
      await lab.follows();
      await gone.kill();
      await lab.follows();
    } finally {
      agent.kill("SIGTERM");
    }
    expect(await exit).toBe(0);
    const lines = (await stdout).trim().split("\n");
    const warnings = lines.filter((line) => line.includes('"level":"warn"'));
    // Once, though it would have written a journal with each change.
    expect(warnings).toEqual([expect.stringContaining("can't write the journal, works without")]);
    expect(await stderr).toBe("");
  });
});

describe("a label called signal", () => {
  it("overwrites what Docker says of its own container's signals, and misleads about no other", async () => {
    await using lab = await engineLab();
    lab.agent();
    const liar = await lab.run({ label: "liar", labels: { signal: "15" } });
    await lab.run({ label: "honest" });
    await lab.follows();
    await liar.kill({ signal: "SIGHUP" });
    await lab.route53.until(lab.zone.id, () => lab.zone.now().length === 1);
    expect(lab.zone.now()).toEqual([expect.stringMatching(/^honest\./)]);
  });
});

/** Each of them in one place only, so that a leak tells where it came from. */
const SECRET = {
  key: "wJalrSECRETKEYq7/K7MDENG+bPxRfi",
  session: "IQoJSESSIONTOKEN//////////wEaCXVz/+==",
  credentials: "AUTHTOKENofTheTask",
  url: "PASSWORDinURL",
  env: "ENVIRONMENTofAnother",
  label: "LABELofAnother",
  issued: "ISSUEDSECRETKEY/abc+def",
} as const;
const keys = {
  AWS_SECRET_ACCESS_KEY: SECRET.key,
  AWS_SESSION_TOKEN: SECRET.session,
  ECS_DISCOVERY_LOG_LEVEL: "debug",
  ECS_DISCOVERY_PATIENCE: "1",
};

function expectNoSecret(output: string): void {
  // Half of one is too much, too.
  const parts = Object.values(SECRET).flatMap((secret) => [secret.slice(0, 9), secret.slice(-9)]);
  expect(parts.filter((part) => output.includes(part))).toEqual([]);
}

describe("no line of the log, at debug, holds", () => {
  it("what other labels and the environment of a container say", async () => {
    await using lab = await engineLab();
    const agent = lab.agentByEnvironment(keys);
    const container = await lab.docker.createContainer({
      Image: TEST_IMAGE,
      Cmd: ["sleep", "3600"],
      name: lab.named("secretive"),
      Env: [`DB_PASSWORD=${SECRET.env}`],
      Labels: {
        "eda-test": lab.id,
        [NAME_LABEL]: "web,bad_name",
        "discovery.service.ttl": "10",
        "app.password": SECRET.label,
        ...newTaskLabel(),
      },
      HostConfig: { NetworkMode: lab.named("network") },
    });
    await container.start();
    await lab.caughtUp();
    lab.proxy.send("{");
    await container.kill();
    await lab.caughtUp();
    agent.kill("SIGTERM");
    await agent.exit();
    expect(agent.stdout).toContain("bad_name");
    expectNoSecret(agent.stdout + (await agent.stderr));
  });

  it.each([
    [
      "the signed headers that AWS repeats",
      403,
      "SignatureDoesNotMatch",
      `does not match the signature you provided.\n\nThe Canonical String for this request should have been\n'GET\n/2013-04-01\n\nhost:route53\nx-amz-security-token:${SECRET.session}\n\nThe String-to-Sign`,
      "does not match the signature you provided",
    ],
    [
      "the Authorization header that AWS repeats",
      403,
      "IncompleteSignature",
      `'x' not a valid key=value pair in Authorization header: 'AWS4-HMAC-SHA256 Credential=AKIA, Signature=${SECRET.issued}'`,
      "not a valid key=value pair",
    ],
    [
      "a key, wherever AWS repeats it",
      403,
      "AccessDenied",
      `not authorized: ${SECRET.key} and ${SECRET.session}`,
      "allow route53:GetHostedZone",
    ],
    [
      "the same in an error that is tried again",
      503,
      "ServiceUnavailable",
      `try later, x-amz-security-token: ${SECRET.session}`,
      "gave up after 1 s",
    ],
  ])("%s", async (_, status, code, message, told) => {
    await using lab = await simulatedLab();
    lab.route53.fail({ kind: { error: { status, code, message } }, times: 1_000 });
    const agent = lab.agentByEnvironment(keys);
    expect(await agent.exit()).toMatchObject({ code: 1 });
    expect(agent.stdout).toContain(told);
    expectNoSecret(agent.stdout + (await agent.stderr));
  });

  it("an answer of the credentials' endpoint that can't be used, nor the token it is asked with", async () => {
    const answers = [
      [200, `{"AccessKeyId":"AKIA","SecretAccessKey":"${SECRET.issued}`],
      [200, `${SECRET.issued} {`],
      [200, `{"AccessKeyId":"AKIA","SecretAccessKey":"${SECRET.issued}"}`],
      [403, `{"Code":"x","Message":"${SECRET.issued}"}`],
    ] as const;
    const saying = async ([status, body]: (typeof answers)[number]) => {
      await using lab = await simulatedLab();
      await using server = await rawServer("port");
      server.answer = { status, chunks: [body] };
      const agent = lab.agentByEnvironment({
        ...keys,
        AWS_ACCESS_KEY_ID: "",
        AWS_SECRET_ACCESS_KEY: "",
        AWS_SESSION_TOKEN: "",
        AWS_CONTAINER_CREDENTIALS_FULL_URI: server.url,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: SECRET.credentials,
      });
      expect(await agent.exit()).toMatchObject({ code: 1 });
      expect(server.requests[0]?.headers.authorization).toBe(SECRET.credentials);
      expect(agent.stdout).toContain("gave up after 1 s");
      expectNoSecret(agent.stdout + (await agent.stderr));
    };
    await Promise.all(answers.map(saying));
  });

  it.each([
    [
      "DOCKER_HOST",
      { DOCKER_HOST: `tcp://user:${SECRET.url}@127.0.0.1:1` },
      "Docker did not answer",
    ],
    [
      "AWS's endpoint",
      { AWS_ENDPOINT_URL_ROUTE_53: `http://user:${SECRET.url}@127.0.0.1:1` },
      "Route 53 did not take",
    ],
  ])("the password in the URL of %s", async (_, env, told) => {
    await using lab = await simulatedLab();
    const agent = lab.agentByEnvironment({ ...keys, ...env });
    expect(await agent.exit()).toMatchObject({ code: 1 });
    expect(agent.stdout).toContain(told);
    expectNoSecret(agent.stdout + (await agent.stderr));
  });

  it("the password in --introspectionUrl, which takes none", async () => {
    await using lab = await simulatedLab();
    const url = `http://user:${SECRET.url}@127.0.0.1:1`;
    const agent = lab.agentByEnvironment({ ...keys, ECS_DISCOVERY_INTROSPECTION_URL: url });
    expect(await agent.exit()).toMatchObject({ code: 2 });
    const told = await agent.stderr;
    expect(told).toContain(
      'ECS_DISCOVERY_INTROSPECTION_URL: expected a URL such as http://127.0.0.1:51678, without user and password, got "http://[hidden]@127.0.0.1:1"',
    );
    expectNoSecret(agent.stdout + told);
  });
});
