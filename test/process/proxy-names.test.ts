import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import { expect, it } from "@jest/globals";
import { dnsServer } from "../../lib/standins/dns/server.ts";
import { route53StandIn } from "../../lib/standins/route53/server.ts";
import { newSelfSigned } from "../../lib/web/io/self-signed-key.ts";
import { pebble } from "../support/pebble.ts";
import { type ProxyLab, proxyLab } from "../support/proxy-lab.ts";
import { requestLoop } from "../support/request-loop.ts";

/** The certificate that is shown for the name, and whether it leads to the root. */
function shown(lab: ProxyLab, servername: string, ca?: string) {
  return new Promise<{ serial: string; isTrusted: boolean; subject: string }>((resolve, reject) => {
    const socket = connect(
      { host: lab.address, port: 443, servername, rejectUnauthorized: false, ...(ca && { ca }) },
      () => {
        const { serialNumber, subject } = socket.getPeerCertificate();
        resolve({
          serial: serialNumber,
          isTrusted: socket.authorized,
          subject: String(subject.CN ?? ""),
        });
        socket.destroy();
      },
    );
    socket.once("error", reject);
  });
}

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  const untilMs = Date.now() + 90_000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined && found !== false) return found;
    if (Date.now() > untilMs) throw new Error("waited for 90 s, in vain");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it("gets a certificate from a real authority by HTTP, and renews it without a failed request", async () => {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const records = [
    { name: "secure.x.com.", type: "A", ttlSeconds: 1, values: [lab.address] },
  ] as const;
  const dns = await dnsServer({ zones: () => [{ name: "x.com.", records }], random: Math.random });
  stack.defer(() => dns.close());
  const authority = stack.use(
    await pebble({ dnsServer: `${dns.address}:${dns.port}`, validitySeconds: 12 }),
  );
  lab.agent(["--acme", `--acme-directory=${authority.directoryUrl}`], {
    NODE_EXTRA_CA_CERTS: authority.trust,
  });
  const labels = { "proxy.host": "secure.x.com", "proxy.tls": "acme" };
  await lab.web({ name: "secure", labels });
  const root = String(await until(() => authority.root()));
  const first = await until(async () => {
    const found = await shown(lab, "secure.x.com", root);
    return found.isTrusted && found;
  });
  // Whoever asks for no name that is known sees the self-signed one.
  expect(await shown(lab, "other.x.com", root)).toMatchObject({
    isTrusted: false,
    subject: "localhost",
  });
  await using load = requestLoop(lab, "secure.x.com", "secure");
  await until(async () => {
    const found = await shown(lab, "secure.x.com", root);
    return found.isTrusted && found.serial !== first.serial;
  });
  await load.answered(20);
  expect(load.failures).toEqual([]);
});

it("serves the operator's own certificate, and one that is replaced as soon as it is seen", async () => {
  await using lab = await proxyLab();
  const folder = join(lab.folder, "own");
  await mkdir(folder);
  await writeFile(join(folder, "mine.pem"), newSelfSigned("mine.x.com"));
  const agent = lab.agent([`--certificates=${folder}`]);
  await lab.web({ name: "mine", labels: { "proxy.host": "mine.x.com", "proxy.tls": "mine" } });
  await lab.web({ name: "bad", labels: { "proxy.host": "bad.x.com", "proxy.tls": "nosuch" } });
  await until(async () => (await shown(lab, "mine.x.com")).subject === "mine.x.com");
  expect((await shown(lab, "bad.x.com")).subject).toBe("localhost");
  expect(agent.ended).toBe(false);
});

