import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "@jest/globals";
import { MAIN, startAgent } from "../support/agent-process.ts";
import { simulatedLab } from "../support/lab.ts";

/** For npm, which looks for node and a shell. */
const PATHS = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/" };
/** A module that runs before the program: it sends the signal as soon as the program listens for it. */
const AT_ONCE = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({ load(url, context, next) {
    if (!url.startsWith("node:")) loaded.push(url.replace(/.*\\/agent\\//, "agent/"));
    return next(url, context);
  } });
  process.on("newListener", (name) => {
    if (name !== "SIGTERM" || loaded.told) return;
    loaded.told = true;
    process.stderr.write("loaded by then: " + loaded.join(", ") + "\\n");
    process.kill(process.pid, "SIGTERM");
  });
`)}`;

/** The command lines of this machine that hold the words. */
async function running(words: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.map((line) => line.replaceAll("\0", " ")).filter((line) => line.includes(words));
}

describe("promise 8: SIGTERM", () => {
  it("counts from the first instruction, before anything is loaded", async () => {
    await using lab = await simulatedLab();
    const agent = lab.agentBy([process.execPath, "--import", AT_ONCE, MAIN]);
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(await agent.stderr).toContain("loaded by then: agent/main.ts\n");
    expect(agent.log.at(-1)).toMatchObject({ message: "ends: asked to stop", exitCode: 0 });
    expect(lab.route53.requests).toEqual([]);
  });

  it("that is sent to npm start reaches the agent, which drains: code 0, and nobody is left", async () => {
    await using lab = await simulatedLab();
    const mark = "--drainTimeout=1017";
    const npm = lab.agentBy(["npm", "start", "--silent", "--"], [mark], PATHS);
    await npm.until((line) => line.message.includes("the zone follows from now on"));
    npm.kill("SIGTERM");
    expect(await npm.exit()).toEqual({ code: 0, signal: null });
    expect(npm.log.at(-1)).toMatchObject({ message: "ends: asked to stop", exitCode: 0 });
    expect(await running(mark)).toEqual([]);
  });

  it("that is sent to npm run demo ends the demo and its agents: code 0, and nobody is left", async () => {
    const mark = "--drainTimeout=1018";
    const flags = ["--engine=simulated", "--dnsPort=0", mark];
    const env = { ...PATHS, AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9" };
    const npm = startAgent(flags, env, ["npm", "run", "demo", "--silent", "--"]);
    await npm.untilPrinted(/(web\S+ +A)/);
    npm.kill("SIGTERM");
    expect(await npm.exit()).toEqual({ code: 0, signal: null });
    expect(await running(mark)).toEqual([]);
  });
});

describe("standard output that breaks", () => {
  it("ends the agent in a drain, without a stack trace", async () => {
    await using lab = await simulatedLab();
    const agent = lab.agentBy([
      "/bin/sh",
      "-c",
      // The reader goes after the first line.
      '{ "$0" "$@"; echo "exit code $?" >&2; } | { read first; echo "$first"; }',
      process.execPath,
      MAIN,
    ]);
    await agent.exit();
    const stderr = await agent.stderr;
    expect(stderr).toMatch(/standard output is broken: write EPIPE/);
    expect(stderr).toContain("exit code 1");
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

describe("an error that nobody caught", () => {
  it("ends the agent in a drain, in the log's format", async () => {
    await using lab = await simulatedLab();
    const late = `data:text/javascript,${encodeURIComponent(`
      process.on("SIGUSR2", () => { setImmediate(() => { throw new TypeError("a defect"); }); });
    `)}`;
    const agent = lab.agentBy([process.execPath, "--import", late, MAIN]);
    await agent.until((line) => line.message.includes("the zone follows from now on"));
    agent.kill("SIGUSR2");
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(await agent.stderr).not.toContain("TypeError");
    expect(agent.log.at(-1)).toMatchObject({ exitCode: 1, cause: "a defect" });
  });
});
