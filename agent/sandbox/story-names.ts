/** What the demo can show, each the work of one mode. The first is shown when none is named. */
export const storyNames = [
  "discover",
  "ambassador",
  "proxy",
  "convert",
  "kube",
  "cluster",
  "balancer",
] as const;

export const storyWords = {
  takes: "[story]",
  help: "which mode is shown at work",
  choices: storyNames,
};
