import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "@jest/globals";
import { AGENT } from "../support/agent-process.ts";
import { NAME_LABEL, newTaskLabel, simulatedLab } from "../support/lab.ts";
import { SERVED, statusOf } from "../support/status.ts";

const HEALTH = fileURLToPath(new URL("../../deploy/health.mjs", import.meta.url));
const CROWD = 10_000;
/** Docker calls a container unhealthy once so many checks in a row have failed (Dockerfile reference, HEALTHCHECK). */
const TRIES = 3;
/** Each end of a connection is a descriptor, and the agent must not be the first to run out of them. */
const DESCRIPTORS = 20_000;

/**
 * Opens connections one after another in batches, and another one for each that is closed on it: half of them say
 * nothing, half send the beginning of a request, one byte now and then. Prints how many it has opened so far.
 */
const SLOW_CLIENT = `
  const { connect } = require("node:net");
  const [port, crowd] = process.argv.slice(1).map(Number);
  let opened = 0;
  const open = () => {
    const socket = connect(port, "127.0.0.1");
    const nth = opened++;
    if (opened % 500 === 0) console.log(opened);
    if (nth % 2 === 0) socket.write("GET /healthz HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nX: ");
    const drip = setInterval(() => nth % 2 === 0 && socket.write("x"), 1_000);
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(drip);
      setTimeout(open, 250);
    });
    socket.resume();
  };
  const more = () => {
    for (let n = 0; n < 50 && opened < crowd; n += 1) open();
    if (opened < crowd) setImmediate(more);
  };
  more();`;

/** The same program with room for so many descriptors. */
const roomy = (command: readonly string[]): readonly [string, ...string[]] => [
  "sh",
  "-c",
  `ulimit -n ${DESCRIPTORS} && exec "$@"`,
  "sh",
  ...command,
];

it("10,000 slow and half-open local connections keep neither the image's health check nor a record waiting", async () => {
  await using lab = await simulatedLab();
  const serve = (label: string, address: string) =>
    lab.engine.run({ labels: { [NAME_LABEL]: label, ...newTaskLabel() }, address });
  serve("web", "10.0.0.1");
  const agent = lab.agentBy(roomy(AGENT), [SERVED]);
  const { url } = await statusOf(agent);
  const { host, port } = new URL(url);
  await lab.zone.until(["web.example.internal 10.0.0.1"]);

  const [command, ...rest] = roomy([process.execPath, "-e", SLOW_CLIENT, port, String(CROWD)]);
  const crowd = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const check = async (tries = TRIES): Promise<void> => {
      try {
        const env = { ECS_DISCOVERY_STATUS_ADDRESS: host };
        await promisify(execFile)(process.execPath, [HEALTH], { env });
      } catch (error) {
        if (tries === 1) throw error;
        await check(tries - 1);
      }
    };
    let checks = 0;
    let opened = 0;
    for await (const line of createInterface(crowd.stdout)) {
      opened = Number(line);
      if (opened % 2_500 === 0) {
        await check();
        checks += 1;
      }
      if (opened >= CROWD) break;
    }
    expect(opened).toBe(CROWD);
    for (; checks < 8; checks += 1) await check();
    serve("late", "10.0.0.2");
    await lab.zone.until(["late.example.internal 10.0.0.2", "web.example.internal 10.0.0.1"]);
  } finally {
    crowd.kill("SIGKILL");
  }
  agent.kill("SIGTERM");
  expect(await agent.exit()).toEqual({ code: 0, signal: null });
  expect(agent.log.filter(({ level }) => level === "error")).toEqual([]);
});
