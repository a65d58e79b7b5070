import { readFile } from "node:fs/promises";
import { type Translated, translated } from "../conntrack.ts";
import type { KernelFacts } from "../kernel-lacks.ts";

const read = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch(() => undefined);

/** What this process's network namespace is, as far as the kernel plane needs it; Linux only, elsewhere it lacks all. */
export async function kernelFacts(nftProblem: string | undefined): Promise<KernelFacts> {
  const interfaces = [...((await read("/proc/net/dev")) ?? "").matchAll(/^\s*([^\s:]+):/gm)].map(
    ([, name = ""]) => name,
  );
  const isOn = async (setting: string) =>
    (await read(`/proc/sys/net/ipv4/${setting}`))?.trim() === "1";
  const outward = interfaces.filter((name) => name !== "lo");
  // Either of the two lets the packet out (Linux, ip-sysctl: conf/all and conf/interface are or-ed).
  const byInterface = await Promise.all(outward.map((name) => isOn(`conf/${name}/route_localnet`)));
  return {
    ...(nftProblem !== undefined && { nftProblem }),
    // Linux registers this setting in the first namespace only (net/ipv4/sysctl_net_ipv4.c, `ipv4_table`).
    isFirstNamespace: (await read("/proc/sys/net/ipv4/tcp_mem")) !== undefined,
    interfaces,
    routeLocalnet:
      (await isOn("conf/all/route_localnet")) ||
      (byInterface.length > 0 && byInterface.every(Boolean)),
    ipForward: await isOn("ip_forward"),
  };
}

/** The translated connections of this network namespace; undefined where the kernel does not show them. */
export async function translatedNow(): Promise<readonly Translated[] | undefined> {
  const table = await read("/proc/net/nf_conntrack");
  return table === undefined ? undefined : translated(table);
}
