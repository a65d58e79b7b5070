import { afterEach, describe, expect, it } from "@jest/globals";
import { DEAD_LETTERS, FLEET_ZONE, type FleetLab, fleetLab, QUEUE } from "../support/fleet-lab.ts";

let lab: FleetLab;
afterEach(async () => lab[Symbol.asyncDispose]());

const WITH_NAME = `--zoneName=${FLEET_ZONE.name}`;
const dns = () => `--resolver=${lab.dns.address}:${lab.dns.port}`;

describe("a fleet with a writer", () => {
  it("has its hosts' records, though no host has a right on the zone", async () => {
    lab = await fleetLab({ hosts: 2 });
    for (const host of lab.hosts) host.serve("web");
    const writer = lab.writer();
    await writer.until(({ message }) => message === "takes messages from now on");
    const agents = lab.hosts.map((host) => host.agent("via", WITH_NAME, dns()));
    await lab.follows();

    const gone = lab.hosts[0]?.serve("api") ?? "";
    await lab.follows();
    lab.hosts[0]?.engine.stop(gone);
    await lab.follows();
    for (const agent of agents) {
      agent.kill("SIGTERM");
      expect(await agent.exit()).toMatchObject({ code: 0 });
    }
    // Its own stop, too, leaves everything as it is, and nothing in the queue.
    await writer.until(({ message }) => String(message).startsWith("the owner has left"));
    writer.kill("SIGTERM");
    expect(await writer.exit()).toMatchObject({ code: 0 });
    expect(lab.records()).toEqual(lab.expected());
    expect(lab.sqs?.messages(DEAD_LETTERS)).toEqual([]);
  });
});
void QUEUE;
