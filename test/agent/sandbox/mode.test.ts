import { execFile } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { promisify } from "node:util";
import { expect, it } from "@jest/globals";
import { State } from "../../../agent/host/state.ts";
import { startAgent } from "../../support/agent-process.ts";

/** What `npm run demo` starts where no Docker is in reach. */
const startDemo = (...flags: readonly string[]) =>
  startAgent(["sandbox", "--dnsPort=0", ...flags], {
    // It must not be asked: the demo brings a Route 53 of its own.
    AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
    DOCKER_HOST: "unix:///nowhere/docker.sock",
  });

it("the demo shows a zone to ask and its agent's status page, both of which answer, and ends with 0", async () => {
  const demo = startDemo();
  const server = await demo.untilPrinted(/^ +dig @127\.0\.0\.1 -p (\d+) web\.sandbox\.internal /);
  const page = await demo.untilPrinted(/simulated: its page: (http:\/\/127\.0\.0\.1:\d+\/)$/);
  await demo.untilPrinted(/ (\+) web\.sandbox\.internal /);

  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${server}`]);
  expect(await resolver.resolve4("web.sandbox.internal")).toEqual([
    expect.stringMatching(/^10\.0\.0\.\d+$/),
  ]);
  expect(await (await fetch(page)).text()).toMatch(/^<!doctype html>/i);
  const state = State.parse(await (await fetch(new URL("v1/state", page))).json());
  expect(state).toMatchObject({ zone: { name: "sandbox.internal" }, health: { ok: true } });

  // What it prints to copy works, in a shell as it stands.
  const variables = await demo.untilPrinted(/^ +export (.*)$/);
  const plan = await demo.untilPrinted(/^ +(npm start --silent -- plan .*)$/);
  const { stdout } = await promisify(execFile)("sh", [
    "-c",
    `export ${variables}; ${plan} || [ $? = 3 ]`,
  ]);
  expect(stdout).toMatch(/sandbox\.internal/);
  // The zone is asked by the demo itself, too; and the agent that is killed comes back and repairs it.
  await demo.untilPrinted(/ (web\.sandbox\.internal is 10\.0\.0\.\d+)$/);
  await demo.untilPrinted(/(kill -9 of the agent)/);
  await demo.untilPrinted(/ - (web\.sandbox\.internal) /);

  demo.kill("SIGTERM");
  expect(await demo.exit()).toEqual({ code: 0, signal: null });
  expect(demo.stdout).toMatch(/^\d+ changes landed in \d+ requests/m);
});

it("with --for it ends by itself, though its agent may not even have started by then", async () => {
  const demo = startDemo("--for=1");
  expect(await demo.exit()).toEqual({ code: 0, signal: null });
});

it("without Docker it says so, and refuses --engine=docker with exit code 1", async () => {
  const demo = startDemo("--engine=docker", "--logFormat=json");
  expect(await demo.exit()).toEqual({ code: 1, signal: null });
  expect(demo.log.at(-1)?.["cause"]).toContain("Docker did not answer version");
});
