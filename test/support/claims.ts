import type { ContainerId } from "../../lib/docker/container.ts";
import type { Claim } from "../../lib/web/virtual-hosts.ts";

/** A claim as labels give it when they say nothing but the name. */
export const claim = (number: number, name: string, more: Partial<Claim> = {}): Claim => ({
  container: number.toString(16).padStart(64, "0") as ContainerId,
  containerName: `c${String(number).padStart(5, "0")}`,
  name,
  path: "",
  listen: 80,
  target: { address: `172.17.${Math.floor(number / 250) % 250}.${(number % 250) + 2}`, port: 80 },
  state: "serving",
  options: { tls: "off", redirect: "off", sticky: "ip", weight: 1, proto: "http" },
  ...more,
});
