import * as z from "zod";
import { get, request } from "../../kit/io/http-json.ts";

const DEFAULT_METADATA = "http://169.254.169.254";
const LIMIT_MS = 1_000;
const REGION = /^[a-z]{2}(?:-[a-z0-9]+)+-\d$/;

const TaskMetadata = z.object({ TaskARN: z.string() });

/**
 * The AWS region of this process: AWS_REGION, AWS_DEFAULT_REGION, then what the task's metadata says
 * (ECS_CONTAINER_METADATA_URI_V4), then the instance's (version 2, a token first; not where AWS_EC2_METADATA_DISABLED says
 * so). Undefined where nobody knows.
 */
export async function findRegion(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const told = env["AWS_REGION"] || env["AWS_DEFAULT_REGION"];
  return told || (await ofTask(env)) || (await ofInstance(env));
}

async function ofTask(env: Readonly<Record<string, string | undefined>>) {
  const url = env["ECS_CONTAINER_METADATA_URI_V4"];
  if (!url) return undefined;
  try {
    const { status, body } = await get(`${url}/task`, LIMIT_MS);
    const { TaskARN } = TaskMetadata.parse(status === 200 ? JSON.parse(body) : undefined);
    return valid(TaskARN.split(":")[3]);
  } catch {
    // The instance may know.
    return undefined;
  }
}

async function ofInstance(env: Readonly<Record<string, string | undefined>>) {
  if (env["AWS_EC2_METADATA_DISABLED"]?.toLowerCase() === "true") return undefined;
  const endpoint = env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] || DEFAULT_METADATA;
  try {
    const token = await request(new URL("/latest/api/token", endpoint).href, {
      limitMs: LIMIT_MS,
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
    });
    if (token.status !== 200) return undefined;
    const { status, body } = await request(
      new URL("/latest/meta-data/placement/region", endpoint).href,
      { limitMs: LIMIT_MS, headers: { "x-aws-ec2-metadata-token": token.body.trim() } },
    );
    return status === 200 ? valid(body.trim()) : undefined;
  } catch {
    // Not on EC2, or out of reach from this network.
    return undefined;
  }
}

const valid = (region: string | undefined): string | undefined =>
  region !== undefined && REGION.test(region) ? region : undefined;
