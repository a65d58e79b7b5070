import { shortId } from "../../lib/docker/container.ts";
import type { DockerEngine } from "../../lib/docker/io/engine.ts";
import type { Notifier } from "../../lib/docker/io/notify.ts";
import { signalNumber } from "../../lib/docker/life.ts";
import { causes } from "../../lib/kit/failure.ts";
import type { Doorbell } from "../../lib/kit/flow/doorbell.ts";
import { NOTIFY_LABEL, readNotice } from "../../lib/web/labels.ts";
import type { Log } from "../process/log.ts";

/**
 * Tells every container with `proxy.notify` that what is served has changed: once for each ring, however many changes led
 * to it. A container that can't be told is logged, and told again the next time. Nothing happens without the label, and
 * without `--notify` it is only said that it would.
 */
export async function notices(
  { notify: isAllowed }: { readonly notify: boolean },
  {
    docker,
    notifier,
    bell,
    log,
    stop,
    say,
  }: {
    readonly docker: Pick<DockerEngine, "running" | "inspect">;
    readonly notifier: Notifier;
    readonly bell: Doorbell;
    readonly log: Log;
    readonly stop: AbortSignal;
    readonly say: { changed(text: string): void };
  },
): Promise<void> {
  let isSaid = false;
  while (!stop.aborted) {
    await bell.rung(stop);
    if (stop.aborted) return;
    try {
      const ids = await docker.running(NOTIFY_LABEL);
      if (!isAllowed && ids.length > 0 && !isSaid) {
        log.warn("containers with proxy.notify are not told of changes: that takes --notify", {
          containers: ids.length,
        });
        isSaid = true;
      }
      if (isAllowed) await Promise.all(ids.map(tell));
    } catch (error) {
      log.warn(`can't tell containers of a change: ${causes(error)}`);
    }
  }

  async function tell(id: Parameters<Notifier["signal"]>[0]): Promise<void> {
    const container = await docker.inspect(id);
    const label = container?.labels.get(NOTIFY_LABEL);
    if (container === undefined || label === undefined || !container.running) return;
    const named = { container: shortId(id), name: container.name };
    const notice = readNotice(label);
    try {
      switch (notice.kind) {
        case "problem":
          log.warn(`proxy.notify: ${notice.problem}`, named);
          return;
        case "signal":
          if (signalNumber(notice.signal) === container.stopSignal) {
            log.warn(`proxy.notify: ${notice.signal} is its stop signal, and is not sent`, named);
            return;
          }
          await notifier.signal(id, notice.signal);
          say.changed(`sent ${notice.signal} to ${container.name}`);
          log.info(`sent ${notice.signal}: what is served has changed`, named);
          return;
        case "command": {
          const code = await notifier.run(id, notice.words);
          say.changed(`ran proxy.notify in ${container.name}`);
          log[code === 0 ? "info" : "warn"]("ran its proxy.notify: what is served has changed", {
            ...named,
            exitCode: code,
          });
        }
      }
    } catch (error) {
      log.warn(`proxy.notify: ${causes(error)}`, named);
    }
  }
}
