import { describe, expect, it, test } from "@jest/globals";
import { hostWord } from "../../../lib/web/host-name.ts";
import { type LabelRules, readLabels, readNotice } from "../../../lib/web/labels.ts";
import { durationOf, sizeOf } from "../../../lib/web/options.ts";
import { portPair, portRanges, RESERVED_PORTS } from "../../../lib/web/ports.ts";

const rules: LabelRules = {
  domain: "example.com",
  ports: { allowed: [[1, 65_535]], reserved: new Set(RESERVED_PORTS) },
  allowedNames: ["*"],
  redirect: "off",
};
const read = (labels: Readonly<Record<string, string>>, more: Partial<LabelRules> = {}) =>
  readLabels(new Map(Object.entries(labels)), { ...rules, ...more });
const names = (label: string, more: Partial<LabelRules> = {}) =>
  read({ "proxy.host": label }, more).hosts.map(({ name, path }) => name + path);

describe("proxy.host", () => {
  test.each([
    ["host3", ["host3.example.com"]],
    ["host4.foobar.com", ["host4.foobar.com"]],
    ["foo.com", ["foo.com.example.com"]],
    ["A.Example.ORG.", ["a.example.org"]],
    ["a.x.com,b.x.com c.x.com\td.x.com", ["a.x.com", "b.x.com", "c.x.com", "d.x.com"]],
    ["*.x.com", ["*.x.com"]],
    ["*.x", ["*.x.example.com"]],
    ["my_app", ["my_app.example.com"]],
    ["a.x.com/api", ["a.x.com/api"]],
    ["a.x.com/", ["a.x.com"]],
    ["a.x.com,a.x.com", ["a.x.com"]],
  ])("%s names %j", (label, expected) => {
    expect(names(label)).toEqual(expected);
  });

  test.each([
    "a..x.com",
    "-a.x.com",
    "a-.x.com",
    "a.*.x.com",
    "a;b.x.com",
    "a.x.com\\n",
    "ünder.x.com",
    `${"a".repeat(64)}.x.com`,
    `${"a.".repeat(130)}com`,
    "a.x.com/../etc",
    'a.x.com/"',
    "{a}",
    "http://a.x.com",
  ])("drops the bad word %j alone, and says so", (bad) => {
    const { hosts, problems } = read({ "proxy.host": `good.x.com ${bad} other.x.com` });
    expect(hosts.map(({ name }) => name)).toEqual(["good.x.com", "other.x.com"]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^proxy\.host: expected .*, got /);
  });

  it("without a domain names what it says", () => {
    expect(names("hello", { domain: "" })).toEqual(["hello"]);
  });

  it("is bound by --allowedNames", () => {
    const { hosts, problems } = read(
      { "proxy.host": "a.x.com b.y.com" },
      { allowedNames: ["*.x.com"] },
    );
    expect(hosts.map(({ name }) => name)).toEqual(["a.x.com"]);
    expect(problems).toEqual(["proxy.host: b.y.com is not among the names of --allowedNames"]);
  });

  it("takes 16 names and says how many more there were", () => {
    const label = Array.from({ length: 20 }, (_, n) => `n${n}.x.com`).join(" ");
    const { hosts, problems } = read({ "proxy.host": label });
    expect(hosts).toHaveLength(16);
    expect(problems).toEqual([
      "proxy.host: expected at most 16 names, got 4 more, which are dropped",
    ]);
  });

  it("tells a few of many problems, and how many there are besides", () => {
    const { problems } = read({ "proxy.host": "; ".repeat(100) });
    expect(problems).toHaveLength(9);
    expect(problems.at(-1)).toBe("and 92 more");
  });

  it("with a bad proxy.path names nothing, because all paths would be another's", () => {
    expect(read({ "proxy.host": "a.x.com", "proxy.path": "/a b" }).hosts).toEqual([]);
  });

  it("a path of its own beats proxy.path", () => {
    const { hosts } = read({ "proxy.host": "a.x.com/one b.x.com", "proxy.path": "/two/" });
    expect(hosts.map(({ name, path }) => name + path)).toEqual(["a.x.com/one", "b.x.com/two"]);
  });
});

