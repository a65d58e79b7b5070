import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { claimOf, type DesiredRules, desiredOf } from "../../lib/discovery/desired.ts";
import { matchesGlob } from "../../lib/kit/glob.ts";
import { hostedZone } from "../../lib/route53/io/zone.ts";
import { type Change, type Published, plan, stepsOf } from "../../lib/route53/plan.ts";
import { keyOf, type RecordKey } from "../../lib/route53/record-set.ts";
import { formatSetIdentifier, parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import {
  applyBatch,
  recordsOf as heldBy,
  newZone,
  type ZoneRecord,
  type ZoneState,
} from "../../lib/standins/route53/rules.ts";
import { route53StandIn } from "../../lib/standins/route53/server.ts";
import {
  container,
  containerId,
  desiredRules,
  instance,
  inTask,
  owner,
  record,
  task,
  ZONE,
} from "../support/build.ts";
import { loopbackAws } from "../support/loopback-aws.ts";
import { cases, FUZZ_LIMIT_MS } from "./cases.ts";
import { hostileText } from "./hostile.ts";

loopbackAws();

const label = fc.stringMatching(/^[A-Za-z0-9-]{1,8}(\.[a-z0-9-]{1,8}){0,2}$/);
const name = fc.oneof(
  label,
  hostileText,
  fc.constantFrom(
    "web",
    "*",
    "*.web",
    "@",
    ".",
    "",
    "web.",
    ZONE,
    `web.${ZONE}.`,
    "_dmarc",
    "xn--4ca",
    "\\052",
    "a".repeat(63),
    "a".repeat(64),
    "other.zone/../x",
  ),
  fc
    .integer({ min: 1, max: 70 })
    .map((parts) => Array.from({ length: parts }, () => "abc").join(".")),
);
const names = fc.array(name, { minLength: 1, maxLength: 4 }).map((all) => all.join(","));
const number = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 255 }).map(String), weight: 6 },
  fc.integer({ min: -2, max: 300 }).map(String),
  fc.integer({ min: -2, max: 2 ** 32 }).map(String),
  fc.constantFrom(
    "",
    "1e3",
    "0x10",
    "+1",
    " 1",
    "1.0",
    "٣",
    "NaN",
    "Infinity",
    "00000000001",
    "-0",
  ),
  hostileText,
);
const labels = fc.record(
  {
    "discovery.service.name": names,
    "discovery.service.weight": number,
    "discovery.service.ttl": number,
    "discovery.service.port": number,
    "discovery.service.health": hostileText,
    "com.amazonaws.ecs.task-arn": hostileText,
    "com.amazonaws.ecs.container-name": hostileText,
    ["__proto__"]: hostileText,
    signal: hostileText,
    exitCode: hostileText,
  },
  { requiredKeys: ["discovery.service.name"] },
);
const rules: fc.Arbitrary<DesiredRules> = fc
  .record({
    allowedNames: fc.constantFrom(["*"], ["web*", "a?c.*"], ["nothing"]),
    routing: fc.constantFrom("weighted" as const, "multivalue" as const),
    addressSource: fc.constantFrom("auto" as const, "docker" as const),
    srv: fc.boolean(),
  })
  .map((over) => ({ ...desiredRules, ...over }));

/** What others hold in the zone. */
const foreign: readonly ZoneRecord[] = [
  { name: `www.${ZONE}.`, type: "CNAME", ttlSeconds: 60, values: ["elsewhere.example."] },
  { name: `db.${ZONE}.`, type: "A", ttlSeconds: 60, values: ["10.9.9.9"] },
  {
    ...record(1, { setIdentifier: formatSetIdentifier({ instance: instance(2), task: task(1) }) }),
    name: `web.${ZONE}.`,
  },
];
const before = withForeign(newZone("Z1", ZONE));

function withForeign(zone: ZoneState): ZoneState {
  const result = applyBatch(
    zone,
    foreign.map((one) => ({ action: "CREATE", record: one })),
  );
  if (!result.ok) throw new Error(result.error.message);
  return result.zone;
}

