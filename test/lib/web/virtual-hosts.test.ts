import { describe, expect, it } from "@jest/globals";
import { indexPage } from "../../../lib/web/index-page.ts";
import type { Options } from "../../../lib/web/options.ts";
import { urlOf, virtualHosts } from "../../../lib/web/virtual-hosts.ts";
import { claim } from "../../support/claims.ts";

const poolsOf = (...claims: Parameters<typeof virtualHosts>[0]) =>
  virtualHosts(claims).hosts.map(({ key, servers }) => [
    key,
    servers.map(({ name, state }) => `${name} ${state}`),
  ]);

describe("claims of one name, path and port", () => {
  it("are one pool, whatever their order", () => {
    const [one, two] = [claim(1, "a.x.com"), claim(2, "a.x.com")];
    expect(poolsOf(one, two)).toEqual(poolsOf(two, one));
    expect(poolsOf(one, two)).toHaveLength(1);
    expect(poolsOf(one, { ...two, path: "/api" })).toHaveLength(2);
    expect(poolsOf(one, { ...two, listen: 81 })).toHaveLength(2);
  });

  it("are served as the first by name says, and who says otherwise is told", () => {
    const cookie: Options = { ...claim(1, "").options, sticky: "cookie" };
    const first = claim(1, "a.x.com", { containerName: "alpha" });
    const second = claim(2, "a.x.com", { containerName: "beta", options: cookie });
    const { hosts, conflicts } = virtualHosts([second, first]);
    expect(hosts[0]?.options.sticky).toBe("ip");
    expect(conflicts.get(second.container)).toEqual([
      "proxy.sticky of a.x.com: alpha says otherwise, and is first by name",
    ]);
    expect(conflicts.has(first.container)).toBe(false);
  });

  it("that are unhealthy serve only where nobody else does", () => {
    const ill = claim(1, "a.x.com", { state: "unhealthy" });
    const well = claim(2, "a.x.com");
    const stateOf = (...of: Parameters<typeof virtualHosts>[0]) =>
      virtualHosts(of).hosts[0]?.servers.find(({ container }) => container === ill.container)
        ?.state;
    expect(stateOf(ill)).toBe("serving");
    expect(stateOf(ill, well)).toBe("draining");
    expect(stateOf(ill, { ...well, state: "draining" })).toBe("serving");
  });
});

describe("a short name", () => {
  it("is the first label of a full one", () => {
    expect(virtualHosts([claim(1, "www.a.com")]).shorts).toEqual([
      { listen: 80, short: "www", name: "www.a.com", redirects: false },
    ]);
  });

  it("of two full names belongs to the first by name, and the other is told", () => {
    const second = claim(1, "www.b.com");
    const { shorts, conflicts } = virtualHosts([second, claim(2, "www.a.com")]);
    expect(shorts.map(({ name }) => name)).toEqual(["www.a.com"]);
    expect(conflicts.get(second.container)).toEqual([
      "the short name www is that of www.a.com, which is first by name",
    ]);
  });

  it("gives way to a full one", () => {
    expect(virtualHosts([claim(1, "www"), claim(2, "www.a.com")]).shorts).toEqual([]);
  });

  it("is none of a wildcard's", () => {
    expect(virtualHosts([claim(1, "*.a.com")]).shorts).toEqual([]);
  });
});

it("hosts are no more than the engine can hold, and who goes without is told", () => {
  const claims = Array.from({ length: 4_100 }, (_, n) =>
    claim(n + 1, `n${String(n).padStart(4, "0")}.x.com`),
  );
  const { hosts, conflicts } = virtualHosts(claims);
  expect(hosts).toHaveLength(4_096);
  expect(
    [...conflicts.values()].flat().filter((text) => text.includes("at most 4096")),
  ).toHaveLength(4);
});

it("a URL names its port where that is not the scheme's own", () => {
  const urls = [80, 443, 8080].map((listen) => urlOf({ listen, name: "a.com", path: "/p" }));
  expect(urls).toEqual(["http://a.com/p", "https://a.com/p", "http://a.com:8080/p"]);
});

it("the page of what is served shows hostile text as text", () => {
  const page = indexPage([{ name: '"><script>', listen: 80, path: "/&'" }]);
  expect(page).not.toContain("<script>");
  expect(page).toContain('<a href="http://&quot;&gt;&lt;script&gt;/&amp;&#39;">');
  expect(indexPage([])).toContain("<ul>");
});
