import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { claimOf, desiredOf } from "../../lib/discovery/desired.ts";
import { type EcsAgent, ecsAgent } from "../../lib/ecs/io/introspection.ts";
import type { TaskAnswer } from "../../lib/ecs/task.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import { container, containerId, desiredRules, owner, taskArn, ZONE } from "../support/build.ts";
import { cases, FUZZ_LIMIT_MS } from "./cases.ts";
import { damage, damaged, hostileJson, hostileText, inChunks, mutatedJson } from "./hostile.ts";
import { type RawAnswer, type RawServer, rawServer } from "./raw-server.ts";

const ID = containerId(1);
let server: RawServer;
let agent: EcsAgent;
beforeAll(async (): Promise<void> => {
  server = await rawServer("port");
  agent = ecsAgent(server.url);
});
afterAll(async () => server[Symbol.asyncDispose]());

const address4 = fc.oneof(
  { arbitrary: fc.ipV4(), weight: 12 },
  {
    arbitrary: fc.constantFrom(
      "127.0.0.1",
      "169.254.169.254",
      "0.0.0.0",
      "255.255.255.255",
      "224.0.0.1",
    ),
    weight: 6,
  },
  fc.constantFrom("010.0.0.1", "0x7f.1", "2130706433", "10.0.0.1/24", "10.0.0.1 ", "::1"),
  hostileText,
);
const address6 = fc.oneof(
  { arbitrary: fc.ipV6(), weight: 12 },
  {
    arbitrary: fc.constantFrom(
      "::",
      "::1",
      "fe80::1",
      "ff02::1",
      "::ffff:10.0.0.1",
      "::ffff:7f00:1",
      "::127.0.0.1",
      "0:0:0:0:0:0:0:1",
    ),
    weight: 6,
  },
  fc.constantFrom("fe80::1%eth0", "127.0.0.1", "1::2::3"),
  hostileText,
);
const network = fc.record(
  {
    NetworkMode: fc.constant("awsvpc"),
    IPv4Addresses: fc.oneof(fc.array(address4, { maxLength: 2 }), address4),
    IPv6Addresses: fc.oneof(fc.array(address6, { maxLength: 2 }), address6),
  },
  { requiredKeys: [] },
);
const port = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 65_535 }), weight: 6 },
  fc.constantFrom(-2, 0, 65_536, 70_000, 2 ** 53),
);
const task = fc.record(
  {
    Arn: fc.oneof({ arbitrary: fc.constant(taskArn(1)), weight: 8 }, hostileText),
    DesiredStatus: hostileText,
    KnownStatus: fc.oneof(
      { arbitrary: fc.constant("RUNNING"), weight: 6 },
      fc.constantFrom("RUNNING", "PENDING", "STOPPED"),
      hostileText,
    ),
    Containers: fc.array(
      fc.record(
        {
          DockerId: fc.oneof({ arbitrary: fc.constant<string>(ID), weight: 8 }, hostileText),
          Networks: fc.option(fc.array(network, { maxLength: 2 })),
          Ports: fc.option(
            fc.array(fc.record({ ContainerPort: port, HostPort: port }, { requiredKeys: [] }), {
              maxLength: 2,
            }),
          ),
        },
        { requiredKeys: ["DockerId"] },
      ),
      { maxLength: 2 },
    ),
  },
  { requiredKeys: ["Arn", "KnownStatus"] },
);
const INSTANCE = `arn:aws:ecs:eu-west-1:123456789012:container-instance/prod/${owner.instance}`;
const metadata = fc.record({
  Cluster: hostileText,
  ContainerInstanceArn: fc.oneof(
    fc.constant(INSTANCE),
    fc.option(hostileText),
    hostileText.map((text) => `${INSTANCE}${text}`),
    hostileText.map((text) => INSTANCE.replace("/", () => `/${text}`)),
  ),
  Version: hostileText,
});

