import type { AgentProcess, Exit } from "./agent-process.ts";
import { changes } from "./wait.ts";

/** An agent under a restart policy, which ends with the scope; the agent goes on. */
export interface Supervised extends Disposable {
  /** How each agent so far ended. */
  readonly exits: readonly Exit[];
  /** The one that runs now, or that ran last. */
  readonly current: AgentProcess;
  /** Waits until so many have ended. */
  untilExits(count: number): Promise<void>;
}

/** Starts an agent, and another one whenever it ends, as `docker run --restart always` would, but without its pauses. */
export function supervised(start: () => AgentProcess): Supervised {
  const exits: Exit[] = [];
  const moved = changes();
  let isReleased = false;
  let current = start();
  const watch = async (): Promise<void> => {
    while (!isReleased) {
      exits.push(await current.ends);
      if (!isReleased) current = start();
      moved.tell();
    }
  };
  void watch();
  return {
    exits,
    get current() {
      return current;
    },
    async untilExits(count) {
      await moved.until(
        () => exits.length >= count,
        () => `${JSON.stringify(exits)}\n${current.stdout}`,
      );
    },
    [Symbol.dispose]() {
      isReleased = true;
    },
  };
}
