import type { Surroundings } from "../process/surroundings.ts";
import type { AmbassadorConfig } from "./config.ts";
import type { Source } from "./source.ts";

/** Throws `Fatal` where the region is needed and nobody knows it. What a source needs is loaded with it: by DNS, no AWS SDK. */
export async function sourceOf(
  config: AmbassadorConfig,
  { env, clock }: Pick<Surroundings, "env" | "clock">,
): Promise<Source> {
  if (config.dns === undefined) {
    const { ecsSource } = await import("./ecs-source.ts");
    return ecsSource(config, env);
  }
  const { dnsSource } = await import("./dns-source.ts");
  return dnsSource(config.dns, config, () => clock.now());
}