const answer = (good: fc.Arbitrary<unknown>): fc.Arbitrary<RawAnswer> =>
  fc.record({
    status: fc.oneof(
      { arbitrary: fc.constant(200), weight: 12 },
      fc.constantFrom(204, 301, 400, 404, 500),
    ),
    headers: fc.constantFrom<Record<string, string>>(
      {},
      { "content-type": "text/html", location: "http://169.254.169.254/" },
    ),
    cut: fc.oneof({ arbitrary: fc.constant(false), weight: 9 }, fc.constant(true)),
    chunks: fc
      .tuple(
        fc.oneof(
          { arbitrary: good.map((json) => JSON.stringify(json)), weight: 12 },
          mutatedJson(good),
          hostileJson,
          hostileText,
        ),
        fc.oneof({ arbitrary: fc.constant([]), weight: 9 }, damage(2)),
        fc.array(fc.nat(2_000), { maxLength: 3 }),
      )
      .map(([text, harm, places]) => inChunks(damaged(text, harm), places)),
  });

/** What it answers; undefined for `Unavailable`, and nothing else is thrown. */
async function asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    expect((error as Error).name).toBe("Unavailable");
    return undefined;
  }
}

/** By the rules of RFC 1122, 3927 and 4291 alone, so that the code's own are checked against them. */
function leadsNowhere(value: string): boolean {
  if (/^(0|127|22[4-9]|23\d)\.|^169\.254\.|^255\.255\.255\.255$/.test(value)) return true;
  if (!value.includes(":")) return !/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(value);
  const { hostname } = new URL(`http://[${value}]`);
  // As a URL writes it, an address is shortened, in lower case, and in brackets.
  return (
    /^\[(::1?\]|::ffff:|fe[89ab][0-9a-f]:|ff[0-9a-f]{2}:)/.test(hostname) ||
    /^\[::[0-9a-f]{1,4}(:[0-9a-f]{1,4})?\]$/.test(hostname)
  );
}

test(
  "promise 9: no answer about a task leads to a record outside of the zone and the owner, or to an address that is no host's",
  async () => {
    let served = 0;
    await fc.assert(
      fc.asyncProperty(answer(task), fc.boolean(), fc.boolean(), async (raw, srv, awsvpc) => {
        server.answer = raw;
        const said: TaskAnswer | undefined = await asked(() => agent.taskOf(ID));
        const mode = awsvpc ? `container:${containerId(9)}` : "bridge";
        const one = container(1, { networkMode: mode });
        const rules = { ...desiredRules, srv };
        const claim = claimOf(one, "healthy", rules);
        if (claim.kind !== "claim") throw new Error("expected a claim");
        const given = said ?? ({ kind: "unavailable", problem: "" } as const);
        const desired = desiredOf(claim, given, rules, { ipv4: "10.0.0.5" });
        if (desired.kind !== "serve") return;
        served += 1;
        for (const { name, type, setIdentifier, values } of desired.records) {
          expect(name.endsWith(`.${ZONE}`)).toBe(true);
          expect(parseSetIdentifier(setIdentifier)?.instance).toBe(owner.instance);
          for (const value of values) {
            if (type === "SRV")
              expect(value).toMatch(/^1 1 \d{1,5} [0-9a-f-]+\.web\.example\.internal$/);
            else expect([value, leadsNowhere(value)]).toEqual([value, false]);
            const [, , told = "0"] = type === "SRV" ? value.split(" ") : [];
            expect(Number(told)).toBeLessThanOrEqual(65_535);
          }
        }
      }),
      cases(0.3),
    );
    expect(served).toBeGreaterThan(cases(0.3).numRuns / 10);
  },
  FUZZ_LIMIT_MS,
);

test(
  "answers about the host and its tasks are ids of our form, or Unavailable",
  async () => {
    const tasks = fc.record({ Tasks: fc.option(fc.array(task, { maxLength: 3 })) });
    await fc.assert(
      fc.asyncProperty(answer(metadata), answer(tasks), async (host, list) => {
        server.answer = (path) => (path === "/v1/metadata" ? host : list);
        const [found, live] = await Promise.all([
          asked(() => agent.metadata()),
          asked(() => agent.liveTasks()),
        ]);
        if (found !== undefined) expect(found.owner.instance).toMatch(/^[0-9a-f-]{32,36}$/);
        for (const id of live ?? []) expect(id).toMatch(/^[0-9a-f-]{32,36}$/);
      }),
      cases(0.1),
    );
  },
  FUZZ_LIMIT_MS,
);
