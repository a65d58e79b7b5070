import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from "@jest/globals";
import { classicApi } from "../../../../lib/elb/io/classic.ts";
import { targetsApi } from "../../../../lib/elb/io/targets.ts";
import { Unavailable } from "../../../../lib/kit/failure.ts";
import { type ElbStandIn, elbStandIn } from "../../../../lib/standins/elb/server.ts";
import { GROUP } from "../../../support/balancer-world.ts";
import { INSTANCE, web } from "../../../support/elb.ts";
import { loopbackAws } from "../../../support/loopback-aws.ts";

loopbackAws();

let elb: ElbStandIn;
beforeAll(async () => {
  elb = await elbStandIn();
});
beforeEach(() => elb.clearFaults());
afterAll(() => elb.close());

/** Clients of what listens there, on this machine. */
function clientsOf(url: string) {
  expect(new URL(url).hostname).toBe("127.0.0.1");
  // The SDK reads them when a client is made.
  process.env["AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING"] = url;
  process.env["AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"] = url;
  const region = "eu-west-1";
  return { classic: classicApi({ region }), targets: targetsApi({ region }) };
}

describe("Classic Load Balancers", () => {
  it("are read with all that a listener's return takes, and changed by each of the calls", async () => {
    elb.add(web({ name: "all", instances: [] }));
    const { classic } = clientsOf(elb.url);
    const [seen] = await balancersOf(classic, "all");
    expect(seen).toEqual({
      name: "all",
      listeners: [
        {
          listener: {
            lbPort: 80,
            protocol: "HTTP",
            instancePort: 32_768,
            instanceProtocol: "HTTP",
          },
          policies: ["stick"],
        },
      ],
      backEnds: new Map([[32_768, ["proxy"]]]),
      healthCheck: {
        target: "HTTP:32768/health",
        intervalSeconds: 30,
        timeoutSeconds: 5,
        unhealthyThreshold: 2,
        healthyThreshold: 10,
      },
      instances: new Set(),
    });
    const loadBalancer = "all";
    const calls: readonly Parameters<typeof classic.send>[0][] = [
      {
        operation: "SetLoadBalancerPoliciesForBackendServer",
        loadBalancer,
        instancePort: 40_000,
        policies: ["proxy"],
      },
      { operation: "DeleteLoadBalancerListeners", loadBalancer, lbPort: 80 },
      {
        operation: "CreateLoadBalancerListeners",
        loadBalancer,
        listener: {
          lbPort: 80,
          protocol: "HTTPS",
          instancePort: 40_000,
          instanceProtocol: "HTTP",
          certificate: "arn:there",
        },
      },
      {
        operation: "SetLoadBalancerPoliciesOfListener",
        loadBalancer,
        lbPort: 80,
        policies: ["stick"],
      },
      {
        operation: "ConfigureHealthCheck",
        loadBalancer,
        healthCheck: {
          target: "TCP:40000",
          intervalSeconds: 6,
          timeoutSeconds: 3,
          unhealthyThreshold: 4,
          healthyThreshold: 5,
        },
      },
      // No policy at all: an empty list must reach the other side as one.
      {
        operation: "SetLoadBalancerPoliciesForBackendServer",
        loadBalancer,
        instancePort: 32_768,
        policies: [],
      },
      { operation: "RegisterInstancesWithLoadBalancer", loadBalancer, instance: INSTANCE },
    ];
    for (const call of calls) expect(await classic.send(call)).toEqual({ kind: "done" });
    expect(elb.balancer("all")).toEqual({
      listeners: [
        {
          lbPort: 80,
          protocol: "HTTPS",
          instancePort: 40_000,
          instanceProtocol: "HTTP",
          certificate: "arn:there",
          policies: ["stick"],
        },
      ],
      backEnds: { 40000: ["proxy"] },
      check: { target: "TCP:40000", interval: 6, timeout: 3, unhealthy: 4, healthy: 5 },
      instances: [INSTANCE],
    });
    expect(await classic.health("all", INSTANCE)).toMatchObject({ state: "InService" });
    await classic.send({
      operation: "DeregisterInstancesFromLoadBalancer",
      loadBalancer,
      instance: INSTANCE,
    });
    expect(elb.balancer("all").instances).toEqual([]);
    expect(await classic.health("all", INSTANCE)).toEqual({ kind: "gone" });
    classic.close();
  });

  it("are not found when one name of several is unknown, and are read page by page without names", async () => {
    for (let n = 0; n < 401; n += 1) elb.add(web({ name: `page-${n}` }));
    const { classic } = clientsOf(elb.url);
    const names = ["page-1", "nobody"];
    expect(await classic.describe({ kind: "names", names }, undefined)).toEqual({
      kind: "not-found",
    });
    const first = await classic.describe({ kind: "all" }, undefined);
    if (first.kind !== "page") throw new Error(first.kind);
    expect(first.balancers).toHaveLength(400);
    const second = await classic.describe({ kind: "all" }, first.next);
    if (second.kind !== "page") throw new Error(second.kind);
    const all = [...first.balancers, ...second.balancers].map(({ name }) => name);
    expect(all.filter((name) => name.startsWith("page-"))).toHaveLength(401);
    expect(second.next).toBeUndefined();
    classic.close();
    for (let n = 0; n < 401; n += 1) elb.remove(`page-${n}`);
  });

  test.each([
    ["DuplicateListener", 400],
    ["AccessDenied", 403],
    ["InvalidConfigurationRequest", 409],
    ["ListenerNotFound", 400],
  ])("refuse with %s in AWS's own words", async (code, status) => {
    elb.add(web());
    elb.fail({ operation: "DeleteLoadBalancerListeners", kind: { code, status, message: "no" } });
    const { classic } = clientsOf(elb.url);
    const call = { operation: "DeleteLoadBalancerListeners", loadBalancer: "web", lbPort: 80 };
    expect(await classic.send(call as Parameters<typeof classic.send>[0])).toEqual({
      kind: "refused",
      code,
      message: "no",
    });
    classic.close();
  });

  test.each([
    ["an error of the service", { code: "InternalFailure", status: 500 }, undefined],
    ["too many requests", { code: "Throttling" }, "fewer"],
    ["something behind it that is throttled", { code: "DependencyThrottle" }, "fewer"],
    ["a broken connection", "reset-after", undefined],
  ] as const)("are unavailable for %s", async (_, kind, demand) => {
    elb.add(web());
    elb.fail({ kind });
    const { classic } = clientsOf(elb.url);
    const error = await balancersOf(classic, "web").catch((one: unknown) => one);
    expect(error).toBeInstanceOf(Unavailable);
    expect((error as Unavailable).demand).toBe(demand);
    classic.close();
  });

  it("are unavailable when an answer lacks its list: nothing is no empty list", async () => {
    await using other = await answering("<DescribeLoadBalancersResult/>");
    const { classic } = clientsOf(other.url);
    await expect(balancersOf(classic, "web")).rejects.toThrow(
      "answered DescribeLoadBalancers without LoadBalancerDescriptions",
    );
    classic.close();
  });
});

