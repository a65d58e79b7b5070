import { causes } from "../../kit/failure.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import { isStatus } from "../api.ts";
import type { KubeApi } from "./api.ts";

/** As client-go: a lease lasts 15 s, is renewed every 2 s, and given up by its holder after 10 s without success. */
const LEASE_SECONDS = 15;
const RENEW_EVERY_MS = 2_000;
const GIVE_UP_MS = 10_000;

export interface LeaderOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly name: string;
  /** Who we are: unique among all that want the lease. */
  readonly identity: string;
  readonly clock: Clock;
  /** RFC 3339 with microseconds, as the lease is written. */
  readonly timestamp: () => string;
  readonly stop: AbortSignal;
  /** Leads until its signal aborts, and resolves when its work has landed. */
  readonly lead: (term: AbortSignal) => Promise<void>;
  readonly onProblem: (problem: string) => void;
}

interface Lease {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly leaseTransitions?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
  };
}

/**
 * Leads while it holds the lease, again and again, until the stop; then gives the lease away, so that the next one need
 * not wait. Of all that run this, one leads: a lease counts as left when it has not changed for its duration by our own
 * clock, whatever times stand in it.
 */
export async function leadByLease(options: LeaderOptions): Promise<void> {
  const { clock, stop } = options;
  const seen = { version: "", atMs: 0 };
  while (!stop.aborted) {
    const isHeld = await tryToHold(options, seen);
    if (isHeld) await term(options, seen);
    await clock.sleep(RENEW_EVERY_MS, stop).catch(() => {});
  }
}

async function term(options: LeaderOptions, seen: Seen): Promise<void> {
  const { clock, stop, lead } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([stop, over.signal]);
  const work = lead(signal).finally(() => over.abort());
  // Whoever waits for it below sees the failure; until then it would count as unhandled.
  work.catch(() => {});
  let renewedMs = clock.now();
  while (!signal.aborted) {
    await clock.sleep(RENEW_EVERY_MS, signal).catch(() => {});
    if (signal.aborted) break;
    const askedMs = clock.now();
    const isHeld = await within(renewedMs + GIVE_UP_MS - askedMs, tryToHold(options, seen), {
      clock,
      signal,
    });
    // Others count from when the lease was written, which was not before it was asked for.
    if (isHeld === true) renewedMs = askedMs;
    else if (seen.isForeign === true || clock.now() - renewedMs >= GIVE_UP_MS) over.abort();
  }
  await work;
  if (stop.aborted) await release(options);
}

/** What the promise resolves to, if it does so in time; a connection that is half dead would say nothing for long. */
async function within<T>(
  ms: number,
  promise: Promise<T>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T | undefined> {
  const done = new AbortController();
  const limit = clock.sleep(ms, AbortSignal.any([signal, done.signal])).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([promise, limit]);
  } finally {
    done.abort();
  }
}

interface Seen {
  version: string;
  atMs: number;
  /** Somebody else holds it. */
  isForeign?: boolean;
}

const pathOf = ({ namespace, name }: LeaderOptions, isOne: boolean): string =>
  `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases${isOne ? `/${name}` : ""}`;

/** Takes or renews the lease; false when somebody else has it, or nobody answers. */
async function tryToHold(options: LeaderOptions, seen: Seen): Promise<boolean> {
  const { api, name, namespace, identity, clock, timestamp } = options;
  try {
    const lease = await get(options);
    const now = timestamp();
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: LEASE_SECONDS,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 0,
    };
    if (lease === undefined) {
      const body = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name, namespace },
        spec,
      };
      await api.call({ method: "POST", path: pathOf(options, false), body });
      seen.isForeign = false;
      return true;
    }
    const version = lease.metadata.resourceVersion ?? "";
    if (version !== seen.version) Object.assign(seen, { version, atMs: clock.now() });
    const { holderIdentity: holder = "", leaseTransitions = 0, acquireTime } = lease.spec ?? {};
    const durationMs = (lease.spec?.leaseDurationSeconds ?? LEASE_SECONDS) * 1000;
    const isOurs = holder === identity;
    seen.isForeign = !isOurs && holder !== "";
    if (seen.isForeign && clock.now() - seen.atMs < durationMs) return false;
    const body = {
      ...lease,
      spec: {
        ...spec,
        acquireTime: isOurs ? acquireTime : now,
        leaseTransitions: isOurs ? leaseTransitions : leaseTransitions + 1,
      },
    };
    const put = (await api.call({ method: "PUT", path: pathOf(options, true), body })) as Lease;
    Object.assign(seen, { version: put.metadata.resourceVersion ?? "", atMs: clock.now() });
    seen.isForeign = false;
    return true;
  } catch (error) {
    // Somebody was faster: that is no problem, and the next look shows who.
    if (!isStatus(error, 409)) options.onProblem(causes(error));
    return false;
  }
}

async function get(options: LeaderOptions): Promise<Lease | undefined> {
  try {
    return (await options.api.call({ method: "GET", path: pathOf(options, true) })) as Lease;
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** The lease without a holder, if it is still ours. */
async function release(options: LeaderOptions): Promise<void> {
  try {
    const lease = await get(options);
    if (lease?.spec?.holderIdentity !== options.identity) return;
    const body = { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
    await options.api.call({ method: "PUT", path: pathOf(options, true), body });
  } catch {
    // It runs out by itself.
  }
}
