/** The modes whose surroundings can be examined; the first when none is named. */
export const examined = [
  "discover",
  "sweep",
  "writer",
  "ambassador",
  "balancer",
  "proxy",
  "login",
  "cluster",
  "convert",
  "kube",
] as const;

export type Examined = (typeof examined)[number];
