import { randomBytes } from "node:crypto";
import { Fatal } from "../../../lib/kit/failure.ts";
import { asProxyHost, type ProxyHost } from "../../../lib/route53/proxy-identifier.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { ProxyConfig } from "../config.ts";
import type { Edges } from "../edges.ts";
import { type Dns, dns } from "./zones.ts";

const HOST_FILE = "host";

/** What keeps this host's records, once it is known who and where this host is. Undefined without
 * `--route53`. Throws `Fatal` where it has no address. */
export async function dnsOf(
  config: ProxyConfig,
  {
    edges,
    surroundings,
    say,
  }: {
    readonly edges: Edges;
    readonly surroundings: Pick<Surroundings, "clock" | "random" | "log" | "env">;
    readonly say: (text: string) => void;
  },
): Promise<Dns | undefined> {
  if (!config.route53) return undefined;
  const address = await addressOf(config, edges);
  const { host, region } = await hostOf(config, edges, surroundings.env);
  surroundings.log.info("keeps records of this host in Route 53", { address, host });
  return dns(config, { host, address, edges: edges.dns(region), surroundings, onChange: say });
}

async function addressOf({ myIp, awsPublicIp }: ProxyConfig, edges: Edges): Promise<string> {
  if (myIp !== undefined) return myIp;
  const what = awsPublicIp ? "public-ipv4" : "local-ipv4";
  const address = await edges.instance(what);
  if (address !== undefined && /^\d{1,3}(?:\.\d{1,3}){3}$/.test(address)) return address;
  throw new Fatal(
    `--route53 needs this host's address, and instance metadata has no ${what}: give --myIp`,
  );
}

/**
 * Who this host is, the first that is known: its ECS container instance, its EC2 instance, or a name that it gave itself
 * once and keeps in its folder. What it was before stays: records must not change their owner because the ECS agent
 * starts late.
 */
async function hostOf(
  { introspectionUrl }: ProxyConfig,
  edges: Edges,
  env: Surroundings["env"],
): Promise<{ readonly host: ProxyHost; readonly region: string }> {
  const file = edges.file(HOST_FILE);
  const found = await edges.findEcsAgent().catch((error: unknown) => {
    // Who names an ECS agent means it: without its word the owner would be another.
    if (introspectionUrl !== undefined) throw error;
    return undefined;
  });
  const instance = await edges.instance("instance-id");
  const kept = asProxyHost((await file.read().catch(() => ""))?.trim() ?? "");
  const region =
    env["AWS_REGION"] ||
    env["AWS_DEFAULT_REGION"] ||
    found?.owner.region ||
    (await edges.instance("region")) ||
    "us-east-1";
  const known =
    (found && asProxyHost(found.owner.instance)) ??
    (kept !== undefined && !/^i-|^host-/.test(kept) ? kept : undefined) ??
    (instance === undefined ? undefined : asProxyHost(instance)) ??
    kept ??
    asProxyHost(`host-${randomBytes(16).toString("hex")}`);
  if (known === undefined) throw new Fatal("this host has no name for its records");
  if (known !== kept) await file.write(`${known}\n`);
  return { host: known, region };
}
