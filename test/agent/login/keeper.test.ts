import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { keep } from "../../../agent/login/keeper.ts";
import { prover } from "../../../agent/login/prove.ts";
import { lineReader } from "../../../agent/login/read-lines.ts";
import { resolver } from "../../../agent/login/resolve.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import type { Proof } from "../../../lib/registry/io/registry.ts";
import { fakeClock } from "../../support/fake-clock.ts";

const ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:docker-login/ci-AbCdEf";
const ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const base64 = (text: string) => Buffer.from(text).toString("base64");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keeper-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const at = (file: string) => join(folder, file);
const json = async (file: string): Promise<unknown> => JSON.parse(await readFile(at(file), "utf8"));

/** Everything outside is a table of the test. */
function lab() {
  const clock = fakeClock();
  const outside = {
    secrets: new Map<string, string | Error>(),
    tokens: [] as string[],
    proofs: new Map<string, Proof>(),
    asked: [] as string[],
    restart: async () => {},
  };
  const { all } = resolver(
    {
      async secret(arn) {
        outside.asked.push("secret");
        const found = outside.secrets.get(arn) ?? new Error("no such secret");
        if (found instanceof Error) throw found;
        return found;
      },
      async ecr(region) {
        outside.asked.push(`ecr ${region}`);
        const token = outside.tokens.shift();
        if (token === undefined) throw new Unavailable("ECR", "did not take GetAuthorizationToken");
        return { auth: token, lifetimeMs: 12 * 3_600_000 };
      },
    },
    clock,
  );
  const prove = prover(async (registry) => {
    outside.asked.push(`prove ${registry}`);
    return outside.proofs.get(registry) ?? { kind: "accepted" };
  }, clock);
  const read = lineReader(at("login.txt"));
  const look = async ({ check = false, restart = false } = {}) =>
    keep(
      await read(),
      { dockerConfig: at("docker"), ecsConfig: at("ecs.config") },
      {
        resolve: all,
        prove: check ? prove : undefined,
        restartEcs: restart ? () => outside.restart() : undefined,
      },
    );
  return { clock, outside, look };
}

describe("what is written", () => {
  it("is ours alone: foreign logins stay, and ours go with their line", async () => {
    await writeFile(at("login.txt"), "-u a -p b quay.io\n-u c -p d ghcr.io\n");
    const { look } = lab();
    await look();
    const config = (await json("docker/config.json")) as { auths: Record<string, unknown> };
    await writeFile(
      at("docker/config.json"),
      JSON.stringify({ ...config, auths: { ...config.auths, "mine.io": { auth: "x" } } }),
    );
    await writeFile(at("login.txt"), "-u c -p d ghcr.io\n");
    expect(await look()).toMatchObject({ removed: ["quay.io"], changed: [], troubles: [] });
    expect(Object.keys(((await json("docker/config.json")) as typeof config).auths)).toEqual([
      "ghcr.io",
      "mine.io",
    ]);
    expect(await readFile(at("ecs.config"), "utf8")).toContain("mine.io");
  });

  it("is nothing the second time", async () => {
    await writeFile(at("login.txt"), "-u a -p b quay.io\n");
    const { look } = lab();
    await look();
    const before = await Promise.all(
      ["docker/config.json", "ecs.config"].map(async (file) => (await stat(at(file))).ino),
    );
    expect(await look()).toMatchObject({ changed: [], removed: [], ecsChanged: false });
    expect(
      await Promise.all(
        ["docker/config.json", "ecs.config"].map(async (file) => (await stat(at(file))).ino),
      ),
    ).toEqual(before);
  });

  it("stays while a line or the file can't be read, because nobody knows what it asks for", async () => {
    await writeFile(at("login.txt"), "-u a -p b quay.io\n");
    const { look } = lab();
    await look();
    await writeFile(at("login.txt"), "-u a -p 'b quay.io\n");
    expect(await look()).toMatchObject({ removed: [], troubles: [{ where: "login.txt:1" }] });
    await rm(at("login.txt"));
    expect(await look()).toMatchObject({
      removed: [],
      troubles: [{ why: "it is not there (yet)" }],
    });
    await writeFile(at("login.txt"), "");
    expect(await look()).toMatchObject({ removed: ["quay.io"], troubles: [] });
  });

  it("of two lines for one registry is the later one", async () => {
    await writeFile(at("login.txt"), "-u a -p b quay.io\n-u a -p c quay.io\n");
    await lab().look();
    expect(await json("docker/config.json")).toEqual({
      auths: { "quay.io": { auth: base64("a:c") } },
    });
  });

  it("leaves a config.json that can't be read as it is, and says so", async () => {
    await writeFile(at("login.txt"), "-u a -p b quay.io\n");
    const { look } = lab();
    await look();
    await writeFile(at("docker/config.json"), '{"auths": {"a": {"auth": "c2VjcmV0"');
    const { troubles } = await look();
    expect(troubles).toMatchObject([{ why: expect.stringContaining("mend it, or remove it") }]);
    expect(JSON.stringify(troubles)).not.toContain("c2VjcmV0");
    expect(await readFile(at("docker/config.json"), "utf8")).toContain("c2VjcmV0");
  });
});

