import { causes } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { Log } from "../process/log.ts";
import { type StatusAddress, shown } from "./status-address.ts";
import { type StatusServer, type StatusServerOptions, statusServer } from "./status-server.ts";

/** The process before this one may still hold the port for as long as its drain takes. */
const BIND_AGAIN_MS = 1_000;

/**
 * The status server, as soon as its address is free; undefined where the stop came first. Never rejects: the work matters
 * more than its page, so what is wrong with the address is told once.
 */
export async function bind(
  address: StatusAddress,
  answers: Omit<StatusServerOptions, "host" | "port">,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  stop: AbortSignal,
): Promise<StatusServer | undefined> {
  let isFirst = true;
  while (!stop.aborted) {
    try {
      return await statusServer({ ...address, ...answers });
    } catch (error) {
      if (isFirst) {
        log.warn(
          `can't serve the status page at ${shown(address)}: works without it, and tries again`,
          { statusAddress: shown(address), cause: causes(error) },
        );
      }
      isFirst = false;
      await clock.sleep(BIND_AGAIN_MS, stop).catch(() => {});
    }
  }
  return undefined;
}
