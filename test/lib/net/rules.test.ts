import { describe, expect, it, test } from "@jest/globals";
import { type Backend, backendKey, endpointOf } from "../../../lib/net/backend.ts";
import { translated } from "../../../lib/net/conntrack.ts";
import { type KernelFacts, kernelLacks, linkedLack } from "../../../lib/net/kernel-lacks.ts";
import { numbered, rulesOf } from "../../../lib/net/kernel-rules.ts";
import { proxyHeader } from "../../../lib/net/proxy-protocol.ts";
import { backendsIn, NOTHING_SEEN, remember } from "../../../lib/net/service-records.ts";

const at = (address: string, port: number, weight = 1): Backend => ({
  id: `t${port}`,
  address,
  port,
  weight,
});

test("an endpoint is written as in a URL, and a task's successor at it is another backend", () => {
  expect(endpointOf(at("10.0.0.1", 80))).toBe("10.0.0.1:80");
  expect(endpointOf(at("2001:db8::1", 80))).toBe("[2001:db8::1]:80");
  expect(backendKey(at("10.0.0.1", 80))).not.toBe(
    backendKey({ ...at("10.0.0.1", 80), id: "next" }),
  );
});

describe("the PROXY header", () => {
  const ends = (source: string, destination: string) => ({
    source: { address: source, port: 4_660 },
    destination: { address: destination, port: 80 },
  });
  test.each([
    ["10.0.0.1", "10.0.0.2", "2111000c", "0a0000010a00000212340050"],
    ["::ffff:10.0.0.1", "::ffff:10.0.0.2", "2111000c", "0a0000010a00000212340050"],
    [
      "2001:db8::1",
      "::1",
      "21210024",
      `20010db8000000000000000000000001${"0".repeat(31)}112340050`,
    ],
    ["fe80::1%eth0", "fe80::2", "21210024", `fe80${"0".repeat(27)}1fe80${"0".repeat(27)}212340050`],
  ])("of %s at %s", (source, destination, head, body) => {
    const header = proxyHeader(ends(source, destination)).toString("hex");
    expect(header).toBe(`0d0a0d0a000d0a515549540a${head}${body}`);
  });
  it("says that nobody is known where nobody is", () => {
    expect(proxyHeader(undefined).toString("hex")).toBe("0d0a0d0a000d0a515549540a20000000");
    expect(proxyHeader(ends("10.0.0.1", "::1"))).toEqual(proxyHeader(undefined));
  });
});

describe("the kernel's rules", () => {
  const table = { name: "ambassador", linked: true, place: "own" } as const;
  const two = { port: 80, backends: [at("10.0.0.1", 8001, 5), at("10.0.0.2", 8002)] };
  const one = { port: 81, backends: [at("10.0.0.1", 8003)] };

  it("replace the table in one transaction, also where there was none", () => {
    expect(
      rulesOf({ ...table, forwards: [two] })
        .split("\n")
        .slice(0, 3),
    ).toEqual(["table ip ambassador", "delete table ip ambassador", "table ip ambassador {"]);
  });
  it("draw by weight, and draw again for a task that has just refused", () => {
    const rules = rulesOf({ ...table, forwards: [two, one] });
    expect(rules).toContain("ct mark set numgen random mod 6 map { 0-4 : 1, 5 : 2 }");
    expect(rules.match(/ct mark @dead/g)).toHaveLength(3);
    expect(rules).toContain("dnat ip to ct mark map { 1 : 10.0.0.1 . 8001, 2 : 10.0.0.2 . 8002 }");
    expect(rules).toContain(
      "fib daddr type local tcp dport vmap { 80 : jump pick80, 81 : jump pick81 }",
    );
    expect(numbered([two, one]).map(({ mark }) => mark)).toEqual([1, 2, 3]);
  });
  it("never masquerade fully-random", () => {
    const rules = rulesOf({ ...table, forwards: [two] });
    expect(rules).toContain("ct status dnat masquerade\n");
    expect(rules).not.toContain("random,");
    expect(rules).not.toContain("fully-random");
  });
  it("leave linked clients to the proxy where the kernel does not forward", () => {
    expect(rulesOf({ ...table, linked: false, forwards: [two] })).not.toContain(
      "nat hook prerouting",
    );
  });
  it("keep their hooks without any forward, for what is open", () => {
    const rules = rulesOf({ ...table, forwards: [] });
    expect(rules).toContain("type nat hook output");
    expect(rules).not.toContain("dport");
  });
  it("touch one address only where one is asked for", () => {
    const rules = rulesOf({ ...table, address: "127.0.0.1", forwards: [two] });
    expect(rules).toContain("ip daddr 127.0.0.1 tcp dport");
    expect(rules).not.toContain("fib daddr");
  });
  it("of a host come before the engine's, and leave other clients their address", () => {
    const rules = rulesOf({ ...table, place: "host", bridges: ["172.17.0.0/16"], forwards: [two] });
    expect(rules).toContain("type nat hook prerouting priority -105");
    expect(rules).toContain("ct original proto-dst { 80 } fib saddr type local masquerade");
    expect(rules).toContain("ip saddr 172.17.0.0/16 ip daddr 172.17.0.0/16 masquerade");
    expect(rules).not.toContain("ct status dnat masquerade\n");
  });
  it("take no address that is none of IPv4", () => {
    expect(() =>
      rulesOf({ ...table, forwards: [{ port: 80, backends: [at("::1", 80)] }] }),
    ).toThrow("expected IPv4 addresses, got ::1");
  });
});