describe("a secret and a token of ECR", () => {
  it("are asked for when they are due, and the old one is kept while there is no new one", async () => {
    await writeFile(at("login.txt"), `-u ci --password-secret=${ARN}#token r.io\n${ECR}\n`);
    const { clock, outside, look } = lab();
    outside.secrets.set(ARN, '{"token": "hunter2-one"}');
    outside.tokens.push(base64("AWS:one"));
    await look();
    const auths = async () => ((await json("docker/config.json")) as { auths: unknown }).auths;
    expect(await auths()).toEqual({
      "r.io": { auth: base64("ci:hunter2-one") },
      [ECR]: { auth: base64("AWS:one") },
    });
    // ECR's is not for the ECS agent, which gets its own.
    expect(await readFile(at("ecs.config"), "utf8")).not.toContain(ECR);
    await look();
    expect(outside.asked).toEqual(["secret", "ecr eu-west-1"]);
    outside.secrets.set(ARN, '{"token": "hunter2-two"}');
    await clock.advance(15 * 60_000);
    expect((await look()).changed).toEqual(["r.io"]);
    // Half of twelve hours later it is ECR's turn, which does not answer.
    await clock.advance(6 * 3_600_000);
    const failed = await look();
    expect(failed.troubles).toMatchObject([
      { where: "login.txt:2", why: expect.stringContaining("ECR did not take") },
    ]);
    expect(await auths()).toMatchObject({ [ECR]: { auth: base64("AWS:one") } });
    outside.tokens.push(base64("AWS:two"));
    await clock.advance(30_000);
    expect(await look()).toMatchObject({ changed: [ECR], troubles: [], ecsChanged: false });
  });

  it("that can't be had are told by their line, and others are done", async () => {
    await writeFile(at("login.txt"), `--password-secret=${ARN} r.io\n-u a -p b quay.io\n`);
    const { outside, look } = lab();
    outside.secrets.set(ARN, "hunter2-plain");
    const { troubles, standings } = await look();
    expect(troubles).toEqual([
      { where: "login.txt:1", why: "expected a user: -u on the line, or username in the secret" },
    ]);
    expect(standings).toMatchObject([
      { registry: "r.io", state: "missing" },
      { registry: "quay.io", state: "written" },
    ]);
  });
});

describe("a proof", () => {
  it("keeps a refused login out, leaves the one before it, and is not asked for again at once", async () => {
    await writeFile(at("login.txt"), "-u a -p b quay.io\n");
    const { outside, look, clock } = lab();
    await look({ check: true });
    outside.proofs.set("quay.io", { kind: "refused", why: "no" });
    await writeFile(at("login.txt"), "-u a -p wrong quay.io\n");
    expect(await look({ check: true })).toMatchObject({
      troubles: [{ where: "login.txt:1", why: "no" }],
      standings: [{ state: "refused", proof: "refused" }],
    });
    await look({ check: true });
    expect(outside.asked).toEqual(["prove quay.io", "prove quay.io"]);
    expect(await json("docker/config.json")).toEqual({
      auths: { "quay.io": { auth: base64("a:b") } },
    });
    await clock.advance(60_000);
    await look({ check: true });
    expect(outside.asked).toHaveLength(3);
  });
});

describe("the ECS agent", () => {
  it("is restarted after a change, and by the next process where this one was killed in between", async () => {
    await writeFile(at("login.txt"), "-u a -p b quay.io\n");
    const { outside, look } = lab();
    let restarts = 0;
    outside.restart = async () => {
      restarts += 1;
      throw new Error("killed");
    };
    expect((await look({ restart: true })).troubles).toEqual([
      { where: "the ECS agent", why: "it was not restarted: killed" },
    ]);
    const next = lab();
    next.outside.restart = async () => {
      restarts += 1;
    };
    expect(await next.look({ restart: true })).toMatchObject({ ecsChanged: false, troubles: [] });
    await next.look({ restart: true });
    expect(restarts).toBe(2);
  });
});
