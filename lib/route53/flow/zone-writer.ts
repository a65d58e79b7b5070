import { Unavailable } from "../../kit/failure.ts";
import { rest } from "../../kit/flow/rest.ts";
import { writerParts } from "./writer-parts.ts";
import type { ZoneWriter, ZoneWriterOptions } from "./writer-ports.ts";
import { writerSteps } from "./writer-steps.ts";

export type {
  Standing,
  Submission,
  Waiting,
  WriterPorts,
  WriterReport,
  ZonePage,
  ZoneWriter,
  ZoneWriterOptions,
} from "./writer-ports.ts";

/**
 * Moves one zone from `published` to `desired`.
 *
 * Promises:
 * - one request in flight; while it is under way everything else gathers for the next one;
 * - what is sent is the difference at that moment: what came and went in between costs nothing;
 * - a refused change never holds up the rest of its batch, and is reported with Route 53's words;
 * - a lost answer is taken for neither yes nor no: the next plan settles what was in doubt;
 * - changes go before looks, and throttling slows this host down, not only this request;
 * - a record that flaps waits before it is added again, never before it is removed.
 */
export function zoneWriter<Cursor>(options: ZoneWriterOptions<Cursor>): ZoneWriter {
  const { clock, bell } = options;
  const parts = writerParts(options);
  const { requests, book } = parts;
  let waitingForSettled: (() => void)[] = [];
  const { step, standing } = writerSteps(options, parts, () => {
    for (const resolve of waitingForSettled) resolve();
    waitingForSettled = [];
  });

  const run = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      try {
        const nextMs = await step();
        // What was learnt without a request of its own: that a record is gone, for one.
        await book.remember();
        if (nextMs > clock.now()) await rest({ clock, bell }, nextMs, stop);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        await clock.sleep(requests.missed(error), stop).catch(ignoreAbort);
      }
    }
  };

  const settled = (stop: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waitingForSettled.push(resolve);
    if (stop.aborted) resolve();
    stop.addEventListener("abort", () => resolve(), { once: true });
    bell.ring();
    return promise;
  };

  return {
    difference: parts.difference,
    standing,
    run,
    settled,
    async flush(stop) {
      const done = new AbortController();
      const end = stop === undefined ? done.signal : AbortSignal.any([stop, done.signal]);
      const empty = settled(end).then(() => done.abort());
      await run(end);
      await empty;
    },
  };
}

/** A sleep rejects only when it is cut short, and whoever cut it short knows. */
const ignoreAbort = () => {};
