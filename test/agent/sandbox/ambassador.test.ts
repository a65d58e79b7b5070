import { expect, it } from "@jest/globals";
import { startAgent } from "../../support/agent-process.ts";

it("the demo of the ambassador replaces three tasks under load, and nothing fails", async () => {
  const demo = startAgent(["sandbox", "ambassador", "--for=6"], {
    AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
  });
  expect(await demo.exit()).toEqual({ code: 0, signal: null });
  expect(demo.stdout).toMatch(/^0 of 1,200 failed$/m);
  for (const name of ["new red", "new green", "new blue"])
    expect(demo.stdout).toContain(`${name} `);
  expect(demo.stdout).toContain("ECS falls silent: who was read last is served");
});
