import { request } from "../../kit/io/http-json.ts";
import type { Addresses } from "../../net/address.ts";

const DEFAULT_ENDPOINT = "http://169.254.169.254";
const REQUEST_LIMIT_MS = 1_000;

/**
 * This host's own addresses from EC2's instance metadata, version 2 (a token first); none where there is no such service,
 * or AWS_EC2_METADATA_DISABLED says not to ask. AWS_EC2_METADATA_SERVICE_ENDPOINT leads elsewhere, as in the AWS SDKs.
 */
export async function hostAddresses(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Addresses> {
  if (env["AWS_EC2_METADATA_DISABLED"]?.toLowerCase() === "true") return {};
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
    if (token === undefined) return {};
    const headers = { "x-aws-ec2-metadata-token": token };
    const [ipv4, ipv6] = await Promise.all([
      ask("/latest/meta-data/local-ipv4", "GET", headers),
      ask("/latest/meta-data/ipv6", "GET", headers),
    ]);
    return { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) };
  } catch {
    // Not on EC2, or out of reach from this network: the container is told so, with its reason.
    return {};
  }
}
