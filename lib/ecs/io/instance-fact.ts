import { request } from "../../kit/io/http-json.ts";

const DEFAULT_ENDPOINT = "http://169.254.169.254";
const REQUEST_LIMIT_MS = 1_000;

const PATHS = {
  "public-ipv4": "/latest/meta-data/public-ipv4",
  "local-ipv4": "/latest/meta-data/local-ipv4",
  "instance-id": "/latest/meta-data/instance-id",
  region: "/latest/meta-data/placement/region",
} as const;

/**
 * One fact of this host from EC2's instance metadata, version 2 (a token first); undefined where there is no such service,
 * where the host has none (a public address: status 404), or where AWS_EC2_METADATA_DISABLED says not to ask.
 */
export async function instanceFact(
  what: keyof typeof PATHS,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  if (env["AWS_EC2_METADATA_DISABLED"]?.toLowerCase() === "true") return undefined;
  const endpoint = env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] || DEFAULT_ENDPOINT;
  const ask = async (path: string, method: string, headers: Record<string, string>) => {
    const { status, body } = await request(new URL(path, endpoint).href, {
      limitMs: REQUEST_LIMIT_MS,
      method,
      headers,
    });
    return status === 200 ? body.trim() : undefined;
  };
  try {
    const token = await ask("/latest/api/token", "PUT", {
      "x-aws-ec2-metadata-token-ttl-seconds": "60",
    });
    if (token === undefined) return undefined;
    return (await ask(PATHS[what], "GET", { "x-aws-ec2-metadata-token": token })) || undefined;
  } catch {
    return undefined;
  }
}
