import type { Clock } from "../../../lib/kit/flow/clock.ts";
import { kernelPlane } from "../../../lib/net/flow/kernel-plane.ts";
import { kernelFacts, translatedNow } from "../../../lib/net/io/kernel-facts.ts";
import { nftables } from "../../../lib/net/io/nftables.ts";
import { kernelLacks } from "../../../lib/net/kernel-lacks.ts";
import type { Planes } from "./forwarding.ts";
import type { Tell } from "./standing.ts";

/** The table is ours alone, and named for us. */
const TABLE = "balancer";

/**
 * The kernel's part, for the services that ask for it: rules in a table of our own that hand on what comes to their ports
 * before Docker's see it. Where the kernel can't do it, with every reason.
 */
export async function planesOf({
  clock,
  tell,
}: {
  readonly clock: Clock;
  readonly tell: Tell;
}): Promise<Planes> {
  const packets = nftables();
  const facts = await kernelFacts(await packets.problem());
  const lacks = kernelLacks(facts, "host");
  if (lacks.length > 0) {
    return { kernel: undefined, problem: lacks.join("; "), translated: undefined };
  }
  const kernel = kernelPlane({
    packets,
    table: { name: TABLE, linked: facts.ipForward, place: "host" },
    clock,
    onProblem: (problem) =>
      tell({
        level: "warn",
        about: "kernel",
        text: `the kernel's rules can't be changed: ${problem}; what they were stays, tries again`,
      }),
    onRepaired: () =>
      tell({
        level: "warn",
        about: "kernel",
        text: "somebody changed the kernel's rules: they are put right",
      }),
  });
  return { kernel, problem: undefined, translated: translatedNow };
}
