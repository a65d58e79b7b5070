import { expect, it } from "@jest/globals";
import { startAgent } from "../support/agent-process.ts";
import { engineLab, newTaskLabel } from "../support/lab.ts";

it("the demo's two hosts, a real engine's and a simulated one, leave each other's records alone", async () => {
  await using lab = await engineLab();
  const demo = startAgent(["sandbox", "--dnsPort=0"], {
    // It must not be asked: the demo brings a Route 53 of its own.
    AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
  });
  await demo.untilPrinted(/^ +[\d.]+ s +(docker \S+): its page: /);
  await lab.run({ label: "real", labels: newTaskLabel() });
  await demo.untilPrinted(/ \+ (\S*real)\.sandbox\.internal /);
  // By then the simulated host's agent was killed and has started again, which is when it looks for former selves.
  await demo.untilPrinted(/\* (a container starts and dies within a moment)/);
  await demo.untilPrinted(/\* (everything is removed)/);
  demo.kill("SIGTERM");
  expect(await demo.exit()).toEqual({ code: 0, signal: null });
  expect(demo.stdout).not.toContain("was another container instance");
  expect(demo.stdout).not.toMatch(/ - \S*real\.sandbox\.internal /);
});
