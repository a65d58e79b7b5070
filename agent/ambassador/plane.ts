import { isIPv4 } from "node:net";
import { Fatal } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import { type KernelPlane, kernelPlane } from "../../lib/net/flow/kernel-plane.ts";
import { kernelFacts } from "../../lib/net/io/kernel-facts.ts";
import { nftables } from "../../lib/net/io/nftables.ts";
import { kernelLacks, linkedLack } from "../../lib/net/kernel-lacks.ts";
import type { Log } from "../process/log.ts";
import type { AmbassadorConfig } from "./config.ts";

/** The table is ours alone, and named for us. */
const TABLE = "ambassador";

export interface Plane {
  /** Lies on top of the proxy; undefined where the proxy works alone. */
  readonly kernel?: KernelPlane;
  /** Which, and why, in one sentence. */
  readonly why: string;
}

/** Throws `Fatal` for `kernel` where something is missing; with what, and what to do. */
export async function planeOf(
  config: AmbassadorConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<Plane> {
  const { dataPlane, bind } = config;
  if (dataPlane === "proxy") return proxy("as --dataPlane says");
  const needs = needsProxy(config);
  if (needs !== undefined && dataPlane === "auto") return proxy(needs);
  const packets = nftables();
  const facts = await kernelFacts(await packets.problem());
  const lacks = [...(needs === undefined ? [] : [needs]), ...kernelLacks(facts, "own")];
  if (lacks.length > 0) {
    if (dataPlane === "auto") return proxy(lacks.join("; "));
    throw new Fatal(`--dataPlane=kernel: ${lacks.join("; ")}`);
  }
  const kernel = kernelPlane({
    packets,
    table: {
      name: TABLE,
      linked: facts.ipForward,
      place: "own",
      ...(bind !== undefined && isIPv4(bind) && { address: bind }),
    },
    clock,
    onProblem: (problem) =>
      log.warn("the kernel's rules can't be changed: what they were stays, tries again", {
        cause: problem,
      }),
    onRepaired: () => log.warn("somebody changed the kernel's rules: they are put right"),
  });
  const linked = linkedLack(facts);
  return {
    kernel,
    why: `the kernel hands connections on, the proxy beneath serves what it can't (IPv6 clients)${linked === undefined ? "" : `; ${linked}`}`,
  };
}

const proxy = (why: string): Plane => ({ why: `the proxy hands connections on: ${why}` });

/** Why only the proxy can do what the flags ask for. */
function needsProxy(config: AmbassadorConfig): string | undefined {
  if (config.proxyProtocol) return "--proxyProtocol writes into the connection";
  if (config.idleTimeout > 0) return "--idleTimeout watches the connection";
  if (config.balance === "p2c") return "--balance=p2c counts open connections";
  if (config.bind !== undefined && !isIPv4(config.bind)) {
    return "--bind is an IPv6 address, and the kernel's rules are for IPv4";
  }
  return undefined;
}
