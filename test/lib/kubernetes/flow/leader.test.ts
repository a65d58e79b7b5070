import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { KubeError } from "../../../../lib/kubernetes/api.ts";
import { leadByLease } from "../../../../lib/kubernetes/flow/leader.ts";
import { type FakeClock, fakeClock, settle } from "../../../support/fake-clock.ts";
import { fakeApi } from "./fake-api.ts";

interface Lease {
  metadata: { resourceVersion: string };
  spec: { holderIdentity: string; leaseTransitions?: number; leaseDurationSeconds: number };
}

let lease: Lease | undefined;
let isAway = false;
/** Set: requests are taken and never answered, as by a connection that is half dead. */
let isSilent = false;
let unanswered: PromiseWithResolvers<never>;
let clock: FakeClock;
let stop: AbortController;
let terms: { readonly signal: AbortSignal }[];
let ended: number;
let running: Promise<void>;

/** The API server's rule for a lease: a write with an older version than the one that is there is refused. */
const api = () =>
  fakeApi(({ method, body }) => {
    if (isSilent) return unanswered.promise;
    if (isAway) throw new KubeError("a call", 0, "", "no answer");
    if (method === "GET") {
      if (lease === undefined) throw new KubeError("a call", 404, "NotFound", "");
      return structuredClone(lease);
    }
    const sent = body as Lease;
    if (method === "PUT" && sent.metadata.resourceVersion !== lease?.metadata.resourceVersion) {
      throw new KubeError("a call", 409, "Conflict", "");
    }
    const version = String(Number(lease?.metadata.resourceVersion ?? 0) + 1);
    lease = structuredClone({ ...sent, metadata: { ...sent.metadata, resourceVersion: version } });
    return structuredClone(lease);
  });

const held = (by: string): Lease => ({
  metadata: { resourceVersion: "7" },
  spec: { holderIdentity: by, leaseDurationSeconds: 15, leaseTransitions: 3 },
});

beforeEach(() => {
  lease = undefined;
  isAway = false;
  isSilent = false;
  unanswered = Promise.withResolvers<never>();
  unanswered.promise.catch(() => {});
  clock = fakeClock();
  stop = new AbortController();
  terms = [];
  ended = 0;
});
afterEach(async () => {
  stop.abort();
  unanswered.reject(new KubeError("a call", 0, "", "no answer"));
  await running;
});

const start = async () => {
  running = leadByLease({
    api: api(),
    namespace: "n",
    name: "l",
    identity: "me",
    clock,
    timestamp: () => "2026-01-01T00:00:00.000000Z",
    stop: stop.signal,
    async lead(signal) {
      terms.push({ signal });
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      ended += 1;
    },
    onProblem: () => {},
  });
  await settle();
};

it("leads at once when there is no lease, and gives it away at the stop", async () => {
  await start();
  expect(terms).toHaveLength(1);
  expect(lease?.spec.holderIdentity).toBe("me");
  stop.abort();
  await running;
  expect([ended, lease?.spec.holderIdentity]).toEqual([1, ""]);
});

it("waits while another one renews, whatever times stand in the lease", async () => {
  lease = held("other");
  await start();
  for (let round = 0; round < 20; round += 1) {
    lease = { ...held("other"), metadata: { resourceVersion: String(100 + round) } };
    await clock.advance(2_000);
  }
  expect(terms).toHaveLength(0);
});

it("takes over when the lease has not changed for its duration", async () => {
  lease = held("other");
  await start();
  await clock.advance(14_000);
  expect(terms).toHaveLength(0);
  await clock.advance(4_000);
  expect(terms).toHaveLength(1);
  expect(lease?.spec).toMatchObject({ holderIdentity: "me", leaseTransitions: 4 });
});

it("stops leading when it could not renew for ten seconds, before anybody else may take over", async () => {
  await start();
  isAway = true;
  await clock.advance(8_000);
  expect(ended).toBe(0);
  await clock.advance(4_000);
  expect(ended).toBe(1);
  isAway = false;
  await clock.advance(4_000);
  expect(terms).toHaveLength(2);
});

it("stops leading in time though a renewal is never answered", async () => {
  await start();
  await clock.advance(3_000);
  isSilent = true;
  await clock.advance(10_000);
  expect(ended).toBe(1);
  isSilent = false;
});

it("stops leading at once when another one has the lease", async () => {
  await start();
  lease = held("other");
  await clock.advance(2_000);
  expect(ended).toBe(1);
});
