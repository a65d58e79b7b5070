import { readFlags } from "../../agent/cli/read-flags.ts";
import { flags } from "../../agent/cluster/config.ts";
import { cluster } from "../../agent/cluster/mode.ts";
import { type ClusterEdges, systemEdges } from "../../agent/cluster/session.ts";
import { clusterWords } from "../../agent/cluster/words.ts";
import type { Log } from "../../agent/process/log.ts";
import { causes } from "../../lib/kit/failure.ts";
import type { CloudStandIn } from "../../lib/standins/cloud/server.ts";
import type { FakeClock } from "./fake-clock.ts";

/** How a run of the mode ended, and what it asked and said. */
export interface Ran {
  readonly code: number | "killed";
  /** The cause, where it failed. */
  readonly why: string;
  readonly calls: number;
  readonly said: readonly string[];
}

class Killed extends Error {}

/** Runs the mode in this process against a stand-in; a killed one ends at a request, which has landed or not. */
export async function runCluster(
  cloud: CloudStandIn,
  {
    folder,
    words,
    clock,
    killAt,
    prefix = "demo",
  }: {
    readonly folder: string;
    readonly words: readonly string[];
    readonly clock: FakeClock;
    readonly killAt?: { readonly call: number; readonly landed: boolean };
    readonly prefix?: string;
  },
): Promise<Ran> {
  const argv = [...words, "--json", `--folder=${folder}`, `--prefix=${prefix}`];
  const line = readFlags({ usage: "", summary: "", words: clusterWords }, flags, argv, {});
  if (line.kind !== "config") throw new Error(JSON.stringify(line));
  const said: string[] = [];
  const say = (message: string) => void said.push(message);
  const log: Log = { error: say, warn: say, info: say, debug: say };
  const stop = new AbortController();
  const surroundings = {
    stop: { signal: stop.signal, fail: () => {}, wasAsked: () => false },
    ...{ clock, log, random: () => 0.5 },
    env: {
      AWS_ENDPOINT_URL: cloud.url,
      AWS_REGION: "eu-west-1",
      AWS_PROFILE: "",
      AWS_ACCESS_KEY_ID: "test",
      USER: "joe",
    },
  };
  let calls = 0;
  const counted = <T extends object>(edge: T): T =>
    new Proxy(edge, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver);
        if (typeof value !== "function" || name === "close") return value;
        return async (...given: readonly unknown[]): Promise<unknown> => {
          calls += 1;
          const dies = calls === killAt?.call;
          if (dies && !killAt.landed) throw new Killed();
          const answer: unknown = await (value as (...all: readonly unknown[]) => unknown).apply(
            target,
            [...given],
          );
          if (dies) throw new Killed();
          return answer;
        };
      },
    });
  const edgesOf: Parameters<typeof cluster>[2] = (at, env) => {
    const { stacks, ecs, account, [Symbol.dispose]: dispose } = systemEdges(at, env);
    const edges: ClusterEdges = {
      stacks: counted(stacks),
      ecs: counted(ecs),
      account: counted(account),
    };
    return { ...edges, [Symbol.dispose]: dispose };
  };
  const print = process.stdout.write.bind(process.stdout);
  // What it prints is the answer; a test reads what it says.
  process.stdout.write = ((text: string, done?: () => void) => {
    said.push(text);
    done?.();
    return true;
  }) as typeof process.stdout.write;
  // The SDK looks there itself.
  process.env["AWS_ENDPOINT_URL"] = cloud.url;
  const driving = new AbortController();
  void drive(clock, driving.signal);
  try {
    const { code } = await cluster(line.config, surroundings, edgesOf);
    return { code, why: "", calls, said };
  } catch (error) {
    return { code: error instanceof Killed ? "killed" : 1, why: causes(error), calls, said };
  } finally {
    driving.abort();
    delete process.env["AWS_ENDPOINT_URL"];
    process.stdout.write = print;
  }
}

/** Whoever sleeps is woken: there is nothing to wait for but requests. */
async function drive(clock: FakeClock, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.next();
  }
}
