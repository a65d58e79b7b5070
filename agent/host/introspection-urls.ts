import { readDefaultGateway } from "../../lib/net/io/gateway.ts";
import type { HostConfig } from "./host-flags.ts";

/**
 * The port of the ECS agent's introspection endpoint; it can't be configured (aws/amazon-ecs-agent,
 * `ecs-agent/introspection/server.go`).
 */
const INTROSPECTION_PORT = 51678;

/** The given URL, or where an ECS agent is to be expected from a bridge container, the host's network, and any network. */
export async function introspectionUrls({
  introspectionUrl,
}: Pick<HostConfig, "introspectionUrl">): Promise<readonly string[]> {
  if (introspectionUrl !== undefined) return [introspectionUrl];
  const gateway = await readDefaultGateway();
  const hosts = ["host", "127.0.0.1", ...(gateway === undefined ? [] : [gateway])];
  return hosts.map((host) => `http://${host}:${INTROSPECTION_PORT}`);
}
