import { execFile } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import Docker from "dockerode";
import { dnsServer } from "../../lib/standins/dns/server.ts";
import { type AgentImage, agentImage, runAsInReadme } from "../support/agent-container.ts";
import { type EngineLab, engineLab, newTaskLabel } from "../support/lab.ts";
import { changes } from "../support/wait.ts";

const run = promisify(execFile);
const docker = new Docker();
const MB = 1_000_000;

let image: AgentImage;
beforeAll(async () => {
  image = await agentImage(docker);
}, 300_000);
afterAll(async () => {
  await image?.[Symbol.asyncDispose]();
});

/** What a script prints, run by the image's own Node. */
async function nodeInImage(script: string): Promise<string> {
  const flags = ["--rm", "--network", "none", "--entrypoint", "node", image.tag, "-p", script];
  const { stdout } = await run("docker", ["run", ...flags]);
  return stdout.trim();
}

/** For the eyes of whoever runs the tests. */
const print = (line: string) => process.stdout.write(`${line}\n`);

describe("the image", () => {
  it("holds Node, a bundle of at most 12 MB in parts, and the papers that go with it", async () => {
    const { Size: size } = await docker.getImage(image.tag).inspect();
    const [node, files] = JSON.parse(
      await nodeInImage(`
        const { readdirSync, statSync } = require("node:fs");
        const files = readdirSync("/app", { recursive: true }).map((file) => [file, statSync("/app/" + file)]);
        const sizes = files.filter(([, stat]) => stat.isFile()).map(([file, { size }]) => [file, size]);
        JSON.stringify([statSync(process.execPath).size, Object.fromEntries(sizes)])`),
    ) as [number, Record<string, number>];
    const bytesOf = (ending: string) =>
      Object.entries(files)
        .filter(([file]) => file.startsWith("dist/") && file.endsWith(ending))
        .reduce((sum, [, bytes]) => sum + bytes, 0);
    const bundle = bytesOf(".mjs");
    const map = bytesOf(".mjs.map");
    const parts = { node, bundle, map, rest: size - node - bundle - map };
    const shown = Object.entries(parts).map(
      ([part, bytes]) => `${part} ${(bytes / MB).toFixed(1)}`,
    );
    print(`image of ${(size / MB).toFixed(1)} MB: ${shown.join(", ")}`);

    const isPart = (file: string) => /^dist\/agent\/[\w-]+-[A-Z0-9]{8}\.mjs(\.map)?$/.test(file);
    expect(
      Object.keys(files)
        .filter((file) => !isPart(file))
        .toSorted(),
    ).toEqual([
      "LICENSE",
      "dist/agent.cdx.json",
      "dist/agent.licences.txt",
      "dist/agent.mjs",
      "dist/agent.mjs.map",
      "health.mjs",
      "package.json",
    ]);
    expect(bundle).toBeLessThanOrEqual(12 * MB);
  });

  it("knows its version, which is package.json's", async () => {
    const { stdout } = await run("docker", ["run", "--rm", image.tag, "--version"]);
    const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    expect(JSON.parse(manifest)).toMatchObject({ version: stdout.trim() });
  });
});

