import type { ModeState } from "../../agent/page/view.ts";
import { get } from "../../lib/kit/io/http-json.ts";
import { type FleetStandIn, fleetStandIn } from "../../lib/standins/ecs/service-api.ts";
import type { FleetState } from "../../lib/standins/ecs/service-rules.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";

/** An ambassador of the container `web` of the service `shop`, with ECS and EC2 as stand-ins; ended with its scope. */
export interface AmbassadorLab extends AsyncDisposable {
  readonly agent: AgentProcess;
  readonly api: FleetStandIn;
  /** What ECS tells from now on. */
  tell(state: FleetState): void;
  state(): Promise<ModeState>;
  health(): Promise<{ readonly ok: boolean; readonly problems: readonly string[] }>;
  /** Waits until the page's state is what the test is looking for. */
  until(wanted: (state: ModeState) => boolean): Promise<ModeState>;
  /** Waits for so many more answers to a question of this kind. */
  polls(count: number): Promise<void>;
}

const LIMIT_MS = 90_000;

export async function ambassadorLab(
  first: FleetState,
  flags: readonly string[] = ["--service=shop"],
  {
    env = {},
    prepare = () => {},
  }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly prepare?: (api: FleetStandIn) => void;
  } = {},
): Promise<AmbassadorLab> {
  let told = first;
  const api = await fleetStandIn(() => told);
  prepare(api);
  const agent = startAgent(
    [
      "ambassador",
      "--name=web",
      "--poll=1",
      "--logFormat=json",
      "--logLevel=debug",
      "--statusAddress=127.0.0.1:0",
      ...flags,
    ],
    {
      AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
      AWS_ENDPOINT_URL_ECS: api.url,
      AWS_ENDPOINT_URL_EC2: api.url,
      ...env,
    },
  );
  const ask = async <T>(path: string): Promise<T> => {
    const { url } = await agent.until((line) => line["url"] !== undefined);
    return JSON.parse((await get(`${String(url)}${path}`, 10_000)).body) as T;
  };
  const state = () => ask<ModeState>("/v1/state");
  return {
    agent,
    api,
    tell(next) {
      told = next;
    },
    state,
    health: () => ask("/healthz"),
    async until(wanted) {
      const endMs = performance.now() + LIMIT_MS;
      for (;;) {
        const now = await state();
        if (wanted(now)) return now;
        if (performance.now() > endMs) {
          throw new Error(`waited in vain; last ${JSON.stringify(now)}\n${agent.stdout}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    polls: (count) =>
      new Promise((resolve) => {
        let left = count;
        api.onRequest(({ operation }) => {
          if (operation !== "ListTasks") return;
          left -= 1;
          if (left === 0) resolve();
        });
      }),
    async [Symbol.asyncDispose]() {
      if (!agent.ended) agent.kill("SIGKILL");
      await agent.exit();
      await api.close();
    },
  };
}

type Cell = ModeState["tables"][number]["rows"][number][number];
const textOf = (cell: Cell | undefined): string =>
  typeof cell === "object" ? cell.text : String(cell ?? "");

/** The rows of the page's table of ports: `port | task | address | standing`. */
export const rowsOf = (state: ModeState): readonly string[] =>
  (state.tables[0]?.rows ?? []).map((row) => row.slice(0, 4).map(textOf).join(" | "));

/** Who gets nothing, as `reason: detail`. */
export const absencesOf = (state: ModeState): readonly string[] =>
  (state.tables[1]?.rows ?? []).map(([, reason, detail]) => `${textOf(reason)}: ${textOf(detail)}`);
