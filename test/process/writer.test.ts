import { Resolver } from "node:dns/promises";
import { afterEach, describe, expect, it } from "@jest/globals";
import { formatMessage } from "../../lib/sqs/message.ts";
import type { AgentProcess } from "../support/agent-process.ts";
import { DEAD_LETTERS, FLEET_ZONE, type FleetLab, fleetLab } from "../support/fleet-lab.ts";
import { motoQueue } from "../support/moto-queue.ts";

let lab: FleetLab;
afterEach(async () => lab[Symbol.asyncDispose]());

const ready = (writer: AgentProcess) =>
  writer.until(({ message }) => message === "takes messages from now on");
const sends = (agent: AgentProcess) =>
  agent.until(({ message }) => message === "sends this host's records to the writer");
const named = () => [
  `--zoneName=${FLEET_ZONE.name}`,
  `--resolver=${lab.dns.address}:${lab.dns.port}`,
];

describe("a fleet with a writer", () => {
  it("has its hosts' records, though no host has a right on the zone", async () => {
    lab = await fleetLab({ hosts: 2 });
    const [first, second] = lab.hosts;
    for (const host of lab.hosts) host.serve("web");
    const writer = lab.writer();
    await ready(writer);
    // One of them knows the zone's name, the other does not.
    const agents = [first?.agent("via", ...named()), second?.agent("via")];
    await lab.follows();
    const gone = first?.serve("api") ?? "";
    await lab.follows();
    first?.engine.stop(gone);
    await lab.follows();
    for (const agent of agents) {
      agent?.kill("SIGTERM");
      expect(await agent?.exit()).toMatchObject({ code: 0 });
    }
    await writer.until(({ message }) => String(message).startsWith("the owner has left"));
    writer.kill("SIGTERM");
    expect(await writer.exit()).toMatchObject({ code: 0 });
    expect(lab.records()).toEqual(lab.expected());
    expect(lab.sqs?.messages(DEAD_LETTERS)).toEqual([]);
  });

  it("takes a host's records away with it when its agent is asked to (--onStop=remove)", async () => {
    lab = await fleetLab({ hosts: 2 });
    for (const host of lab.hosts) for (let n = 0; n < 4; n += 1) host.serve("web");
    const writer = lab.writer();
    await ready(writer);
    const [leaving, staying] = lab.hosts.map((host) => host.agent("via", "--onStop=remove"));
    await lab.follows();
    leaving?.kill("SIGTERM");
    expect(await leaving?.exit()).toMatchObject({ code: 0 });
    await lab.route53.until(FLEET_ZONE.id, () => lab.records().length === 4);
    expect(lab.records().every((one) => one.includes(" 10.1."))).toBe(true);
    expect(staying?.ended).toBe(false);
  });

  it("lets a lying host change nothing but its own records", async () => {
    lab = await fleetLab({ hosts: 2 });
    const [liar, victim] = lab.hosts;
    for (const host of lab.hosts) for (let n = 0; n < 3; n += 1) host.serve("web");
    const writer = lab.writer();
    await ready(writer);
    for (const host of lab.hosts) host.agent("via");
    await lab.follows();
    const [body = ""] = formatMessage({
      zone: FLEET_ZONE.id,
      zoneName: FLEET_ZONE.name,
      owner: victim?.instance ?? "",
      cluster: "prod",
      epoch: Date.now() + 1_000_000,
      seq: 1_000,
      upMs: 0,
      drain: true,
      leaves: false,
      direct: false,
      records: [],
      keeps: [],
    });
    await liar?.send(body);
    await liar?.send("{}");
    // What comes after them is not held up.
    liar?.serve("api");
    victim?.serve("api");
    await lab.follows();
    const aside = await writer.until(({ message }) => String(message).includes("(liar)"));
    expect(aside.message).toContain(`speaks for ${victim?.instance}`);
    await writer.until(({ message }) => String(message).includes("(malformed)"));
    const dead = lab.sqs?.messages(DEAD_LETTERS) ?? [];
    expect(new Map(dead.map((one) => [one.body, one.reason]))).toEqual(
      new Map([
        [body, expect.stringContaining("speaks for")],
        ["{}", expect.stringContaining("expected the format 1")],
      ]),
    );
    expect(lab.records()).toEqual(lab.expected());
  });

  it("ends, without an effect, when another writer has taken over", async () => {
    lab = await fleetLab({ hosts: 1 });
    const [host] = lab.hosts;
    host?.serve("web");
    const first = lab.writer();
    await ready(first);
    host?.agent("via");
    await lab.follows();
    const second = lab.writer();
    await ready(second);
    for (let n = 0; !first.ended && n < 40; n += 1) {
      host?.serve("api");
      await lab.follows();
    }
    expect(await first.exit()).toMatchObject({ code: 1 });
    await first.until(({ message }) => String(message).includes("has taken over the zone"));
    expect(lab.records()).toEqual(lab.expected());
  });

  it("is written on when its queue was away, with the newest sets only", async () => {
    lab = await fleetLab({ hosts: 1 });
    const [host] = lab.hosts;
    const first = host?.serve("web") ?? "";
    const writer = lab.writer();
    await ready(writer);
    const agent = host?.agent("via");
    await lab.follows();
    lab.sqs?.setAway(true);
    host?.engine.stop(first);
    host?.serve("web");
    await agent?.until(({ message }) => String(message).includes("SQS did not take SendMessage"));
    expect(lab.records()).toHaveLength(1);
    lab.sqs?.setAway(false);
    await lab.follows();
  });
});

