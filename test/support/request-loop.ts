import type { Agent } from "node:http";
import type { ProxyLab } from "./proxy-lab.ts";

export interface Load extends AsyncDisposable {
  /** Answers so far that were right. */
  readonly count: number;
  /** What else came, as text. */
  readonly failures: readonly string[];
  /** Resolves when so many more were answered. */
  answered(more: number): Promise<void>;
}

/** Asks for a name again and again until it is disposed of; one request after the other. */
export function requestLoop(
  lab: ProxyLab,
  host: string,
  expected: string,
  { agent }: { readonly agent?: Agent } = {},
): Load {
  const failures: string[] = [];
  let count = 0;
  let isOver = false;
  let waiting: { readonly at: number; readonly resolve: () => void }[] = [];
  const loop = async (): Promise<void> => {
    while (!isOver) {
      try {
        const { status, body } = await lab.ask(host, "/", agent === undefined ? {} : { agent });
        if (status === 200 && body.startsWith(`${expected} `)) count += 1;
        else failures.push(`${status} ${body.slice(0, 100)}`);
      } catch (error) {
        failures.push(String(error));
      }
      for (const { at, resolve } of waiting) if (count + failures.length >= at) resolve();
      waiting = waiting.filter(({ at }) => count + failures.length < at);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const running = loop();
  return {
    get count() {
      return count;
    },
    failures,
    answered: (more) =>
      new Promise((resolve) => waiting.push({ at: count + failures.length + more, resolve })),
    async [Symbol.asyncDispose]() {
      isOver = true;
      await running;
    },
  };
}
