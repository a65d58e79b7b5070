/** Something of a definition that the manifests do not say as it was said. */
export interface Finding {
  /** The member's path in the ECS API's spelling: `containerDefinitions[0].ulimits`. */
  readonly member: string;
  /** `unmapped`: its effect is lost. `note`: it has its effect, or needs none, but something is to be known or done. */
  readonly kind: "unmapped" | "note";
  readonly why: string;
  readonly todo: string;
}

/** Why no pod can be what the definition says. */
export interface Refusal {
  readonly member: string;
  readonly problem: string;
}

/** Collects what the mapping has to say, each sentence once, in the order in which it comes up. */
export interface Report {
  unmapped(member: string, why: string, todo: string): void;
  note(member: string, why: string, todo: string): void;
  refuse(member: string, problem: string): void;
  readonly findings: readonly Finding[];
  readonly refusals: readonly Refusal[];
}

export function report(): Report {
  const findings = new Map<string, Finding>();
  const refusals = new Map<string, Refusal>();
  const find = (kind: Finding["kind"]) => (member: string, why: string, todo: string) => {
    const key = `${member}\n${why}`;
    if (!findings.has(key)) findings.set(key, { member, kind, why, todo });
  };
  return {
    unmapped: find("unmapped"),
    note: find("note"),
    refuse: (member, problem) => void refusals.set(`${member}\n${problem}`, { member, problem }),
    get findings() {
      return [...findings.values()];
    },
    get refusals() {
      return [...refusals.values()];
    },
  };
}
