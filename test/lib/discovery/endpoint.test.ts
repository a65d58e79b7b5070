import { describe, expect, it, test } from "@jest/globals";
import {
  dockerEndpoint,
  type EndpointWishes,
  taskEndpoint,
} from "../../../lib/discovery/endpoint.ts";
import type { Container } from "../../../lib/docker/container.ts";
import type { TaskAnswer, TaskContainer } from "../../../lib/ecs/task.ts";
import type { Addresses } from "../../../lib/net/address.ts";
import { container, containerId, inTask, task } from "../../support/build.ts";

const V4 = "10.0.41.17";
const V6 = "2a05:d018:abc:de00:1f2e:3d4c:5b6a:7988";
const HOST: Addresses = { ipv4: "10.0.0.5" };
const http = { container: 80, host: 32_768 };

const answer = (own: Partial<TaskContainer> = {}): TaskAnswer => ({
  kind: "task",
  task: { id: task(1), containers: new Map([[containerId(1), inTask(own)]]), stopped: false },
});
const ask = (
  own: Partial<TaskContainer>,
  wishes: Partial<EndpointWishes> = {},
  over: Partial<Container> = {},
  host?: Addresses,
) => taskEndpoint(container(1, over), answer(own), { source: "auto", ...wishes }, host);
const bridge = { networkMode: "bridge" };
const hostMode = { networkMode: "host" };

describe("a task in awsvpc mode", () => {
  test.each([
    ["IPv4", { ipv4: [V4] }, { ipv4: V4 }],
    ["IPv6 only", { ipv6: [V6] }, { ipv6: V6 }],
    ["both", { ipv4: [V4], ipv6: [V6] }, { ipv4: V4, ipv6: V6 }],
  ])("with %s is reached at its own address", (_, own, addresses) => {
    expect(ask(own)).toEqual({
      kind: "endpoint",
      source: "ecs",
      holder: { task: task(1) },
      ...addresses,
    });
  });

  it("is reached at the first address that other hosts reach", () => {
    expect(ask({ ipv4: ["127.0.0.1", V4], ipv6: ["::1"] })).toMatchObject({ ipv4: V4 });
    expect(ask({ ipv4: ["127.0.0.1"], ipv6: [V6] })).not.toHaveProperty("ipv4");
  });

  test.each([bridge, hostMode, {}])(
    "with none but such as no other host reaches is waited for, in any network mode: %j",
    (over) => {
      for (const ipv4 of ["127.0.0.1", "169.254.169.254", "0.0.0.0"]) {
        expect(ask({ ipv4: [ipv4] }, {}, over, HOST)).toMatchObject({
          kind: "unsure",
          reason: "malformed-answer",
          detail: expect.stringContaining(`got "${ipv4}"`),
        });
      }
    },
  );

  it("with neither is waited for", () => {
    expect(ask({})).toMatchObject({ kind: "unsure", reason: "address-pending" });
  });

  it("names the container's port, not the host's", () => {
    const own = { ipv4: [V4], ports: [{ container: 8080, host: 8080 }] };
    expect(ask(own, { port: "first" })).toMatchObject({ port: 8080 });
    expect(ask(own, { port: 9090 })).toMatchObject({ port: 9090 });
    expect(ask({ ipv4: [V4] }, { port: "first" })).not.toHaveProperty("port");
  });
});

describe("a task in bridge or host mode", () => {
  test.each([
    ["bridge", bridge],
    ["host", hostMode],
  ])("in %s mode is reached at this host's address, once that is known", (_, over) => {
    expect(ask({}, {}, over)).toEqual({ kind: "ask-host" });
    expect(ask({}, {}, over, HOST)).toEqual({
      kind: "endpoint",
      source: "host",
      holder: { task: task(1) },
      ...HOST,
    });
    expect(ask({}, {}, over, {})).toMatchObject({
      kind: "none",
      reason: "no-address",
      detail: expect.stringContaining("--hostAddress"),
    });
  });

  it("has no record at a host's address that no other host reaches", () => {
    expect(ask({}, {}, bridge, { ipv4: "127.0.0.1" })).toMatchObject({
      kind: "none",
      detail: expect.stringContaining('got "127.0.0.1" (loopback)'),
    });
  });

  it("in bridge mode names the published port, and waits for it", () => {
    expect(ask({ ports: [http] }, { port: 80 }, bridge, HOST)).toMatchObject({ port: 32_768 });
    expect(ask({ ports: [http] }, { port: "first" }, bridge, HOST)).toMatchObject({ port: 32_768 });
    expect(ask({ ports: [{ container: 80 }] }, { port: 80 }, bridge, HOST)).toMatchObject({
      kind: "unsure",
      reason: "port-pending",
    });
    expect(ask({}, { port: 80 }, bridge, HOST)).toMatchObject({ reason: "port-pending" });
    expect(ask({}, { port: "first" }, bridge, HOST)).not.toHaveProperty("port");
  });

  it("in host mode names the container's own port", () => {
    expect(ask({}, { port: 9000 }, hostMode, HOST)).toMatchObject({ port: 9000 });
  });
});

describe("the address source", () => {
  it("ecs takes nothing but the task's own address", () => {
    expect(ask({ ipv4: [V4] }, { source: "ecs" })).toMatchObject({ source: "ecs" });
    expect(ask({}, { source: "ecs" }, bridge, HOST)).toMatchObject({
      kind: "none",
      reason: "no-address",
    });
  });

  it("host takes this host's, also for an awsvpc task", () => {
    expect(ask({ ipv4: [V4] }, { source: "host" })).toEqual({ kind: "ask-host" });
    expect(ask({ ipv4: [V4] }, { source: "host" }, {}, HOST)).toMatchObject(HOST);
  });

  it("docker takes the container's own, and the record is the container's", () => {
    const own = container(1, { addresses: ["172.17.0.2"], addresses6: [V6] });
    expect(dockerEndpoint(own, { source: "docker", port: 80 })).toEqual({
      kind: "endpoint",
      source: "docker",
      holder: { task: task(1), container: containerId(1).slice(0, 12) },
      ipv4: "172.17.0.2",
      ipv6: V6,
      port: 80,
    });
    const outside = container(1, { addresses: ["172.17.0.2"], labels: new Map() });
    expect(dockerEndpoint(outside, { source: "docker" })).toMatchObject({
      holder: { task: containerId(1).slice(0, 32), container: containerId(1).slice(0, 12) },
    });
    const loop = container(1, { addresses: ["127.0.0.1", "invalid IP"] });
    expect(dockerEndpoint(loop, { source: "docker" })).toMatchObject({
      kind: "none",
      reason: "no-address",
      detail: expect.stringContaining("loopback"),
    });
    expect(dockerEndpoint(container(1), { source: "docker" })).toMatchObject({
      kind: "none",
      reason: "no-address",
    });
  });
});
