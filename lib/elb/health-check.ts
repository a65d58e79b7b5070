import { checkedPort, type HealthCheck, targetParts } from "./load-balancer.ts";
import type { HealthCheckWish } from "./service.ts";

export const sameCheck = (a: HealthCheck, b: HealthCheck): boolean =>
  a.target.toUpperCase() === b.target.toUpperCase() &&
  // A path's capitals matter.
  targetParts(a.target).path === targetParts(b.target).path &&
  a.intervalSeconds === b.intervalSeconds &&
  a.timeoutSeconds === b.timeoutSeconds &&
  a.unhealthyThreshold === b.unhealthyThreshold &&
  a.healthyThreshold === b.healthyThreshold;

/**
 * The health check as it shall be: the port follows the tasks, all else stays as it is or is as wished. Where a wish and
 * what is there do not go together (an interval no longer than the timeout), the one that nobody wished for gives way.
 * Undefined when there is no port to follow.
 */
export function wishedCheck(
  now: HealthCheck,
  {
    listeners,
    wish = {},
  }: {
    /** In their order: where each leads now, and shall lead where a service of ours says so. */
    readonly listeners: readonly {
      readonly instancePort: number;
      readonly wanted: number | undefined;
    }[];
    readonly wish: HealthCheckWish | undefined;
  },
): HealthCheck | undefined {
  const ours = listeners.filter((one) => one.wanted !== undefined);
  const port = checkedPort(now);
  const owner =
    listeners.find((one) => one.wanted === port) ??
    listeners.find((one) => one.instancePort === port);
  // A listener that none of our services follows keeps its health check.
  if (owner !== undefined && owner.wanted === undefined) return withWish(now, port, wish);
  return withWish(now, (owner ?? ours[0])?.wanted, wish);
}

function withWish(
  now: HealthCheck,
  port: number | undefined,
  wish: HealthCheckWish,
): HealthCheck | undefined {
  if (port === undefined) return undefined;
  const parts = targetParts(now.target);
  const protocol =
    wish.protocol ?? (wish.path === undefined ? parts.protocol : httpOf(parts.protocol));
  const path = /^HTTP/.test(protocol) ? (wish.path ?? (parts.path || "/")) : "";
  let intervalSeconds = wish.intervalSeconds ?? now.intervalSeconds;
  let timeoutSeconds = wish.timeoutSeconds ?? now.timeoutSeconds;
  // Timeout < interval (API reference, HealthCheck).
  if (timeoutSeconds >= intervalSeconds) {
    if (wish.intervalSeconds === undefined) intervalSeconds = Math.max(5, timeoutSeconds + 1);
    else timeoutSeconds = Math.max(2, intervalSeconds - 1);
  }
  return {
    target: `${protocol}:${port}${path}`,
    intervalSeconds,
    timeoutSeconds,
    unhealthyThreshold: wish.unhealthyThreshold ?? now.unhealthyThreshold,
    healthyThreshold: wish.healthyThreshold ?? now.healthyThreshold,
  };
}

/** A path needs HTTP: the secure kind where the check was secure. */
const httpOf = (protocol: string): string =>
  protocol === "SSL" || protocol === "HTTPS" ? "HTTPS" : "HTTP";