describe("what the kernel lacks", () => {
  const able: KernelFacts = {
    isFirstNamespace: false,
    interfaces: ["lo", "eth0"],
    routeLocalnet: true,
    ipForward: true,
  };
  test.each([
    [able, 0, undefined],
    [{ ...able, isFirstNamespace: true }, 1, "the host's own network namespace"],
    [{ ...able, interfaces: ["lo", "docker0"] }, 1, "it has docker0"],
    [{ ...able, interfaces: ["lo", "br-0123456789ab"] }, 1, "it has br-0123456789ab"],
    [{ ...able, routeLocalnet: false }, 1, "route_localnet is 0"],
    [{ ...able, nftProblem: "no nft", routeLocalnet: false }, 2, "no nft"],
  ])("of %j is %d things", (facts, count, text) => {
    const lacks = kernelLacks(facts, "own");
    expect(lacks).toHaveLength(count);
    if (text !== undefined) expect(lacks.join()).toContain(text);
  });
  it("of a host is not that it is one", () => {
    expect(kernelLacks({ ...able, isFirstNamespace: true }, "host")).toEqual([]);
  });
  it("for linked clients is ip_forward", () => {
    expect(linkedLack(able)).toBeUndefined();
    expect(linkedLack({ ...able, ipForward: false })).toContain("ip_forward is 0");
  });
});

test("of conntrack's table the open connections count that were given to somebody", () => {
  const line = (state: string, asked: string, to: string, rest = "") =>
    `ipv4     2 tcp      6 431999 ${state} src=127.0.0.1 dst=${asked} sport=44812 dport=80 ${rest}src=${to} dst=10.9.0.1 sport=8001 dport=44812 [ASSURED] mark=1 zone=0 use=2`;
  const table = [
    line("ESTABLISHED", "127.0.0.1", "10.9.0.2"),
    line("ESTABLISHED", "127.0.0.1", "10.9.0.3", "packets=3 bytes=99 "),
    line("TIME_WAIT", "127.0.0.1", "10.9.0.2"),
    "ipv4     2 tcp      6 9 ESTABLISHED src=10.9.0.1 dst=10.9.0.2 sport=5 dport=8001 src=10.9.0.2 dst=10.9.0.1 sport=8001 dport=5 [ASSURED] mark=0 use=1",
    "ipv4     2 udp      17 9 src=10.9.0.1 dst=10.9.0.2 sport=5 dport=53",
    "garbage",
  ].join("\n");
  expect(translated(table)).toEqual([
    { port: 80, endpoint: "10.9.0.2:8001" },
    { port: 80, endpoint: "10.9.0.3:8001" },
  ]);
});

describe("a name's places", () => {
  const places = (count: number, from = 0) =>
    Array.from({ length: count }, (_, n) => ({
      address: `10.0.0.${from + n}`,
      port: 80,
      weight: 1,
    }));
  const known = (...answers: readonly (readonly [atMs: number, from: number, count: number])[]) => {
    let memory = NOTHING_SEEN;
    for (const [atMs, from, count] of answers) memory = remember(memory, places(count, from), atMs);
    return backendsIn(memory).map(({ address }) => address.replace("10.0.0.", ""));
  };
  it("are those of an answer with several", () => {
    expect(known([0, 1, 3], [1_000, 5, 2])).toEqual(["5", "6"]);
  });
  it("are those of a minute where one comes at a time", () => {
    expect(known([0, 1, 1], [10_000, 2, 1], [20_000, 3, 1])).toEqual(["1", "2", "3"]);
    expect(known([0, 1, 1], [10_000, 2, 1], [61_000, 3, 1])).toEqual(["2", "3"]);
  });
  it("are those of a minute where eight come, as many as an answer holds", () => {
    expect(known([0, 10, 8], [10_000, 14, 8])).toHaveLength(12);
  });
  it("are none when the name has no record any more", () => {
    expect(known([0, 1, 1], [10_000, 0, 0])).toEqual([]);
  });
});
