import { request } from "../../kit/io/http-json.ts";
import type { Addresses } from "../../net/address.ts";

const DEFAULT_ENDPOINT = "http://169.254.169.254";
const REQUEST_LIMIT_MS = 1_000;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * This host's own addresses from EC2's instance metadata, version 2 (a token first); none where there is no such service,
 * or AWS_EC2_METADATA_DISABLED says not to ask. AWS_EC2_METADATA_SERVICE_ENDPOINT leads elsewhere, as in the AWS SDKs.
 */
export async function hostAddresses(env: Environment): Promise<Addresses> {
  const [ipv4, ipv6] = await instanceValues(env, ["local-ipv4", "ipv6"]);
  return { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) };
}

/** This host's EC2 instance id (`i-…`) from the same; undefined where it can't be had. */
export async function hostInstanceId(env: Environment): Promise<string | undefined> {
  const [id] = await instanceValues(env, ["instance-id"]);
  return id && /^i-[0-9a-f]{8,17}$/.test(id) ? id : undefined;
}

/** What the metadata says under each name; undefined for one that it has not, or that it does not tell. */
async function instanceValues(
  env: Environment,
  names: readonly string[],
): Promise<readonly (string | undefined)[]> {
  if (env["AWS_EC2_METADATA_DISABLED"]?.toLowerCase() === "true") return [];
  const endpoint = env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] || DEFAULT_ENDPOINT;
  const ask = async (path: string, method: string, headers: Record<string, string>) => {
    const url = new URL(path, endpoint).href;
    const { status, body } = await request(url, { limitMs: REQUEST_LIMIT_MS, method, headers });
    return status === 200 ? body.trim() : undefined;
  };
  try {
    const token = await ask("/latest/api/token", "PUT", {
      "x-aws-ec2-metadata-token-ttl-seconds": "60",
    });
    if (token === undefined) return [];
    const headers = { "x-aws-ec2-metadata-token": token };
    return await Promise.all(names.map((name) => ask(`/latest/meta-data/${name}`, "GET", headers)));
  } catch {
    // Not on EC2, or out of reach from this network: the container is told so, with its reason.
    return [];
  }
}
