import type { Clock } from "../../kit/flow/clock.ts";

/** A new process is asked this often at first, and this long. */
const EAGER_MS = 20;
const EAGER_FOR_MS = 10_000;
const PATIENT_MS = 1_000;

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Readiness {
  /** Whether a connection to it was ever accepted, while it was wanted. */
  isReady(key: string): boolean;
  /** From now on these are wanted, and no others; what is new among them is tried until it answers. */
  want(endpoints: ReadonlyMap<string, Endpoint>): void;
}

/**
 * Tries a connection to each wanted endpoint until one is accepted: 20 ms after the one before for 10 s, each second after
 * that. What answered once stays ready as long as it is wanted: whether it still answers, each request finds out.
 */
export function readiness({
  connects,
  clock,
  stop,
  onReady,
}: {
  /** Resolves to whether a connection was accepted; never rejects. */
  readonly connects: (endpoint: Endpoint) => Promise<boolean>;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly onReady: (key: string) => void;
}): Readiness {
  const known = new Map<string, { isReady: boolean; readonly unwanted: AbortController }>();

  const attempt = async (key: string, endpoint: Endpoint): Promise<void> => {
    const entry = { isReady: false, unwanted: new AbortController() };
    known.set(key, entry);
    const end = AbortSignal.any([stop, entry.unwanted.signal]);
    const startedMs = clock.now();
    while (!end.aborted) {
      if (await connects(endpoint)) {
        if (end.aborted) return;
        entry.isReady = true;
        onReady(key);
        return;
      }
      const isEager = clock.now() - startedMs < EAGER_FOR_MS;
      await clock.sleep(isEager ? EAGER_MS : PATIENT_MS, end).catch(() => {});
    }
  };

  return {
    isReady: (key) => known.get(key)?.isReady === true,
    want(endpoints) {
      for (const [key, { unwanted }] of known) {
        if (endpoints.has(key)) continue;
        unwanted.abort();
        known.delete(key);
      }
      for (const [key, endpoint] of endpoints) if (!known.has(key)) void attempt(key, endpoint);
    },
  };
}