describe("target groups", () => {
  it("take one instance with two ports, and drain the one that goes", async () => {
    elb.addGroup({ arn: GROUP, port: 80 });
    const { targets } = clientsOf(elb.url);
    expect(await targets.group(GROUP)).toEqual({
      kind: "group",
      group: { arn: GROUP, targetType: "instance" },
    });
    const both = [40_000, 40_001].map((port) => ({ id: INSTANCE, port }));
    expect(await targets.register(GROUP, both)).toEqual({ kind: "done" });
    expect(await targets.deregister(GROUP, both.slice(0, 1))).toEqual({ kind: "done" });
    const seen = await targets.targets(GROUP);
    if (seen.kind !== "targets") throw new Error(seen.kind);
    expect(seen.targets.map(({ port, state }) => [port, state])).toEqual([
      [40_000, "draining"],
      [40_001, "healthy"],
    ]);
    const strange = await targets.register(GROUP, [{ id: "10.0.0.1", port: 1 }]);
    expect(strange).toMatchObject({ kind: "refused", code: "InvalidTarget" });
    const unknown = GROUP.replace("/g/", "/none/");
    expect(await targets.targets(unknown)).toMatchObject({ code: "TargetGroupNotFound" });
    targets.close();
  });
});

async function balancersOf(classic: ReturnType<typeof classicApi>, name: string) {
  const answer = await classic.describe({ kind: "names", names: [name] }, undefined);
  if (answer.kind !== "page") throw new Error(answer.kind);
  return answer.balancers;
}

/** Answers everything with this result. */
async function answering(result: string) {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/xml" });
    const space = "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/";
    response.end(
      `<DescribeLoadBalancersResponse xmlns="${space}">${result}</DescribeLoadBalancersResponse>`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
