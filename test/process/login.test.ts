import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { type AgentProcess, startAgent } from "../support/agent-process.ts";
import { dockerRegistry, type TestRegistry } from "../support/docker-registry.ts";
import { TEST_IMAGE } from "../support/engine.ts";

const run = promisify(execFile);
const USER = "joe";
const PASSWORD = `p#a "s' s\\w=ö`;
/** The password in double quotes, as a shell would take it. */
const QUOTED = `"p#a \\"s' s\\\\w=ö"`;

let registry: TestRegistry;
let folder: string;
beforeAll(async () => {
  registry = await dockerRegistry(USER, PASSWORD);
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "login-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (file: string) => join(folder, file);
const start = (...flags: readonly string[]): AgentProcess => startWith({}, ...flags);
const startWith = (
  env: Readonly<Record<string, string>>,
  ...flags: readonly string[]
): AgentProcess =>
  startAgent(
    [
      ...["login", `--loginFile=${at("login.txt")}`, `--dockerConfig=${at("docker")}`],
      ...[`--ecsConfig=${at("ecs.config")}`, "--statusAddress=127.0.0.1:0", "--logFormat=json"],
      ...flags,
    ],
    {
      PATH: process.env["PATH"] ?? "",
      AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
      ...env,
    },
  );
const configJson = async (): Promise<{ readonly auths: Readonly<Record<string, unknown>> }> =>
  JSON.parse(await readFile(at("docker/config.json"), "utf8")) as {
    readonly auths: Readonly<Record<string, unknown>>;
  };
/** Everything that the process said, in any way. */
const said = async (agent: AgentProcess) => `${agent.stdout}\n${await agent.stderr}`;

describe("login against a real registry", () => {
  it("writes a login that the registry takes, and the engine pushes and pulls with it", async () => {
    await writeFile(
      at("login.txt"),
      `# mine\n-u ${USER} -p ${QUOTED} ${registry.host} # not the hub\n`,
    );
    await writeFile(at("ecs.config"), "ECS_CLUSTER=prod\nECS_ENGINE_AUTH_DATA=old\n", {
      mode: 0o644,
    });
    const agent = start("--once", "--check");
    expect(await agent.ends).toEqual({ code: 0, signal: null });

    expect((await stat(at("docker/config.json"))).mode & 0o777).toBe(0o600);
    expect((await stat(at("ecs.config"))).mode & 0o777).toBe(0o644);
    const [cluster, type, data = ""] = (await readFile(at("ecs.config"), "utf8")).split("\n");
    expect([cluster, type]).toEqual(["ECS_CLUSTER=prod", "ECS_ENGINE_AUTH_TYPE=dockercfg"]);
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString("base64");
    expect(JSON.parse(data.replace("ECS_ENGINE_AUTH_DATA=", ""))).toEqual({
      [registry.host]: { auth },
    });

    const image = `${registry.host}/login-test:1`;
    const docker = (...words: readonly string[]) =>
      run("docker", ["--config", at("docker"), ...words]);
    await docker("tag", TEST_IMAGE, image);
    try {
      await docker("push", image);
      await docker("rmi", image);
      await docker("pull", image);
      await docker("image", "inspect", image);
      // It was the login: without one there is no pull.
      await docker("rmi", image);
      await expect(run("docker", ["--config", at("none"), "pull", image])).rejects.toThrow(
        "no basic auth credentials",
      );
    } finally {
      await docker("rmi", image).catch(() => {});
    }
    expect(await said(agent)).not.toContain("p#a");
  });

  it("tells wrong lines by their numbers alone, and does the others", async () => {
    await writeFile(
      at("login.txt"),
      [
        `-u ${USER} -p ${QUOTED} ${registry.host}`,
        `-u ${USER} -p hunter2-unclosed "quay.io`,
        `-u ${USER} --pass=hunter2-flag quay.io`,
        `hunter2-word`,
        `-u ${USER} -p hunter2-refused localhost:${registry.host.split(":")[1]}`,
      ].join("\n"),
    );
    const agent = start("--once", "--check");
    expect(await agent.ends).toEqual({ code: 1, signal: null });
    const all = await said(agent);
    for (const line of [2, 3, 4, 5]) expect(all).toContain(`login.txt:${line}: `);
    expect(all).toContain("refuses the user or password");
    expect(all).not.toContain("hunter2");
    expect(Object.keys((await configJson()).auths)).toEqual([registry.host]);
  });

  it("gives no secret to a program that it starts, in its arguments or its environment", async () => {
    const program = `#!/bin/sh\nprintf '%s\\n' "$@" > "${at("told")}"\nenv >> "${at("told")}"\n`;
    await writeFile(at("systemctl"), program, { mode: 0o755 });
    await writeFile(at("login.txt"), `-u a -p hunter2-one quay.io\n`);
    const agent = startWith({ PATH: `${folder}:/usr/bin:/bin` }, "--restartEcs", "--once");
    const commandLine = await readFile(`/proc/${agent.pid}/cmdline`, "utf8");
    expect(await agent.ends).toEqual({ code: 0, signal: null });
    const told = await readFile(at("told"), "utf8");
    expect(told).toMatch(/^restart\necs\n/);
    const auth = Buffer.from("a:hunter2-one").toString("base64");
    for (const text of [told, commandLine]) {
      for (const secret of ["hunter2", auth]) expect(text).not.toContain(secret);
    }
  });

  it("keeps the files as the lines change, and says nothing secret on its page", async () => {
    await writeFile(at("login.txt"), `-u a -p hunter2-one quay.io\n`);
    const agent = start();
    const { url } = await agent.until(({ message }) => message === "the status page is served");
    await agent.until(
      ({ message, registry: of }) => message === "login written" && of === "quay.io",
    );
    await writeFile(at("login.txt"), `-u a -p hunter2-two docker.io\n`);
    await agent.until(
      ({ message, registry: of }) => message === "login removed" && of === "quay.io",
    );
    expect(Object.keys((await configJson()).auths)).toEqual(["https://index.docker.io/v1/"]);
    const pages = await Promise.all(
      ["/", "/v1/state", "/metrics", "/healthz", "/readyz"].map(async (path) =>
        (await fetch(new URL(path, String(url)))).text(),
      ),
    );
    expect(pages[1]).toContain("https://index.docker.io/v1/");
    agent.kill("SIGTERM");
    expect(await agent.ends).toEqual({ code: 0, signal: null });
    const secrets = [
      "hunter2",
      Buffer.from("a:hunter2-one").toString("base64"),
      Buffer.from("a:hunter2-two").toString("base64"),
    ];
    for (const text of [...pages, await said(agent)]) {
      for (const secret of secrets) expect(text).not.toContain(secret);
    }
  });
});