describe("docker run, as in the README", () => {
  it("registers real containers, and follows them", async () => {
    await using lab = await engineLab();
    const web = await lab.run({ label: "web", labels: newTaskLabel() });
    await runAsInReadme(lab, image.tag);
    await lab.follows();
    await lab.run({ label: "api", labels: newTaskLabel() });
    await lab.follows();
    await web.stop({ t: 1 });
    await lab.follows();
    expect(lab.zone.now()).toHaveLength(1);
  });

  it("runs as nobody in particular, with no capability, and can write nothing but its journal", async () => {
    await using lab = await engineLab();
    const agent = await runAsInReadme(lab, image.tag);
    await lab.caughtUp();
    const { Config, HostConfig } = await agent.inspect();
    expect(Config.User).toBe("1000:1000");
    expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, Privileged: false });
    const { stdout } = await run("docker", [
      ...["exec", agent.id, "node", "-e"],
      `const fs = require("node:fs");
       const canWrite = (folder) => { try { fs.writeFileSync(folder + "/x", ""); return true; } catch { return false; } };
       const tried = ["/", "/app", "/tmp", "/var/lib/ecs-discovery-agent"].filter(canWrite);
       const read = (file) => fs.readFileSync("/proc/1/" + file, "utf8");
       const group = fs.statSync("/var/run/docker.sock").gid;
       console.log(JSON.stringify({ line: read("cmdline"), status: read("status"), group, tried }))`,
    ]);
    const { line, status, group, tried } = JSON.parse(stdout) as {
      readonly line: string;
      readonly status: string;
      readonly group: number;
      readonly tried: readonly string[];
    };
    expect(line.split("\0").slice(0, 6)).toEqual([
      "node",
      "--max-semi-space-size=1",
      "--max-old-space-size=64",
      "--no-sparkplug",
      "--no-maglev",
      "/app/dist/agent.mjs",
    ]);
    expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
    expect(status).toMatch(new RegExp(`^Groups:\\t(.* )?${group} `, "m"));
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(tried).toEqual(["/var/lib/ecs-discovery-agent"]);
    expect(agent.log.filter(({ message }) => message.includes("can't write"))).toEqual([]);
  });

  it("ends with 0 within the 2 s that docker stop is told to wait", async () => {
    await using lab = await engineLab();
    await lab.run({ label: "web", labels: newTaskLabel() });
    const agent = await runAsInReadme(lab, image.tag);
    await lab.follows();
    // Docker would kill it after that, and its exit code would be 137.
    await agent.container.stop({ t: 2 });
    const { State } = await agent.inspect();
    expect(State).toMatchObject({ Status: "exited", ExitCode: 0 });
    expect(await agent.until(({ message }) => message.startsWith("ends: "))).toMatchObject({
      message: "ends: asked to stop",
    });
    expect(lab.zone.now()).toHaveLength(1);
  });

  it("is started again by its restart policy after a failure, and mends what it left", async () => {
    await using lab = await engineLab();
    const agent = await runAsInReadme(lab, image.tag);
    await lab.caughtUp();
    const restarted = engineEvent(agent.id, "start");
    lab.route53.fail({
      operation: "ChangeResourceRecordSets",
      kind: { error: { status: 403, code: "AccessDenied", message: "not authorized" } },
    });
    await lab.run({ label: "web", labels: newTaskLabel() });
    expect(await agent.until(({ message }) => message === "ends: failed")).toMatchObject({
      exitCode: 1,
    });
    await restarted;
    await lab.follows();
    expect(await agent.inspect()).toMatchObject({ RestartCount: 1, State: { Running: true } });
  });

  it("is healthy while its own endpoint says so", async () => {
    await using lab = await engineLab();
    const agent = await runAsInReadme(lab, image.tag, "--health-interval 1s");
    const { Created } = await agent.inspect();
    await engineEvent(agent.id, "health_status: healthy", Date.parse(Created));
  });

  it("is subscribed to events within a second of its start", async () => {
    // The one figure that is held to the clock, because the promise is about it. The line that ends it is logged only once
    // the engine has accepted the subscription. Other work on the machine can only add to it, so the least of five counts.
    await using lab = await engineLab();
    const taken: number[] = [];
    for (const _ of Array(5).keys()) {
      const agent = await runAsInReadme(lab, image.tag);
      const { timestamp } = await agent.until(({ message }) =>
        message.startsWith("found the zone and the running containers"),
      );
      const { State } = await agent.inspect();
      taken.push(Date.parse(String(timestamp)) - Date.parse(State.StartedAt));
      await agent.container.remove({ force: true });
    }
    const [least, , median] = taken.toSorted((a, b) => a - b);
    print(`container start to open event stream: ${taken.join(", ")} ms, median ${median} ms`);
    expect(least).toBeLessThanOrEqual(1_000);
  });
});