it("keeps one record for each host and name, in the zone that fits best, and asks nothing while nothing changes", async () => {
  await using one = await proxyLab();
  await using two = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const many = Array.from({ length: 120 }, (_, n) => ({
    id: `Z${1_000 + n}`,
    name: `other${n}.com`,
  }));
  const zones = [{ id: "Z0000X", name: "x.com" }, ...many, { id: "Z9999X", name: "deep.x.com" }];
  const route53 = await route53StandIn({ zones, rate: "unlimited" });
  stack.defer(() => route53.close());
  const identifier = `ecs-proxy-1/host-${"0".repeat(32)}`;
  const foreign = {
    name: "a.x.com.",
    type: "A",
    ttlSeconds: 300,
    weight: 1,
    values: ["10.9.9.9"],
    setIdentifier: identifier,
  } as const;
  route53.seed("Z0000X", [foreign]);
  const env = { AWS_ENDPOINT_URL_ROUTE_53: route53.url };
  const first = one.agent(["--route53", "--my-ip=10.0.0.1"], env);
  two.agent(["--route53", "--my-ip=10.0.0.2"], env);
  const container = await one.web({
    name: "a1",
    labels: { "proxy.host": "a.x.com, *.w.x.com, b.deep.x.com", "dns.hostname": "only.x.com" },
  });
  await two.web({ name: "a2", labels: { "proxy.host": "a.x.com nowhere.example" } });
  const ours = (zone: string) =>
    route53
      .records(zone)
      .filter(({ type }) => type === "A")
      .map(
        ({ name, values, ttlSeconds, weight }) =>
          `${name} ${values.join()} ${ttlSeconds} ${weight}`,
      )
      .toSorted();
  await until(async () => ours("Z0000X").length === 5 && ours("Z9999X").length === 1);
  expect(ours("Z9999X")).toEqual(["b.deep.x.com. 10.0.0.1 300 1"]);
  expect(ours("Z0000X")).toEqual([
    "\\052.w.x.com. 10.0.0.1 300 1",
    "a.x.com. 10.0.0.1 300 1",
    "a.x.com. 10.0.0.2 300 1",
    "a.x.com. 10.9.9.9 300 1",
    "only.x.com. 10.0.0.1 300 1",
  ]);

  // A restart with the same containers changes nothing, and reads no record.
  first.kill("SIGTERM");
  await first.exit();
  const before = route53.requests.length;
  const again = one.agent(["--route53", "--my-ip=10.0.0.1"], env);
  await one.until("a.x.com", ({ body }) => body.startsWith("a1 "));
  await again.until(({ message }) => message.startsWith("serves http://a.x.com"));
  await one.web({ name: "marker", labels: { "proxy.host": "marker.deep.x.com" } });
  await until(async () => ours("Z9999X").length === 2);
  const since = route53.requests.slice(before);
  expect(since.filter(({ operation }) => operation !== "ListHostedZones")).toMatchObject([
    { operation: "ChangeResourceRecordSets", changes: 1 },
  ]);

  // After the last container nothing of this host is left, and nobody else's is touched.
  await container.remove({ force: true });
  await until(async () => ours("Z0000X").length === 2);
  expect(ours("Z0000X")).toEqual(["a.x.com. 10.0.0.2 300 1", "a.x.com. 10.9.9.9 300 1"]);
  again.kill("SIGKILL");
  await again.exit();
  await one.docker.getContainer(one.named("marker")).remove({ force: true });
  one.agent(["--route53", "--my-ip=10.0.0.1"], env);
  await until(async () => ours("Z9999X").length === 0);
});

it("two hosts behind one name each get a certificate, by DNS", async () => {
  await using one = await proxyLab();
  await using two = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const zone = { id: "Z0000X", name: "x.com" };
  // Its name servers are behind what it has accepted, as the real ones are.
  const insyncAfterMs = 1_000;
  const route53 = await route53StandIn({ zones: [zone], rate: "unlimited", insyncAfterMs });
  stack.defer(() => route53.close());
  let answered = route53.records(zone.id);
  route53.onLanded(() => {
    const records = route53.records(zone.id);
    setTimeout(() => {
      answered = records;
    }, insyncAfterMs);
  });
  const dns = await dnsServer({
    zones: () => [{ name: "x.com.", records: answered }],
    random: Math.random,
  });
  stack.defer(() => dns.close());
  const authority = stack.use(await pebble({ dnsServer: `${dns.address}:${dns.port}` }));
  const env = { AWS_ENDPOINT_URL_ROUTE_53: route53.url, NODE_EXTRA_CA_CERTS: authority.trust };
  const flags = ["--route53", "--acme", `--acme-directory=${authority.directoryUrl}`];
  for (const [n, lab] of [one, two].entries()) {
    lab.agent([...flags, `--my-ip=10.0.0.${n + 1}`], env);
    await lab.web({
      name: `s${n}`,
      labels: { "proxy.host": "shared.x.com *.wild.x.com", "proxy.tls": "acme" },
    });
  }
  const root = String(await until(() => authority.root()));
  for (const lab of [one, two]) {
    for (const name of ["shared.x.com", "any.wild.x.com"]) {
      await until(async () => (await shown(lab, name, root)).isTrusted);
    }
  }
  await route53.until(zone.id, (records) => records.every(({ type }) => type !== "TXT"));
});
