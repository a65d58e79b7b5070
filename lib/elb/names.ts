/** Names for each DescribeLoadBalancers: documented for DescribeTags and for v2, so never refused here. */
const MOST_NAMES = 20;
/** On one page (API reference 2012-06-01, DescribeLoadBalancers, PageSize). */
export const PAGE_SIZE = 400;

export type Question =
  | { readonly kind: "names"; readonly names: readonly string[] }
  /** Every load balancer of the region, page by page. */
  | { readonly kind: "all" };

/**
 * The cheapest way to learn of these load balancers. One unknown name fails a whole question by name
 * (LoadBalancerNotFound), and then all are asked for, which can't fail so.
 * `total` is how many there were in the region last time; undefined where that was never seen.
 */
export function questionsFor(
  names: readonly string[],
  total: number | undefined,
): readonly Question[] {
  if (names.length === 0) return [];
  const byName = Math.ceil(names.length / MOST_NAMES);
  const pages = Math.max(1, Math.ceil((total ?? 0) / PAGE_SIZE));
  if (byName > 1 && pages < byName) return [{ kind: "all" }];
  return Array.from({ length: byName }, (_, index) => ({
    kind: "names" as const,
    names: names.slice(index * MOST_NAMES, (index + 1) * MOST_NAMES),
  }));
}
