import type { Surroundings } from "../process/surroundings.ts";
import type { SandboxConfig } from "./config.ts";
import type { storyNames } from "./story-names.ts";

/** Shows the mode at work until it is stopped, or its story is over. */
type Tell = (config: SandboxConfig, surroundings: Surroundings) => Promise<void>;

const stories: Readonly<
  Record<(typeof storyNames)[number], () => Promise<{ readonly tell: Tell }>>
> = {
  discover: () => import("./stories/discover.ts"),
  ambassador: () => import("./stories/ambassador.ts"),
  convert: () => import("./stories/convert.ts"),
  kube: () => import("./stories/kube.ts"),
  proxy: () => import("./stories/proxy.ts"),
  cluster: () => import("./stories/cluster.ts"),
  balancer: () => import("./stories/balancer.ts"),
};

/** Tells the story that the first word names. */
export async function sandbox(
  config: SandboxConfig & { readonly words: readonly string[] },
  surroundings: Surroundings,
): Promise<void> {
  const [name = "discover"] = config.words;
  const { tell } = await stories[name as keyof typeof stories]();
  await tell(config, surroundings);
}
