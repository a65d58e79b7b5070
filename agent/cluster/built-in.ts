import templates from "./templates.json" with { type: "json" };

/** The templates for a folder that has none of its own: those of deploy/cluster, as `node deploy/cluster/embed.ts` copied them. */
export const builtInTemplates = (): readonly { readonly base: string; readonly text: string }[] => [
  { base: "ecs-storage", text: templates.storage },
  { base: "ecs-cluster", text: templates.cluster },
];
