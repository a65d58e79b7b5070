import { Fatal } from "../../kit/failure.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import { type Fence, fenceName, moveOf, parseFence } from "../fence.ts";
import type { FencedZone } from "./joint-writer.ts";

/** Between two tries to take a fence that somebody else has just moved. */
const TAKE_AGAIN_MS = 300;
const TAKES = 20;

export interface TakenFence {
  readonly fence: Fence;
  /** As the writer before has left it; undefined for the first ever. */
  readonly before: Fence | undefined;
}

/**
 * Moves the fence to this writer: from then on no other's request has any effect. Throws `Fatal` where the fence's name
 * holds what no writer has written, or Route 53 won't have it.
 */
export async function takeFence({
  zone,
  zoneName,
  writer,
  insist,
  unixMs,
  clock,
}: {
  readonly zone: FencedZone;
  readonly zoneName: string;
  readonly writer: string;
  /** Tries again what was not answered. */
  readonly insist: <T>(act: () => Promise<T>) => Promise<T>;
  readonly unixMs: () => number;
  readonly clock: Clock;
}): Promise<TakenFence> {
  const name = fenceName(zoneName);
  let words = "";
  let known: Fence | undefined;
  for (let takes = 0; takes < TAKES; takes += 1) {
    const text = await insist(() => zone.fence(name));
    const before = text === undefined ? undefined : parseFence(text);
    if (text !== undefined && before === undefined) {
      throw new Fatal(
        `${name} holds a TXT record that no writer has written: expected one of ours, got "${text.slice(0, 80)}"; remove it, or give the writer another zone`,
      );
    }
    // A request of this very start has landed, and its answer was lost.
    if (before?.writer === writer) return { fence: before, before: known };
    known = before;
    const fence: Fence = {
      writer,
      count: (before?.count ?? 0) + 1,
      horizonMs: before?.horizonMs ?? 0,
      atMs: Math.round(unixMs()),
    };
    const submission = await insist(() => zone.submit([], moveOf(name, before, fence)));
    if (submission.kind === "accepted") return { fence, before };
    words = submission.message;
    await clock.sleep(TAKE_AGAIN_MS);
  }
  throw new Fatal(`can't write the record ${name}: Route 53 refuses it, ${words}`);
}
