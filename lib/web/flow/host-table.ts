import { type Claim, type Hosts, virtualHosts } from "../virtual-hosts.ts";

/** The virtual hosts that the claims come to, worked out when somebody asks after a change. */
export function hostTable(claims: () => readonly Claim[]) {
  let hosts: Hosts | undefined;
  return {
    hosts(): Hosts {
      hosts ??= virtualHosts(claims());
      return hosts;
    },
    changed(): void {
      hosts = undefined;
    },
  };
}
