import { isIP } from "node:net";
import { quote } from "../../kit/quote.ts";
import { type Context, isHostNetwork, isWindows } from "./context.ts";
import { type Fields, present, unlessEmpty } from "./fields.ts";
import { dnsLabel, isHostName } from "./names.ts";

/** Kubernetes documentation, DNS config of a pod. */
const MAX_NAME_SERVERS = 3;
const MAX_SEARCH_DOMAINS = 32;

/** The pod's name resolution: hostname, hostAliases, dnsConfig, and the network of the node where the task has it. */
export function hostsOf(context: Context): Fields {
  const { task, report } = context;
  const dns = dnsOf(context);
  const isHost = isHostNetwork(context);
  if (task.networkMode === "none") {
    report.unmapped(
      "networkMode",
      "a pod always has a network",
      "keep others away by a NetworkPolicy",
    );
  }
  const policy = isHost ? "ClusterFirstWithHostNet" : undefined;
  return present({
    hostname: hostnameOf(context),
    hostNetwork: isHost ? true : undefined,
    dnsPolicy: dns?.["nameservers"] === undefined ? policy : "None",
    dnsConfig: dns,
    hostAliases: aliasesOf(context),
  });
}

function hostnameOf({ containers, report }: Context): string | undefined {
  const named = containers.filter(({ definition }) => (definition.hostname ?? "") !== "");
  const [first] = named;
  if (first === undefined) return undefined;
  const hostname = dnsLabel(first.definition.hostname ?? "");
  for (const { at, definition } of named) {
    if (definition.hostname === hostname) continue;
    report.unmapped(
      `${at}.hostname`,
      `the containers of a pod share one host name, ${quote(hostname)}`,
      "let nothing depend on another one",
    );
  }
  return hostname;
}

function dnsOf({ containers, report }: Context): Fields | undefined {
  const nameservers = new Set<string>();
  const searches = new Set<string>();
  for (const { at, definition } of containers) {
    for (const [index, server] of (definition.dnsServers ?? []).entries()) {
      const member = `${at}.dnsServers[${index}]`;
      if (isIP(server) === 0) report.refuse(member, `expected an IP address, got ${quote(server)}`);
      else if (!nameservers.has(server) && nameservers.size === MAX_NAME_SERVERS) {
        report.unmapped(
          member,
          `a pod has at most ${MAX_NAME_SERVERS} name servers`,
          "take one away",
        );
      } else nameservers.add(server);
    }
    for (const [index, domain] of (definition.dnsSearchDomains ?? []).entries()) {
      const member = `${at}.dnsSearchDomains[${index}]`;
      if (!isHostName(domain.replace(/\.$/, ""))) {
        report.unmapped(member, `${quote(domain)} is no domain in Kubernetes`, "take it away");
      } else if (!searches.has(domain) && searches.size === MAX_SEARCH_DOMAINS) {
        report.unmapped(member, `a pod has at most ${MAX_SEARCH_DOMAINS} domains`, "take one away");
      } else searches.add(domain);
    }
  }
  const asking = containers.filter(
    ({ definition }) =>
      (definition.dnsServers ?? []).length + (definition.dnsSearchDomains ?? []).length > 0,
  );
  if (asking.length > 0 && containers.length > asking.length) {
    report.note(
      `${asking[0]?.at}.dnsServers`,
      "the containers of a pod share their name servers and domains",
      "nothing is to be done",
    );
  }
  return unlessEmpty({
    nameservers: nameservers.size > 0 ? [...nameservers] : undefined,
    searches: [...searches],
  });
}

/** Links and extra hosts: names in the pod's hosts file. A linked container is the pod's own address. */
function aliasesOf(context: Context): readonly Fields[] {
  const { containers, report } = context;
  const addresses = new Map<string, { readonly address: string; readonly member: string }>();
  const put = (name: string, address: string, member: string) => {
    const lower = name.toLowerCase();
    const earlier = addresses.get(lower);
    if (earlier !== undefined && earlier.address !== address) {
      report.refuse(
        member,
        `${quote(name)} would be ${address}, and ${earlier.address} by ${earlier.member}: the containers of a pod share one hosts file`,
      );
      return;
    }
    if (!isHostName(lower)) {
      report.unmapped(
        member,
        `${quote(name)} can't be a host name in a pod (lower-case letters, digits, hyphens and dots)`,
        address === LOOPBACK
          ? `let the other container be reached as ${LOOPBACK}`
          : `use the address ${address}`,
      );
      return;
    }
    addresses.set(lower, { address, member });
  };
  for (const { at, definition } of containers) {
    for (const [index, link] of (definition.links ?? []).entries()) {
      const member = `${at}.links[${index}]`;
      const [target = "", alias] = link.split(":");
      const linked = containers.find(({ original }) => original === target);
      if (linked === undefined) {
        report.refuse(member, `expected another container of the task, got ${quote(target)}`);
        continue;
      }
      if (alias !== undefined && alias !== target) put(alias, LOOPBACK, member);
      put(target, LOOPBACK, member);
      if (linked.name !== target && isHostName(linked.name)) put(linked.name, LOOPBACK, member);
    }
    for (const [index, { hostname = "", ipAddress = "" }] of (
      definition.extraHosts ?? []
    ).entries()) {
      const member = `${at}.extraHosts[${index}]`;
      if (isIP(ipAddress) === 0) {
        report.refuse(`${member}.ipAddress`, `expected an IP address, got ${quote(ipAddress)}`);
      } else put(hostname, ipAddress, member);
    }
  }
  if (addresses.size > 0 && isWindows(context)) {
    report.note(
      "containerDefinitions",
      "host names of links and extraHosts are written to the hosts file of Windows pods as well",
      "nothing is to be done",
    );
  }
  const names = Map.groupBy(addresses, ([, { address }]) => address);
  return [...names].map(([ip, entries]) => ({ ip, hostnames: entries.map(([name]) => name) }));
}

const LOOPBACK = "127.0.0.1";
