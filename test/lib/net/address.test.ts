import { isIPv4, isIPv6 } from "node:net";
import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { firstReachable, unreachable } from "../../../lib/net/address.ts";

describe("an address that other hosts can't reach", () => {
  test.each([
    ["0.0.0.0", "unspecified"],
    ["0.1.2.3", "unspecified"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["169.254.169.254", "link-local"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.255", "multicast"],
    ["255.255.255.255", "broadcast"],
    ["010.0.0.1", "no address"],
    ["10.0.0.256", "no address"],
    ["10.0.0", "no address"],
    ["10.0.0.1.", "no address"],
    ["0x7f.0.0.1", "no address"],
    ["invalid IP", "no address"],
    ["", "no address"],
    ["::", "unspecified"],
    ["0:0:0:0:0:0:0:0", "unspecified"],
    ["::1", "loopback"],
    ["0:0:0:0:0:0:0:1", "loopback"],
    ["fe80::1", "link-local"],
    ["febf::1", "link-local"],
    ["FE80::1", "link-local"],
    ["ff02::1", "multicast"],
    ["::ffff:10.0.0.1", "IPv4 in the form of IPv6"],
    ["::ffff:a00:1", "IPv4 in the form of IPv6"],
    ["::10.0.0.1", "IPv4 in the form of IPv6"],
    ["fe80::1%eth0", "no address"],
    ["1:2:3", "no address"],
    ["1::2::3", "no address"],
    ["2001:db8::10.0.0.256", "no address"],
    ["::g", "no address"],
  ])("%j is %s", (text, reason) => {
    expect(unreachable(text)).toBe(reason);
  });

  test.each([
    "10.0.0.1",
    "172.31.255.255",
    "192.168.0.0",
    "100.64.0.1",
    "169.253.0.1",
    "126.0.0.1",
    "128.0.0.1",
    "223.255.255.255",
    "240.0.0.1",
    "2001:db8::1",
    "2a05:d018:abc:de00:1f2e:3d4c:5b6a:7988",
    "fd00::1",
    "fec0::1",
    "64:ff9b::10.0.0.1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:10.0.0.1",
  ])("%j is none", (text) => {
    expect(unreachable(text)).toBeUndefined();
  });

  it("is one that Node takes for an address, too, or is called none", () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4Extended(),
      fc.stringMatching(/^[0-9a-f:.]{1,24}$/),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (one) => {
        // Node takes a zone index, which no record can hold.
        const isAddress = isIPv4(one) || (isIPv6(one) && !one.includes("%"));
        expect([one, unreachable(one) === "no address"]).toEqual([one, !isAddress]);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("of several addresses", () => {
  it("the first that can be reached is taken", () => {
    expect(firstReachable(["127.0.0.1", "10.0.0.1", "10.0.0.2"])).toEqual({ address: "10.0.0.1" });
    expect(firstReachable([])).toEqual({});
  });

  it("of which none can, the first is told", () => {
    expect(firstReachable(["127.0.0.1", "0.0.0.0"])).toEqual({
      problem: 'expected an address that other hosts reach, got "127.0.0.1" (loopback)',
    });
  });
});
