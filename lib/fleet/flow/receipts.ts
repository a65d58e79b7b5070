import { backoffMs } from "../../kit/backoff.ts";
import { causes, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { doorbell } from "../../kit/flow/doorbell.ts";
import { isCovered, type Stamp } from "../../sqs/order.ts";

/** The ends of a message that was given out. Each function takes at most 10, and throws `Unavailable`. */
export interface ReceiptPorts {
  /** Comes back with those that were not deleted. */
  readonly remove: (receipts: readonly string[]) => Promise<readonly string[]>;
  readonly hide: (receipts: readonly string[], seconds: number) => Promise<void>;
}

export interface Receipts {
  /** This message of the owner waits until its stamp has landed. */
  hold(owner: string, receipt: string, stamp: Stamp): void;
  /** Everything of the owner up to this stamp is done with. */
  release(owner: string, landed: Stamp): void;
  /** Done with at once. */
  drop(receipt: string): void;
  /** A message that nothing is known of yet; `forget` ends that. */
  keep(receipt: string): void;
  forget(receipt: string): void;
  held(): number;
  /** Deletes and hides until the stop; then deletes what is left to delete, and gives back the rest. */
  run(stop: AbortSignal): Promise<void>;
}

const AT_ONCE = 10;
const GATHER_MS = 50;
const BACKOFF = { baseMs: 200, capMs: 5_000 };
/** What SQS would not delete after so many tries comes again, and is deleted then. */
const TRIES = 5;
/** A message is hidden again for as long as the queue hides it at first, but no longer than this. */
const MOST_HIDE_SECONDS = 60;

/** Holds what was given out, hidden from others for as long as it is worked on, and deletes it when that is done. */
export function receipts({
  ports,
  visibilitySeconds,
  clock,
  random,
  waits,
}: {
  readonly ports: ReceiptPorts;
  /** For how long SQS hides what it gives out. */
  readonly visibilitySeconds: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly waits: (problem: string) => void;
}): Receipts {
  const byOwner = new Map<string, { readonly receipt: string; readonly stamp: Stamp }[]>();
  /** When each was hidden last, in the clock's ms. */
  const hiddenAtMs = new Map<string, number>();
  const tryAgain = someTries({ clock, random, waits });
  const deletes = deletesOf(ports, clock, tryAgain);
  const hideSeconds = Math.min(visibilitySeconds, MOST_HIDE_SECONDS);
  const renewMs = (hideSeconds * 1_000) / 2;

  const drop = (receipt: string): void => {
    hiddenAtMs.delete(receipt);
    deletes.add(receipt);
  };

  const hiding = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      await clock.sleep(renewMs / 5, stop).catch(() => {});
      const nowMs = clock.now();
      const old = [...hiddenAtMs].flatMap(([receipt, atMs]) =>
        nowMs - atMs >= renewMs ? [receipt] : [],
      );
      for (const piece of pieces(old)) {
        await tryAgain(() => ports.hide(piece, hideSeconds));
        for (const receipt of piece) {
          if (hiddenAtMs.has(receipt)) hiddenAtMs.set(receipt, clock.now());
        }
      }
    }
  };

  return {
    hold(owner, receipt, stamp) {
      byOwner.set(owner, [...(byOwner.get(owner) ?? []), { receipt, stamp }]);
      hiddenAtMs.set(receipt, clock.now());
    },
    release(owner, landed) {
      const all = byOwner.get(owner) ?? [];
      const left = all.filter(({ stamp }) => !isCovered(stamp, landed));
      if (left.length === 0) byOwner.delete(owner);
      else byOwner.set(owner, left);
      for (const one of all) if (!left.includes(one)) drop(one.receipt);
    },
    drop,
    keep: (receipt) => void hiddenAtMs.set(receipt, clock.now()),
    forget: (receipt) => void hiddenAtMs.delete(receipt),
    held: () => hiddenAtMs.size,
    async run(stop) {
      await Promise.all([deletes.run(stop), hiding(stop)]);
      await deletes.finish();
      await Promise.all(
        pieces([...hiddenAtMs.keys()]).map((piece) => ports.hide(piece, 0).catch(() => {})),
      );
    },
  };
}

/** Calls `act` some times over while SQS is not available; undefined where it never was. */
const someTries =
  ({
    clock,
    random,
    waits,
  }: {
    readonly clock: Clock;
    readonly random: Random;
    readonly waits: (problem: string) => void;
  }) =>
  async <T>(act: () => Promise<T>): Promise<T | undefined> => {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        waits(causes(error));
        await clock.sleep(backoffMs(tries, BACKOFF, random()));
      }
    }
    return undefined;
  };

/** Deletes receipts, several with one request, and again those that were not deleted. */
function deletesOf(
  { remove }: Pick<ReceiptPorts, "remove">,
  clock: Clock,
  tryAgain: ReturnType<typeof someTries>,
) {
  let done: string[] = [];
  const bell = doorbell();
  const removeAll = async (): Promise<void> => {
    const all = done;
    done = [];
    const left = await Promise.all(pieces(all).map((piece) => tryAgain(() => remove(piece))));
    for (const receipt of left.flatMap((one) => one ?? [])) done.push(receipt);
  };
  return {
    add(receipt: string): void {
      done.push(receipt);
      bell.ring();
    },
    async run(stop: AbortSignal): Promise<void> {
      while (!stop.aborted) {
        await bell.rung(stop);
        await clock.sleep(GATHER_MS, stop).catch(() => {});
        await removeAll();
      }
    },
    finish: removeAll,
  };
}

const pieces = (all: readonly string[]): readonly (readonly string[])[] =>
  Array.from({ length: Math.ceil(all.length / AT_ONCE) }, (_, at) =>
    all.slice(at * AT_ONCE, (at + 1) * AT_ONCE),
  );
