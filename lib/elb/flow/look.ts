import type { Clock } from "../../kit/flow/clock.ts";
import type { LoadBalancer } from "../load-balancer.ts";
import { type Question, questionsFor } from "../names.ts";
import type { ClassicApi } from "../ports.ts";

/** What is there under a name. */
export type SeenBalancer =
  | { readonly kind: "found"; readonly balancer: LoadBalancer }
  | { readonly kind: "missing" }
  | { readonly kind: "refused"; readonly reason: string };

/** A name that is of no load balancer is not asked for again before this. */
const MISSING_MS = 300_000;

/**
 * Looks at load balancers by name with as few requests as it takes. A name that is of none costs a failed question once,
 * and is then left out of the questions for five minutes, or until all load balancers are read anyway.
 * Throws `Unavailable` when the API does not answer.
 */
export function balancerLook({
  api,
  clock,
}: {
  readonly api: Pick<ClassicApi, "describe">;
  readonly clock: Clock;
}): (names: ReadonlySet<string>) => Promise<ReadonlyMap<string, SeenBalancer>> {
  let total: number | undefined;
  const missing = new Map<string, number>();

  async function pagesOf(question: Question) {
    const balancers: LoadBalancer[] = [];
    for (let from: string | undefined; ; ) {
      const answer = await api.describe(question, from);
      if (answer.kind !== "page") return answer;
      balancers.push(...answer.balancers);
      if (answer.next === undefined) return { kind: "all" as const, balancers };
      from = answer.next;
    }
  }

  async function ask(questions: readonly Question[]) {
    const balancers: LoadBalancer[] = [];
    for (const question of questions) {
      const answer = await pagesOf(question);
      if (answer.kind !== "all") return answer;
      balancers.push(...answer.balancers);
      if (question.kind === "all") total = answer.balancers.length;
    }
    return { kind: "all" as const, balancers };
  }

  return async (names) => {
    const now = clock.now();
    for (const [name, sinceMs] of missing) {
      if (now - sinceMs > MISSING_MS || !names.has(name)) missing.delete(name);
    }
    const asked = [...names].filter((name) => !missing.has(name));
    let answer = await ask(questionsFor(asked, total));
    if (answer.kind === "not-found") answer = await ask([{ kind: "all" }]);
    if (answer.kind === "refused") {
      const reason = `Elastic Load Balancing refused DescribeLoadBalancers (${answer.code}): ${answer.message}`;
      return new Map([...names].map((name) => [name, { kind: "refused", reason }]));
    }
    const balancers = answer.kind === "all" ? answer.balancers : [];
    const found = new Map(balancers.map((balancer) => [balancer.name, balancer]));
    return new Map(
      [...names].map((name): [string, SeenBalancer] => {
        const balancer = found.get(name);
        if (balancer !== undefined) {
          missing.delete(name);
          return [name, { kind: "found", balancer }];
        }
        if (!missing.has(name)) missing.set(name, now);
        return [name, { kind: "missing" }];
      }),
    );
  };
}
