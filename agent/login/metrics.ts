import type { Metric } from "../page/metrics.ts";

export const metrics = {
  logins: {
    kind: "gauge",
    help: "registries that a line asks a login for, by how it stands: written, refused, missing",
    labels: ["state"],
  },
  login_troubles: { kind: "gauge", help: "lines and files that somebody has to see to" },
  login_changes_total: { kind: "counter", help: "logins that were written anew or removed" },
} satisfies Readonly<Record<string, Metric>>;
