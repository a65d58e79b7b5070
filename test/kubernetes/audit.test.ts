import { expect, it } from "@jest/globals";
import { writesIn } from "../support/kubernetes/audit.ts";

const line = (verb: string, objectRef: object, username = "agent", at = "2026-01-01T00:00:00Z") =>
  `${JSON.stringify({ verb, objectRef, user: { username }, requestReceivedTimestamp: at })}\n`;
const log = [
  line("create", { resource: "services", name: "web" }),
  line("update", { resource: "leases", name: "lock" }),
  line("patch", { resource: "deployments", name: "other" }, "somebody"),
  line("patch", { resource: "ecsdeployments", subresource: "status", name: "web" }),
].join("");
const writes = ["create services/web", "patch ecsdeployments/status/web"];

it("names what a user has written, leases aside", () => {
  expect(writesIn(log, "agent", 0)).toEqual(writes);
});

it("reads a log whose last line is still being written", () => {
  for (let length = 0; length <= log.length; length += 1) {
    const found = writesIn(log.slice(0, length), "agent", 0);
    expect(found).toEqual(writes.slice(0, found.length));
  }
});

it("counts by when a request came, not by when its line did", () => {
  const late = line(
    "patch",
    { resource: "services", name: "web" },
    "agent",
    "2026-01-01T00:00:09.000200Z",
  );
  const since = Date.parse("2026-01-01T00:00:09Z");
  expect(writesIn(log + late, "agent", since - 1)).toEqual(["patch services/web"]);
  expect(writesIn(log + late, "agent", since)).toEqual([]);
});
