import { type State, State as StateSchema } from "../../agent/host/state.ts";
import { request } from "../../lib/kit/io/http-json.ts";
import type { AgentProcess } from "./agent-process.ts";

/** Any port that is free: many agents run on one machine at once. */
export const SERVED = "--statusAddress=127.0.0.1:0";

/** What a running agent says of itself. */
export interface AgentStatus {
  readonly url: string;
  get(
    path: string,
    options?: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<{ readonly status: number; readonly body: string }>;
  /** Parsed as its clients parse it: throws for anything else. */
  state(): Promise<State>;
  /** Asks until the answer is what the test is waiting for; the agent says nothing by itself here. */
  until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T>;
}

const LIMIT_MS = 90_000;
const PAUSE_MS = 50;

/** The status server of an agent that was started with `SERVED`, once it listens. */
export async function statusOf(agent: AgentProcess): Promise<AgentStatus> {
  const { url } = await agent.until(({ url }) => url !== undefined);
  const get: AgentStatus["get"] = (path, options = {}) =>
    request(`${String(url)}${path}`, { limitMs: 30_000, ...options });
  return {
    url: String(url),
    get,
    state: async () => StateSchema.parse(JSON.parse((await get("/v1/state")).body)),
    async until(ask, wanted) {
      const endMs = performance.now() + LIMIT_MS;
      for (;;) {
        const answer = await ask();
        if (wanted(answer)) return answer;
        if (performance.now() > endMs) {
          throw new Error(
            `asked for ${LIMIT_MS / 1000} s, in vain; last: ${JSON.stringify(answer)}`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    },
  };
}
