import { describe, expect, test } from "@jest/globals";
import {
  isZoneId,
  type NamedZone,
  zoneOfName,
  zoneReference,
} from "../../../lib/route53/zone-name.ts";

describe("a hosted zone is meant by", () => {
  test.each([
    ["Z1", "Z1"],
    [`Z${"A".repeat(31)}`, `Z${"A".repeat(31)}`],
    ["/hostedzone/Z0123456789ABCDEFGHIJ", "Z0123456789ABCDEFGHIJ"],
    ["internal.example", "internal.example"],
    ["Internal.Example.", "internal.example"],
    ["internal.", "internal"],
    ["Z1.example", "z1.example"],
    ["_acme.my-zone.example", "_acme.my-zone.example"],
    ["2.0.192.in-addr.arpa.", "2.0.192.in-addr.arpa"],
  ])("%s", (text, reference) => {
    expect(zoneReference(text)).toBe(reference);
    expect(isZoneId(reference)).toBe(reference.startsWith("Z"));
  });

  test.each([
    "",
    ".",
    "z0123456789abcdefghij",
    "internal",
    "internal..example",
    ".example",
    "a.example..",
    "-a.example",
    "a.exam ple",
    "a.example\n",
    "/hostedzone/internal.example",
    "https://a.example",
    "*.example",
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(127)}aa`,
    `Z${"A".repeat(32)}`,
  ])("not by %j", (text) => {
    expect(zoneReference(text)).toBeUndefined();
  });
});

describe("of the account's zones", () => {
  const zone = (id: string, name: string, isPrivate = false): NamedZone => ({
    id,
    name,
    isPrivate,
  });
  const zones = [
    zone("Z1", "internal.example"),
    zone("Z2", "a.internal.example"),
    zone("Z3", "two.example", true),
    zone("Z4", "two.example"),
  ];

  test("the one of exactly this name is taken, not one below it", () => {
    expect(zoneOfName("internal.example", zones)).toEqual({ id: "Z1" });
    expect(zoneOfName("a.internal.example", zones)).toEqual({ id: "Z2" });
  });

  test("none is a sentence that says where to look", () => {
    expect(zoneOfName("example", zones)).toEqual({
      problem:
        "no hosted zone of this account is named example: check the name and whose credentials these are (aws route53 list-hosted-zones), or give the zone's id",
    });
  });

  test("several are a sentence with their ids", () => {
    expect(zoneOfName("two.example", zones)).toEqual({
      problem:
        "2 hosted zones of this account are named two.example: give the id of the one that is meant, Z3 (private) or Z4 (public)",
    });
  });
});
