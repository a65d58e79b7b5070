import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { hostedZone } from "../../../../lib/route53/io/zone.ts";
import { changedResponse, errorResponse } from "../../../../lib/standins/route53/xml.ts";
import { type RawAnswer, type RawServer, rawServer } from "../../../fuzz/raw-server.ts";
import { owner, record, upsert, ZONE } from "../../../support/build.ts";
import { loopbackAws } from "../../../support/loopback-aws.ts";

/** Answers that are none of Route 53's own, or that never come whole: what is known of the request after each. */

loopbackAws();
let server: RawServer;
beforeEach(async () => {
  server = await rawServer("port");
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const opened = () => {
  expect(new URL(server.url).hostname).toBe("127.0.0.1");
  process.env["AWS_ENDPOINT_URL_ROUTE_53"] = server.url;
  return hostedZone({ zoneId: "Z00TEST", region: owner.region, requestLimitMs: 300 });
};

/** What comes of one batch that is answered so. */
async function submitted(answer: RawAnswer): Promise<unknown> {
  server.answer = answer;
  const zone = opened();
  try {
    return await zone.as(owner.instance, ZONE).submit([upsert(record(1))]);
  } catch (error) {
    return error;
  } finally {
    zone.close();
  }
}

const xml = { "content-type": "text/xml" };
const html = { "content-type": "text/html" };
const accepted = changedResponse({
  id: "C1",
  status: "PENDING",
  submittedAt: "2026-01-01T00:00:00Z",
});
const page = "<html><head><title>Blocked</title></head><body>Ask the proxy's owner</body></html>";
const said = (status: number, code: string, message = `${code} it is`): RawAnswer => ({
  status,
  headers: xml,
  chunks: [errorResponse({ status, code, message }, "r")],
});

describe("a batch may have landed when its answer", () => {
  it.each<[string, RawAnswer]>([
    ["is cut in its body", { headers: xml, chunks: [accepted.slice(0, 60)], cut: true }],
    [
      "announces more than comes",
      { headers: { ...xml, "content-length": "900" }, chunks: [accepted.slice(0, 60)], cut: true },
    ],
    ["stops in its body and never goes on", { headers: xml, chunks: ["<"], hangs: true }],
    ["stops after its headers", { headers: xml, chunks: [], hangs: true }],
    ["is a page with status 200", { headers: html, chunks: [page] }],
    ["is empty", { headers: xml, chunks: [] }],
    [
      "is compressed though nobody asked",
      {
        headers: { ...xml, "content-encoding": "gzip" },
        chunks: [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xfe, 0])],
      },
    ],
    ["is no XML", { headers: xml, chunks: [Buffer.from([0xff, 0x00, 0xfe])] }],
    ["is a redirect", { status: 302, headers: { location: "http://127.0.0.1:9/" }, chunks: [] }],
    [
      "is a permanent redirect",
      {
        status: 307,
        headers: { location: "http://127.0.0.1:9/" },
        chunks: [],
      },
    ],
    ...[400, 403, 404, 407, 413, 451].map((status): [string, RawAnswer] => [
      `is a page with status ${status}`,
      { status, headers: html, chunks: [page] },
    ]),
    ["is a page with status 502", { status: 502, headers: html, chunks: [page] }],
  ])("%s", async (_, answer) => {
    expect(await submitted(answer)).toMatchObject({
      name: "Unavailable",
      message: "Route 53 did not take ChangeResourceRecordSets",
      mayHaveLanded: true,
      demand: undefined,
    });
  });
});

describe("an answer that is not Route 53's own", () => {
  it("is told with its status and its first words", async () => {
    const error = await submitted({ status: 407, headers: html, chunks: [page] });
    expect(String((error as Error).cause)).toContain("status 407");
    expect(String((error as Error).cause)).toContain("<html><head><title>Blocked</title>");
  });

  it("is told in few words, on one line, without a secret", async () => {
    const text = `x-amz-security-token:AAAABBBBCCCC\n${"long ".repeat(5_000)}`;
    const cause = String(((await submitted({ status: 403, chunks: [text] })) as Error).cause);
    expect(cause.length).toBeLessThan(500);
    expect(cause).not.toContain("AAAABBBBCCCC");
    expect(cause).not.toContain("\n");
  });

  it.each([408, 429])("asks for fewer requests with status %d", async (status) => {
    expect(await submitted({ status, headers: html, chunks: [page] })).toMatchObject({
      name: "Unavailable",
      demand: "fewer",
      mayHaveLanded: true,
    });
  });

  it("is refused whole past any size that Route 53 has", async () => {
    const piece = " ".repeat(1 << 20);
    const error = await submitted({
      headers: xml,
      chunks: Array.from({ length: 20 }, () => piece),
    });
    expect(error).toMatchObject({ name: "Unavailable", mayHaveLanded: true });
  });
});

describe("AWS's own words", () => {
  it.each<[string, RawAnswer]>([
    ["Throttling", said(400, "Throttling")],
    ["TooManyRequestsException", said(400, "TooManyRequestsException")],
    ["TooManyRequestsException with status 429", said(429, "TooManyRequestsException")],
    ["RequestLimitExceeded", said(400, "RequestLimitExceeded")],
  ])("%s asks for fewer requests, and nothing has landed", async (_, answer) => {
    expect(await submitted(answer)).toMatchObject({
      name: "Unavailable",
      demand: "fewer",
      mayHaveLanded: false,
    });
  });

  it("InvalidClientTokenId passes: a new role is still spreading; nothing has landed", async () => {
    expect(await submitted(said(403, "InvalidClientTokenId"))).toMatchObject({
      name: "Unavailable",
      mayHaveLanded: false,
    });
  });

  it.each([
    ["AccessDenied", 403],
    ["NoSuchHostedZone", 404],
    ["SignatureDoesNotMatch", 403],
  ])("%s is final, and nothing has landed", async (code, status) => {
    expect(await submitted(said(status, code))).toMatchObject({
      name: "Fatal",
      mayHaveLanded: false,
    });
  });

  it("a refusal after an answer that was lost says nothing of the first try", async () => {
    let asked = 0;
    server.answer = () => {
      asked += 1;
      return asked === 1
        ? { headers: xml, chunks: [accepted.slice(0, 60)], cut: true }
        : said(400, "InvalidChangeBatch", "[no]");
    };
    const zone = opened();
    expect(await zone.as(owner.instance, ZONE).submit([upsert(record(1))])).toEqual({
      kind: "refused",
      message: "[no]",
      mayHaveLanded: true,
    });
    zone.close();
  });
});

it("a defect of our own is no outage", async () => {
  server.answer = { headers: xml, chunks: [accepted] };
  const zone = opened();
  const broken = { ...record(1), values: undefined } as unknown as ReturnType<typeof record>;
  await expect(zone.as(owner.instance, ZONE).submit([upsert(broken)])).rejects.toThrow(TypeError);
  expect(server.requests).toEqual([]);
  zone.close();
});

it("a list, or a zone, that is a page of somebody else's is unavailable, not empty and not gone", async () => {
  server.answer = { headers: html, chunks: [page] };
  const zone = opened();
  await expect(zone.facts()).rejects.toMatchObject({ name: "Unavailable" });
  await expect(zone.list(undefined)).rejects.toMatchObject({ name: "Unavailable" });
  server.answer = { status: 404, headers: html, chunks: [page] };
  await expect(zone.facts()).rejects.toMatchObject({ name: "Unavailable" });
  zone.close();
});