describe("a rolling update of the daemon service, as ECS does it: stop the old agent, then start the new one", () => {
  it("leaves every record in place: a client resolves all the time, and no lookup fails", async () => {
    await using lab = await engineLab();
    for (const label of ["web", "web", "web", "api"]) {
      await lab.run({ label, labels: newTaskLabel() });
    }
    const old = await runAsInReadme(lab, image.tag);
    const { Image: oldImage } = await old.inspect();
    await lab.follows();
    const before = lab.zone.now();
    const landedBefore = lab.zone.landed.length;
    await using client = await resolvingClient(lab);
    await client.until(100);

    await old.container.stop();
    await old.container.remove();
    // While nobody watches, something starts.
    await lab.run({ label: "late", labels: newTaskLabel() });
    const next = await runAsInReadme(lab, image.nextTag);
    await lab.follows();
    await client.until(1_000);
    const { made, failed } = await client.stop();

    print(`${made} lookups during the change of agents, ${failed.length} failed`);
    expect(failed.slice(0, 5)).toEqual([]);
    expect(made).toBeGreaterThanOrEqual(1_000);
    expect((await next.inspect()).Image).not.toBe(oldImage);
    expect(next.log).toContainEqual(
      expect.objectContaining({ message: "knows this host's records from the journal" }),
    );
    // The new agent touched nothing that was right.
    const late = lab.zone.now().filter((record) => record.startsWith("late."));
    expect(lab.zone.now()).toEqual([...before, ...late].toSorted());
    expect(lab.zone.landed.slice(landedBefore)).toEqual(late.map((record) => `UPSERT ${record}`));
  });
});

/**
 * Looks the lab's services up one after the other, at a name server over its zone, from now until it is stopped. A lookup
 * fails when there is no answer, or one that is none of the records of this moment's beginning.
 */
async function resolvingClient(lab: EngineLab) {
  const { name, id } = lab.zone;
  const addresses = Map.groupBy(
    lab.zone.now().map((record) => record.split(" ") as [string, string]),
    ([service]) => service,
  );
  const dns = await dnsServer({
    zones: () => [{ name, records: lab.route53.records(id) }],
    random: Math.random,
  });
  const resolver = new Resolver();
  resolver.setServers([`${dns.address}:${dns.port}`]);
  const moved = changes();
  const failed: string[] = [];
  let made = 0;
  let stopped = false;

  const lookUp = async (service: string, expected: readonly string[]) => {
    const answer = await resolver.resolve4(service).catch((error: Error) => [error.message]);
    made += 1;
    if (!answer.every((address) => expected.includes(address)) || answer.length === 0) {
      failed.push(`${service}: ${answer.join(", ")}`);
    }
    moved.tell();
  };
  const running = (async () => {
    while (!stopped) {
      for (const [service, records] of addresses) {
        await lookUp(
          service,
          records.map(([, address]) => address),
        );
      }
    }
  })();
  const stop = async () => {
    stopped = true;
    await running;
    return { made, failed };
  };
  return {
    stop,
    until: (count: number) =>
      moved.until(
        () => made >= count,
        () => `${made} lookups`,
      ),
    async [Symbol.asyncDispose]() {
      await stop();
      resolver.cancel();
      await dns.close();
    },
  };
}

/** Resolves with the container's first event of this kind from now on, or since an earlier moment. */
async function engineEvent(container: string, event: string, sinceMs?: number): Promise<void> {
  const stream = await docker.getEvents({
    filters: { container: [container], event: [event] },
    ...(sinceMs !== undefined && { since: Math.floor(sinceMs / 1000) }),
  });
  try {
    await once(stream, "data");
  } finally {
    (stream as unknown as { destroy(): void }).destroy();
  }
}
