import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { hostedZone, type OwnedZone, type ZoneCursor } from "../../lib/route53/io/zone.ts";
import { formatSetIdentifier, parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import { newZone, recordsOf } from "../../lib/standins/route53/rules.ts";
import {
  changedResponse,
  errorResponse,
  listResponse,
  zoneResponse,
} from "../../lib/standins/route53/xml.ts";
import { instance, owner, record, task, upsert, ZONE } from "../support/build.ts";
import { loopbackAws } from "../support/loopback-aws.ts";
import { cases, FUZZ_LIMIT_MS } from "./cases.ts";
import { damage, damaged, hostileText, inChunks } from "./hostile.ts";
import { type RawAnswer, type RawServer, rawServer } from "./raw-server.ts";

loopbackAws();
let server: RawServer;
let zone: ReturnType<typeof hostedZone>;
let owned: OwnedZone;
beforeAll(async (): Promise<void> => {
  server = await rawServer("port");
  process.env["AWS_ENDPOINT_URL_ROUTE_53"] = server.url;
  zone = hostedZone({ zoneId: "Z00TEST", region: owner.region });
  owned = zone.as(owner.instance, ZONE);
});
afterAll(async () => {
  zone.close();
  await server[Symbol.asyncDispose]();
});

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const held = recordsOf(newZone("Z00TEST", ZONE));
const theirs = formatSetIdentifier({ instance: instance(2), task: task(2) });
const list = listResponse({
  records: [
    ...held,
    { ...record(1), name: `web.${ZONE}.` },
    { ...record(2, { setIdentifier: theirs }), name: `web.${ZONE}.` },
  ],
  maxItems: 300,
});
const good = {
  list,
  zone: zoneResponse({
    id: "Z00TEST",
    name: `${ZONE}.`,
    privateZone: false,
    recordCount: 4,
    nameServers: [],
  }),
  changed: changedResponse({ id: "C1", status: "PENDING", submittedAt: "2026-01-01T00:00:00Z" }),
};
const entities = [
  '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">',
  ...Array.from(
    { length: 9 },
    (_, n) => `<!ENTITY b${n} "${`&${n === 0 ? "a" : `b${n - 1}`};`.repeat(10)}">`,
  ),
  "]>",
].join("");

const wrong = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    HEAD,
    "<html><body>Please log in</body></html>",
    "<!DOCTYPE html><html><head><title>503</title></head><body><h1>Bad</body>",
    "{}",
    "null",
    "<a/>",
    "<ListResourceRecordSetsResponse/>",
    "<ListResourceRecordSetsResponse><ResourceRecordSets>7</ResourceRecordSets></ListResourceRecordSetsResponse>",
    "<GetHostedZoneResponse><HostedZone/></GetHostedZoneResponse>",
    "<GetHostedZoneResponse><HostedZone><Name>.</Name></HostedZone></GetHostedZoneResponse>",
    "<GetHostedZoneResponse><HostedZone><Name>a b.</Name></HostedZone></GetHostedZoneResponse>",
    "<ChangeResourceRecordSetsResponse/>",
    `${entities}<a>&b8;</a>`,
    list.replace("?>", `?>${entities}`).replace(ZONE, "&b8;"),
    "<".repeat(2_000),
    "<a>".repeat(2_000),
    '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
    "<__proto__><polluted>1</polluted></__proto__>",
    "<ErrorResponse><Error><Code>__proto__</Code></Error></ErrorResponse>",
  ),
  hostileText,
  hostileText.map((text) => `<${text}>${text}</${text}>`),
  fc
    .tuple(
      fc.constantFrom("TTL", "Weight", "Type", "Name", "SetIdentifier", "IsTruncated"),
      hostileText,
    )
    .map(([tag, text]) =>
      list.replaceAll(new RegExp(`<${tag}>[^<]*`, "g"), () => `<${tag}>${text}`),
    ),
  fc
    .tuple(
      fc.constantFrom("Throttling", "AccessDenied", "InvalidChangeBatch", "x", ""),
      hostileText,
    )
    .map(([code, message]) => errorResponse({ status: 400, code, message }, "r")),
  hostileText.map(
    (text) =>
      `<InvalidChangeBatch><Messages><Message>${text}</Message></Messages></InvalidChangeBatch>`,
  ),
);
const body = fc
  .tuple(
    fc.oneof(
      { arbitrary: wrong, weight: 3 },
      fc.constantFrom(...Object.values(good)),
      fc
        .tuple(fc.constantFrom(...Object.values(good)), fc.nat(3_000))
        .map(([xml, at]) => xml.slice(0, at % xml.length)),
    ),
    fc.oneof({ arbitrary: fc.constant([]), weight: 2 }, damage(3)),
    fc.array(fc.nat(3_000), { maxLength: 2 }),
  )
  .map(([text, harm, places]) => inChunks(damaged(text, harm), places));
