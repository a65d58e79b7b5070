import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { readLabels } from "../../../lib/discovery/labels.ts";
import { matchesGlob } from "../../../lib/kit/glob.ts";
import { ZONE } from "../../support/build.ts";

const rules = { zoneName: ZONE, allowedNames: ["*"] };
const read = (labels: Readonly<Record<string, string>>, allowedNames = ["*"]) =>
  readLabels(
    new Map(Object.entries(labels).map(([name, value]) => [`discovery.service.${name}`, value])),
    { ...rules, allowedNames },
  );

describe("names", () => {
  test.each([
    ["web", ["web"]],
    ["web,api", ["web", "api"]],
    [" web , v2.api ", ["web", "v2.api"]],
    ["web,WEB", ["web"]],
  ])("%j are %j", (name, names) => {
    expect(read({ name })).toEqual({
      ok: true,
      asked: { names: names.map((one) => `${one}.${ZONE}`), problems: [] },
    });
  });

  it("that are bad are problems of their own beside good ones", () => {
    expect(read({ name: "web,my_web,,api" })).toEqual({
      ok: true,
      asked: {
        names: [`web.${ZONE}`, `api.${ZONE}`],
        problems: [
          'label discovery.service.name: expected letters, digits, hyphens and dots only, got "my_web"',
          "label discovery.service.name: expected a service name such as web or v2.api, got an empty value",
        ],
      },
    });
  });

  it("that are all bad are a problem of the container", () => {
    expect(read({ name: "my_web,*" })).toMatchObject({ ok: false, reason: "bad-name" });
  });

  it("can be claimed only where --allowedNames matches", () => {
    expect(read({ name: "web" }, ["web", "api-*"])).toMatchObject({ ok: true });
    expect(read({ name: "API-2" }, ["web", "api-*"])).toMatchObject({ ok: true });
    expect(read({ name: "db" }, ["web", "api-*"])).toEqual({
      ok: false,
      reason: "bad-name",
      problem:
        'label discovery.service.name: expected a name that --allowedNames allows (web,api-*), got "db"',
    });
  });
});

describe("what one container may ask for", () => {
  const names = (count: number) => Array.from({ length: count }, (_, n) => `a${n}`).join(",");

  it("is 100 names", () => {
    expect(read({ name: names(100) })).toMatchObject({ ok: true });
    expect(read({ name: names(101) })).toEqual({
      ok: false,
      reason: "bad-label",
      problem: "label discovery.service.name: expected at most 100 names, got 101",
    });
  });

  it("is a label of 16,384 characters, which is not even split when it is longer", () => {
    const long = ",".repeat(50_000_000);
    expect(read({ name: long })).toEqual({
      ok: false,
      reason: "bad-label",
      problem:
        "label discovery.service.name: expected at most 16384 characters, got 50000000 or more",
    });
  });
});

describe("the case of a label's key", () => {
  const readAll = (labels: Readonly<Record<string, string>>) =>
    readLabels(new Map(Object.entries(labels)), rules);

  it("does not matter, as it did not to the program that the labels come from", () => {
    expect(
      readAll({
        "Discovery.Service.Name": "web",
        "DISCOVERY.SERVICE.WEIGHT": "7",
        "discovery.service.TTL": "30",
      }),
    ).toMatchObject({ ok: true, asked: { names: [`web.${ZONE}`], weight: 7, ttlSeconds: 30 } });
  });

  it("in lower case goes before all others, of which the first counts", () => {
    expect(
      readAll({ "Discovery.Service.Name": "no", "discovery.service.name": "web" }),
    ).toMatchObject({ asked: { names: [`web.${ZONE}`] } });
    expect(
      readAll({ "discovery.service.Name": "no", "Discovery.Service.Name": "web" }),
    ).toMatchObject({ asked: { names: [`web.${ZONE}`] } });
  });
});

describe("weight and TTL", () => {
  it("are read as whole numbers", () => {
    expect(read({ name: "web", weight: "0", ttl: "2147483647" })).toMatchObject({
      asked: { weight: 0, ttlSeconds: 2_147_483_647 },
    });
  });

  test.each([
    [
      { weight: "256" },
      'label discovery.service.weight: expected a whole number from 0 to 255, got "256"',
    ],
    [
      { weight: "-1" },
      'label discovery.service.weight: expected a whole number from 0 to 255, got "-1"',
    ],
    [
      { weight: "" },
      'label discovery.service.weight: expected a whole number from 0 to 255, got ""',
    ],
    [
      { ttl: "1.5" },
      'label discovery.service.ttl: expected a whole number from 0 to 2147483647, got "1.5"',
    ],
    [
      { ttl: "2147483648" },
      'label discovery.service.ttl: expected a whole number from 0 to 2147483647, got "2147483648"',
    ],
  ])("%j is a problem of the container", (labels, problem) => {
    expect(read({ name: "web", ...labels })).toEqual({ ok: false, reason: "bad-label", problem });
  });

  it("that are bad are all told at once", () => {
    const both = read({ name: "web", weight: "x", ttl: "y" });
    expect(both).toMatchObject({ ok: false, problem: expect.stringMatching(/weight.*; .*ttl/) });
  });
});

describe("globs", () => {
  test.each([
    ["*", "anything", true],
    ["*", "", true],
    ["web", "web", true],
    ["web", "webs", false],
    ["web*", "web-2", true],
    ["*.api", "v2.api", true],
    ["*.api", "v2xapi", false],
    ["a*b*c", "aXbYbZc", true],
    ["a*b*c", "aXbY", false],
    ["?-1", "a-1", true],
    ["?-1", "ab-1", false],
    ["**", "x", true],
  ])("%j matches %j: %p", (glob, text, matches) => {
    expect(matchesGlob(glob, text)).toBe(matches);
  });

  it("match as the regular expression that they stand for", () => {
    const letters = fc.array(fc.constantFrom("a", "b", ".", "*", "?"), { maxLength: 8 });
    const plain = fc.array(fc.constantFrom("a", "b", "."), { maxLength: 8 });
    fc.assert(
      fc.property(letters, plain, (glob, text) => {
        const signs = new Map([
          ["*", ".*"],
          ["?", "."],
          [".", "\\."],
        ]);
        const pattern = glob.map((sign) => signs.get(sign) ?? sign);
        expect(matchesGlob(glob.join(""), text.join(""))).toBe(
          new RegExp(`^${pattern.join("")}$`).test(text.join("")),
        );
      }),
      { numRuns: 2_000 },
    );
  });
});
