import { expect, it } from "@jest/globals";
import { figures } from "../../../agent/discover/figures.ts";
import { readExposition } from "../../support/exposition.ts";

it("what was counted before the metrics were loaded is in them, and they are loaded once", async () => {
  const counts = figures();
  const event = () => counts.count(({ count }) => count("ecs_discovery_stream_events_total"));
  event();
  event();
  const [one, other] = await Promise.all([counts.load(), counts.load()]);
  expect(one).toBe(other);
  event();
  const { value } = readExposition((await one.text()).body);
  expect(value("ecs_discovery_stream_events_total")).toBe(3);
});
