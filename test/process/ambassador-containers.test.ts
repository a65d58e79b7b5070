import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import Docker from "dockerode";
import type { FleetState } from "../../lib/standins/ecs/service-rules.ts";
import { installPackages, isRootOnDebian } from "../support/debian.ts";
import { bridgeTask, fleet, HOST } from "../support/fleet.ts";
import { hasImage, importImage } from "../support/local-image.ts";

/**
 * The original's two examples as real containers: `serve-instanceid`, an nginx that serves its instance's id at a port
 * that Docker chooses, and `collect-instanceids`, which asks through a linked ambassador.
 */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const IMAGE = `eda-test-ambassador:node-${process.version}`;
const LABEL = `eda-ambassador-${randomBytes(4).toString("hex")}`;
const FLEET_PORT = 8_900;
const docker = new Docker();

beforeAll(async () => {
  const programs = { "/usr/sbin/nginx": "nginx-light", "/usr/sbin/nft": "nftables" };
  const missing = Object.entries(programs).filter(([program]) => !existsSync(program));
  if (missing.length > 0 && !isRootOnDebian()) {
    const names = missing.map(([, name]) => name).join(" and ");
    throw new Error(`These tests put ${names} into an image: install them`);
  }
  if (missing.length > 0) await installPackages(...missing.map(([, name]) => name));
  await promisify(execFile)(process.execPath, ["deploy/bundle.ts"], { cwd: ROOT });
  if (await hasImage(docker, IMAGE)) return;
  await importImage(docker, IMAGE, {
    environment: { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/bin" },
    async fill(root) {
      await root.program(process.execPath, "/usr/local/bin/node");
      for (const program of [...Object.keys(programs), "/bin/sh", "/bin/cat", "/bin/mkdir"]) {
        await root.program(program);
      }
      await root.write(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
      );
      await root.write("/etc/group", "root:x:0:\nnogroup:x:65534:\n");
      await root.temporary("/tmp");
    },
  });
}, 180_000);

afterAll(async () => {
  const all = await docker.listContainers({ all: true, filters: { label: [LABEL] } });
  await Promise.all(all.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
});

async function start(
  name: string,
  command: readonly string[],
  options: Docker.ContainerCreateOptions = {},
): Promise<Docker.Container> {
  const container = await docker.createContainer({
    ...options,
    name: `${LABEL}-${name}`,
    Image: IMAGE,
    Entrypoint: [],
    Cmd: [...command],
    Labels: { [LABEL]: "" },
    HostConfig: { Binds: [`${ROOT}:/src:ro`], ...options.HostConfig },
  });
  await container.start();
  return container;
}

async function logOf(container: Docker.Container): Promise<string> {
  const raw = await container.logs({ stdout: true, stderr: true });
  const output = new PassThrough();
  container.modem.demuxStream(PassThrough.from([raw]), output, output);
  setImmediate(() => output.end());
  return text(output);
}

/** Waits until the container's log holds the text. */
async function says(container: Docker.Container, wanted: string): Promise<string> {
  for (let tries = 0; tries < 300; tries += 1) {
    const log = await logOf(container);
    if (log.includes(wanted)) return log;
    const { State } = await container.inspect();
    if (!State.Running) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`expected "${wanted}" in\n${await logOf(container)}`);
}

/** serve-instanceid: an nginx whose page is what EC2's metadata would tell it; gives the port that Docker chose. */
async function serveInstanceId(id: string) {
  const config = `daemon off; user root; pid /tmp/nginx.pid; error_log stderr; events {} http { access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s; server { listen 80; location / { return 200 "${id}"; } } }`;
  const script = `echo '${config}' > /tmp/nginx.conf && mkdir -p /var/log/nginx /var/lib/nginx && exec nginx -c /tmp/nginx.conf`;
  const container = await start(id, ["sh", "-c", script], {
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "" }] } },
  });
  const { NetworkSettings } = await container.inspect();
  return {
    port: Number(NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort),
    // This machine, as its containers reach it.
    host: NetworkSettings.Networks["bridge"]?.Gateway ?? "",
  };
}

const COLLECT = `
const ids = {};
for (let n = 0; n < 60; n += 1) {
  const id = await fetch("http://instance/", { headers: { connection: "close" } }).then((r) => r.text(), (e) => "failed " + e.cause?.code);
  ids[id] = (ids[id] ?? 0) + 1;
}
console.log("collected " + JSON.stringify(ids));
`;

describe.each([
  ["without NET_ADMIN, by the proxy", {}, "The proxy hands connections on"],
  [
    "with NET_ADMIN and two sysctls, by the kernel",
    {
      CapDrop: ["ALL"],
      CapAdd: ["NET_ADMIN"],
      ReadonlyRootfs: true,
      Sysctls: { "net.ipv4.conf.all.route_localnet": "1", "net.ipv4.ip_forward": "1" },
    },
    "The kernel hands connections on",
  ],
])("collect-instanceids over a linked ambassador %s", (title, rights, line) => {
  it("hears each of the instances, and nothing else", async () => {
    const key = title.startsWith("with ") ? "kernel" : "proxy";
    const ids = ["i-aaaa", "i-bbbb", "i-cccc"].map((id) => `${id}-${key}`);
    const places = await Promise.all(ids.map(serveInstanceId));
    const state: FleetState = fleet(
      places.map(({ port }) => bridgeTask({ 80: port })),
      { instances: [{ ...HOST, privateIp: places[0]?.host ?? "" }] },
    );
    const url = `http://127.0.0.1:${FLEET_PORT}`;
    const ambassador = await start(
      `ambassador-${key}`,
      ["node", "/src/dist/agent.mjs", "kite", "-name=web", "-service=shop", "--poll=1"],
      {
        Env: [
          `AWS_ENDPOINT_URL_ECS=${url}`,
          `AWS_ENDPOINT_URL_EC2=${url}`,
          "AWS_REGION=eu-west-1",
          "AWS_ACCESS_KEY_ID=test",
          "AWS_SECRET_ACCESS_KEY=test",
          "AWS_EC2_METADATA_DISABLED=true",
        ],
        HostConfig: { ...rights },
      },
    );
    await start(`fleet-${key}`, ["node", "/src/test/support/fleet-container.ts"], {
      Env: [`FLEET_STATE=${JSON.stringify(state)}`, `FLEET_PORT=${FLEET_PORT}`],
      HostConfig: { NetworkMode: `container:${ambassador.id}` },
    });
    const log = await says(ambassador, "listens port=80");
    expect(log).toContain(line);
    const collector = await start(
      `collector-${key}`,
      ["node", "--input-type=module", "-e", COLLECT],
      { HostConfig: { Links: [`${LABEL}-ambassador-${key}:instance`] } },
    );
    await collector.wait();
    const [, collected = "{}"] = /collected (.*)/.exec(await logOf(collector)) ?? [];
    const counts = JSON.parse(collected) as Record<string, number>;
    expect(Object.keys(counts).toSorted()).toEqual(ids);
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(60);
    await ambassador.kill({ signal: "SIGTERM" });
    expect(await ambassador.wait()).toEqual(expect.objectContaining({ StatusCode: 0 }));
  });
});
