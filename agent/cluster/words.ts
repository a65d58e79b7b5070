/** What this mode can be asked to do; the first is done when nothing is asked. */
export const acts = ["plan", "apply", "destroy", "info", "templates", "drain", "cleanup"] as const;
export type Act = (typeof acts)[number];

export const clusterWords = {
  takes: "[plan|apply|destroy|info|templates|drain <service>|cleanup] [NAME=value…]",
  help: "what to do, plan when nothing is said; and the original's make variables, as behind make",
};