describe("proxy.ports", () => {
  const ports = (label: string | undefined, more: Readonly<Record<string, string>> = {}) =>
    read({
      "proxy.host": "a.x.com",
      ...(label !== undefined && { "proxy.ports": label }),
      ...more,
    });

  test.each([
    [undefined, ["80:80"]],
    ["5001", ["5001:5001"]],
    ["80:5001 8443:9000", ["80:5001", "8443:9000"]],
    ["80:5001,8443:9000", ["80:5001", "8443:9000"]],
  ])("%s is %j", (label, expected) => {
    expect(ports(label).ports.map(({ listen, target }) => `${listen}:${target}`)).toEqual(expected);
  });

  test.each(["0", "65536", "80:80:80", "http", "80:", ":80", "-1", "80;", "0x50"])(
    "drops the bad word %s alone",
    (bad) => {
      const { ports: found, problems } = ports(`81 ${bad}`);
      expect(found).toEqual([{ listen: 81, target: 81 }]);
      expect(problems).toHaveLength(1);
    },
  );

  test.each([22, 2375, 2376, 51_678, 51_679, 51_680])("never listens on %d", (port) => {
    expect(ports(`${port}:80`).ports).toEqual([]);
    expect(ports(`${port}:80`).problems[0]).toContain("reserved");
  });

  it("is bound by --listenPorts, and by default is the first of them where 80 is none", () => {
    const few = { ports: { ...rules.ports, allowed: portRanges("8080,9000-9002") ?? [] } };
    expect(read({ "proxy.host": "a.x.com" }, few).ports).toEqual([{ listen: 8080, target: 80 }]);
    const { ports: found, problems } = read(
      { "proxy.host": "a.x.com", "proxy.ports": "80 9001:1" },
      few,
    );
    expect(found).toEqual([{ listen: 9001, target: 1 }]);
    expect(problems).toEqual(["proxy.ports: listen port 80 is not among those of --listenPorts"]);
  });

  it("takes the successor's proxy.port.<listen>, too", () => {
    expect(ports(undefined, { "proxy.port.81": "9000" }).ports).toEqual([
      { listen: 81, target: 9000 },
    ]);
  });

  it("with proxy.tls is served at 443 besides", () => {
    expect(ports("80:5001", { "proxy.tls": "acme" }).ports).toEqual([
      { listen: 80, target: 5001 },
      { listen: 443, target: 5001 },
    ]);
  });

  it("takes 16 of them", () => {
    const label = Array.from({ length: 20 }, (_, n) => 1_000 + n).join(" ");
    expect(ports(label).ports).toHaveLength(16);
  });
});

describe("the other labels", () => {
  it("have the original's ways by default", () => {
    expect(read({ "proxy.host": "a.x.com" }).options).toEqual({
      tls: "off",
      redirect: "off",
      sticky: "ip",
      weight: 1,
      proto: "http",
    });
  });

  it("are taken as they are written", () => {
    const { options, problems } = read({
      "proxy.host": "a.x.com",
      "proxy.tls": "acme",
      "proxy.redirect": "https",
      "proxy.upload": "1g",
      "proxy.timeout": "5m",
      "proxy.sticky": "cookie",
      "proxy.weight": "7",
      "proxy.proto": "grpc",
      "proxy.network": "front",
      "proxy.notify": "",
    });
    expect(problems).toEqual([]);
    expect(options).toEqual({
      tls: "acme",
      redirect: "https",
      uploadBytes: 1_073_741_824,
      timeoutMs: 300_000,
      sticky: "cookie",
      weight: 7,
      proto: "grpc",
    });
  });

  test.each([
    ["proxy.tls", "../x"],
    ["proxy.redirect", "elsewhere"],
    ["proxy.upload", "lots"],
    ["proxy.timeout", "0s"],
    ["proxy.sticky", "yes"],
    ["proxy.weight", "0"],
    ["proxy.proto", "tcp"],
  ])("%s=%s keeps the default and says what was expected", (label, value) => {
    const { options, problems } = read({ "proxy.host": "a.x.com", [label]: value });
    expect(options).toEqual(read({ "proxy.host": "a.x.com" }).options);
    expect(problems[0]).toMatch(new RegExp(`^${label}: expected .*, got "`));
  });

  it("that do not exist are told", () => {
    expect(read({ "proxy.host": "a.x.com", "proxy.hots": "b" }).problems).toEqual([
      '"proxy.hots": no such label',
    ]);
  });

  it("dns.hostname names what it says, without the domain", () => {
    expect(read({ "dns.hostname": "Foo.com, bar" }).dnsNames).toEqual(["foo.com", "bar"]);
    expect(read({ "dns.hostname": "a b;c" }).problems).toHaveLength(1);
  });
});

test.each([
  ["", { kind: "signal", signal: "SIGHUP" }],
  ["signal:USR1", { kind: "signal", signal: "SIGUSR1" }],
  ["signal:SIGHUP", { kind: "signal", signal: "SIGHUP" }],
  ["nginx -s reload", { kind: "command", words: ["nginx", "-s", "reload"] }],
  ["sh; rm", { kind: "command", words: ["sh;", "rm"] }],
])("proxy.notify=%j is %j", (label, expected) => {
  expect(readNotice(label)).toEqual(expected);
});

test.each(["signal:KILL", "signal:NOPE", "signal:"])("proxy.notify=%s is a problem", (label) => {
  expect(readNotice(label).kind).toBe("problem");
});

test.each([
  ["100m", 104_857_600],
  ["0", 0],
  ["64k", 65_536],
  ["1G", 1_073_741_824],
  ["1t", undefined],
  ["-1", undefined],
  ["99999999g", undefined],
])("a size of %s is %s bytes", (text, expected) => {
  expect(sizeOf(text)).toBe(expected);
});

test.each([
  ["90", 90_000],
  ["1500ms", 1_500],
  ["24h", 86_400_000],
  ["25h", undefined],
  ["5 m", undefined],
])("a time of %s is %s ms", (text, expected) => {
  expect(durationOf(text)).toBe(expected);
});

test.each(["", "80-79", "0", "a", "80,", "1-2-3", "65536"])("%j are no ports", (text) => {
  expect(portRanges(text)).toBeUndefined();
});

it("a port pair of many digits is none", () => {
  expect(portPair("000080")).toContain("expected a port");
});

it("a host word keeps its own reason", () => {
  expect(hostWord("a..b", "")).toBe('expected a name without empty parts, got "a..b"');
});