/** The changes that one running container's labels come to, from nothing published. */
function changesFor(
  asked: Readonly<Record<string, string | undefined>>,
  over: DesiredRules,
): readonly Change[] {
  const own = container(1, {
    labels: new Map(
      Object.entries(asked).filter((one): one is [string, string] => one[1] !== undefined),
    ),
    addresses: ["172.17.0.2"],
  });
  const claim = claimOf(own, "healthy", over);
  if (claim.kind === "absent") return [];
  const answer = {
    kind: "task" as const,
    task: {
      id: task(1),
      containers: new Map([
        [
          containerId(1),
          inTask({ ipv4: ["10.0.0.1"], ipv6: ["2001:db8::1"], ports: [{ container: 80 }] }),
        ],
      ]),
      stopped: false,
    },
  };
  const desired = desiredOf(claim, over.addressSource === "docker" ? undefined : answer, over);
  if (desired.kind !== "serve") return [];
  const wanted = new Map(desired.records.map((one) => [keyOf(one), one]));
  return plan(new Map<RecordKey, Published>(), wanted, new Set());
}

/** Strictly below the zone, ours, and within Route 53's numbers. */
function expectOurs(changes: readonly Change[], over: DesiredRules): void {
  for (const { action, record: one } of changes) {
    expect(action).toBe("UPSERT");
    expect(one.name).toMatch(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+example\.internal$/);
    expect(parseSetIdentifier(one.setIdentifier)?.instance).toBe(owner.instance);
    expect(one.ttlSeconds).toBeGreaterThanOrEqual(0);
    expect(one.ttlSeconds).toBeLessThanOrEqual(2_147_483_647);
    if (over.routing === "weighted") {
      expect(
        Number.isInteger(one.weight) && Number(one.weight) >= 0 && Number(one.weight) <= 255,
      ).toBe(true);
    } else expect(one.weight).toBeUndefined();
    const service = one.name
      .slice(0, -ZONE.length - 1)
      .replace(/^[0-9a-f]{12}(?:[0-9a-f]{20})?\.(?=.)/, "");
    expect(over.allowedNames.some((glob) => matchesGlob(glob, service))).toBe(true);
  }
}

const isForeign = ({ setIdentifier = "" }: ZoneRecord): boolean =>
  parseSetIdentifier(setIdentifier)?.instance !== owner.instance;

test(
  "promise 9: no labels whatever lead to a change outside of the zone and the owner",
  () => {
    let served = 0;
    fc.assert(
      fc.property(labels, rules, (asked, over) => {
        const changes = changesFor(asked, over);
        expectOurs(changes, over);
        served += changes.length > 0 ? 1 : 0;
        // What the agent wants is what Route 53 takes: it refuses nothing but what stands in others' way.
        const result = applyBatch(
          before,
          stepsOf(changes).map(({ action, record: one }) => ({
            action,
            record: {
              ...one,
              name: `${one.name}.`,
              ...(one.weight === undefined && { multiValueAnswer: true }),
            },
          })),
        );
        if (changes.length === 0) return;
        if (result.ok) expect(heldBy(result.zone).filter(isForeign)).toEqual(heldBy(before));
        else {
          expect(result.error.code).toBe("InvalidChangeBatch");
          expect(result.error.message).toMatch(/^\[RRSet /);
        }
      }),
      cases(),
    );
    // A generator that reaches no record would show nothing.
    expect(served).toBeGreaterThan(cases().numRuns / 10);
  },
  FUZZ_LIMIT_MS,
);

test(
  "promise 9: nor through the SDK, over HTTP, to a zone with Route 53's rules",
  async () => {
    const ID = "Z00TEST";
    const route53 = await route53StandIn({ zones: [{ id: ID, name: ZONE }], rate: "unlimited" });
    try {
      route53.seed(ID, foreign);
      process.env["AWS_ENDPOINT_URL_ROUTE_53"] = route53.url;
      const zone = hostedZone({ zoneId: ID, region: owner.region });
      const owned = zone.as(owner.instance, ZONE);
      const others = route53.records(ID);
      await fc.assert(
        fc.asyncProperty(labels, rules, async (asked, over) => {
          const changes = changesFor(asked, over);
          if (changes.length === 0) return;
          const submission = await owned.submit(changes);
          const held = route53.records(ID);
          expect(held.filter(isForeign)).toEqual(others);
          if (submission.kind === "refused") expect(submission.message).toMatch(/^\[RRSet /);
          // Taken back, so that the next case begins with the same zone.
          for (const one of held.filter((each) => !isForeign(each))) {
            route53.edit(ID, [{ action: "DELETE", record: one }]);
          }
        }),
        cases(0.1),
      );
      zone.close();
    } finally {
      await route53.close();
    }
  },
  FUZZ_LIMIT_MS,
);