describe("a fleet of 20 hosts under load, on an SQS that others wrote", () => {
  it("ends right though its writer is killed, and replaced", async () => {
    // What the killed writer had received comes back so soon.
    await using queue = await motoQueue(5);
    lab = await fleetLab({ hosts: 20, queue });
    for (const host of lab.hosts) for (let n = 0; n < 3; n += 1) host.serve(`s${n}`);
    const writer = lab.writer("--senders=anyone");
    await ready(writer);
    const agents: AgentProcess[] = [];
    // A few at a time: 20 that start together would only wait for each other.
    for (let at = 0; at < lab.hosts.length; at += 4) {
      const some = lab.hosts.slice(at, at + 4).map((host) => host.agent("via"));
      await Promise.all(some.map(sends));
      agents.push(...some);
    }
    await lab.follows();
    let replaced = 0;
    const replaceSome = (): void => {
      for (const host of lab.hosts.filter((_, at) => at % 4 === replaced % 4)) {
        const [old] = host.engine.containers().filter(({ running }) => running);
        host.serve("s1");
        if (old !== undefined) host.engine.stop(old.id);
      }
      replaced += 1;
    };
    for (let n = 0; n < 4; n += 1) {
      replaceSome();
      await Promise.all(agents.filter((_, at) => at % 4 === n).map(sends));
    }
    await lab.follows();
    // A writer knows nothing of what the one before it added, so it holds back deletes of more than a fifth of the zone in
    // a minute: what is replaced around the kill stays below that.
    replaceSome();
    writer.kill("SIGKILL");
    replaceSome();
    await writer.ends;
    await ready(lab.writer("--senders=anyone"));
    for (let n = 0; n < 4; n += 1) replaceSome();
    await lab.follows();
    expect(agents.filter(({ ended }) => ended)).toEqual([]);
  }, 300_000);
});

describe("a fleet that is moved over to a writer and back, under load", () => {
  it("has no lookup that fails", async () => {
    lab = await fleetLab({ hosts: 3 });
    for (const host of lab.hosts) host.serve("web");
    let agents = lab.hosts.map((host) => host.agent("direct"));
    await lab.follows();
    const writer = lab.writer();
    await ready(writer);

    const resolver = new Resolver({ tries: 1 });
    resolver.setServers([`${lab.dns.address}:${lab.dns.port}`]);
    const lookups = { right: 0, failed: [] as string[] };
    let isMoving = true;
    const looking = (async () => {
      while (isMoving) {
        const serving = lab.serving("web");
        const found = await resolver.resolve4(`web.${FLEET_ZONE.name}`).catch(() => []);
        // A task that stopped while it was asked has its drain to serve who still finds it.
        const isRight = found.some((one) => serving.has(one) || lab.serving("web").has(one));
        if (isRight) lookups.right += 1;
        else lookups.failed.push(`${found.join(" ")} of ${[...serving].join(" ")}`);
      }
    })();
    /** The new one is there before the old one goes, as a rolling deployment has it. */
    const replaceOne = async (at: number): Promise<void> => {
      const host = lab.hosts[at];
      const [old] = host?.engine.containers().filter(({ running }) => running) ?? [];
      host?.serve("web");
      await lab.follows();
      if (old === undefined) return;
      await lab.drain(host, old.id);
    };
    for (const how of ["via", "direct"] as const) {
      for (const at of [0, 1, 2]) {
        agents[at]?.kill("SIGTERM");
        expect(await agents[at]?.exit()).toMatchObject({ code: 0 });
        const moved = lab.hosts[at]?.agent(how);
        agents = agents.map((one, n) => (n === at && moved !== undefined ? moved : one));
        for (const each of [0, 1, 2]) await replaceOne(each);
      }
    }
    isMoving = false;
    await looking;
    await lab.follows();
    expect(lookups.failed).toEqual([]);
    expect(lookups.right).toBeGreaterThan(100);
  }, 300_000);
});