/** Not 5xx, cut or throttled: those the SDK repeats after waits, and `io/route53` shows what comes of them. */
const answer: fc.Arbitrary<RawAnswer> = fc.record({
  status: fc.constantFrom(200, 200, 200, 200, 201, 204, 301, 400, 403, 404),
  headers: fc.constantFrom<Record<string, string>>(
    { "content-type": "text/xml" },
    { "content-type": "text/html" },
    { "content-type": "application/json", "x-amzn-errortype": "AccessDenied" },
    {},
  ),
  chunks: body,
});

/** What it answers; undefined for `Unavailable` and `Fatal`, and nothing else is thrown. */
async function asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    expect(["Unavailable", "Fatal"]).toContain((error as Error).name);
    return undefined;
  }
}

const bodyOf = ({ chunks }: RawAnswer): string =>
  Buffer.concat(chunks.map((one) => Buffer.from(one))).toString();

describe("whatever Route 53 answers", () => {
  test(
    "to a list, none but the owner's are taken for its own, and no answer for an empty zone",
    async () => {
      await fc.assert(
        fc.asyncProperty(answer, async (raw) => {
          server.answer = raw;
          const page = await asked(() => owned.page(undefined));
          const group = await asked(() => owned.group(`web.${ZONE}`));
          for (const one of [...(page?.own ?? []), ...(group?.own ?? [])]) {
            expect(parseSetIdentifier(one.setIdentifier)?.instance).toBe(owner.instance);
            expect(one.name).toMatch(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+example\.internal$/);
            expect(Number.isSafeInteger(one.ttlSeconds)).toBe(true);
            expect(one.weight === undefined || Number.isSafeInteger(one.weight)).toBe(true);
            for (const value of one.values) expect(typeof value).toBe("string");
          }
          // An answer that is none must not look as if the zone held nothing.
          if (page !== undefined) expect(bodyOf(raw)).toContain("IsTruncated");
          expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
        }),
        cases(0.1),
      );
    },
    FUZZ_LIMIT_MS,
  );

  test(
    "to a question for the zone, it has a name, or is Unavailable or Fatal",
    async () => {
      await fc.assert(
        fc.asyncProperty(answer, async (raw) => {
          server.answer = raw;
          const found = await asked(() => zone.facts());
          if (found === undefined) return;
          expect(found.name).toMatch(/^[!-~]+$/);
          expect(found.name).not.toMatch(/^\.|\.\.|\.$/);
          expect(Number.isSafeInteger(found.size) && found.size >= 0).toBe(true);
        }),
        cases(0.05),
      );
    },
    FUZZ_LIMIT_MS,
  );

  test(
    "to a batch, it has landed only when Route 53 says so",
    async () => {
      await fc.assert(
        fc.asyncProperty(answer, async (raw) => {
          server.answer = raw;
          const submission = await asked(() => owned.submit([upsert(record(1))]));
          if (submission?.kind === "accepted")
            expect(bodyOf(raw)).toMatch(/<ChangeInfo>[\s\S]*<Id>/);
          if (submission?.kind === "refused") {
            expect(raw.status).toBeGreaterThan(300);
            expect(typeof submission.message).toBe("string");
          }
        }),
        cases(0.05),
      );
    },
    FUZZ_LIMIT_MS,
  );
});

describe("a list that never ends", () => {
  const next = (name: string, identifier: string): string =>
    listResponse({
      records: [],
      maxItems: 300,
      next: { name, type: "A", identifier },
    });

  /** Reads on while there is a next page; the length of the way, or the error at its end. */
  async function readAll(): Promise<unknown> {
    let cursor: ZoneCursor | undefined;
    for (let pages = 1; pages < 50; pages += 1) {
      try {
        ({ next: cursor } = await owned.page(cursor));
      } catch (error) {
        return error;
      }
      if (cursor === undefined) return pages;
    }
    return "endless";
  }

  test("because its cursor repeats is Unavailable", async () => {
    server.answer = { chunks: [next(`a.${ZONE}.`, "x")] };
    expect(await readAll()).toMatchObject({ name: "Unavailable" });
  });

  test("because its cursors go round in circles is Unavailable", async () => {
    let asks = 0;
    server.answer = () => {
      asks += 1;
      return { chunks: [next(`${["a", "b", "c"][asks % 3]}.${ZONE}.`, "x")] };
    };
    expect(await readAll()).toMatchObject({ name: "Unavailable" });
  });

  test("because it is cut short without a cursor is Unavailable", async () => {
    server.answer = { chunks: [list.replace("<IsTruncated>false", "<IsTruncated>true")] };
    expect(await readAll()).toMatchObject({ name: "Unavailable" });
  });
});
