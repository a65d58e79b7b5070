import { dockerEngine } from "../../lib/docker/io/engine.ts";
import { type FoundEcsAgent, findEcsAgent } from "../../lib/ecs/io/introspection.ts";
import { get } from "../../lib/kit/io/http-json.ts";
import { introspectionUrls } from "../host/introspection-urls.ts";
import type { StatusAddress } from "../page/status-address.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { type Finding, type Outcome, outcomeOf } from "./finding.ts";
import * as host from "./host-checks.ts";

/** One check may take so long: the AWS SDK repeats what a broken connection cost. */
const CHECK_LIMIT_MS = 20_000;
const STATUS_LIMIT_MS = 3_000;

/** What an act came to, its failure included, within a time of its own. */
export type Ask = <T>(act: () => Promise<T>) => Promise<Outcome<T>>;

export const outcomes =
  ({ clock, stop }: Pick<Surroundings, "clock" | "stop">): Ask =>
  (act) =>
    outcomeOf(act, { clock, limitMs: CHECK_LIMIT_MS, stop: stop.signal });

/** The engine, and how many containers with the label run. */
export async function askDocker(
  ask: Ask,
  env: Surroundings["env"],
  label: string,
): Promise<Finding> {
  const asked = await ask(async () => {
    const docker = dockerEngine();
    const version = await docker.version();
    return { ...version, running: (await docker.running(label)).length };
  });
  return host.docker(asked, env);
}

export type AskedAgent = { readonly url: string; readonly found: Outcome<FoundEcsAgent> };

/** Each place where an ECS agent may be, with what was found there. */
export async function askAgents(
  ask: Ask,
  config: { readonly introspectionUrl: string | undefined },
): Promise<readonly AskedAgent[]> {
  const urls = await introspectionUrls(config);
  return Promise.all(
    urls.map(async (url) => ({ url, found: await ask(() => findEcsAgent([url])) })),
  );
}

export const foundAmong = (agents: readonly AskedAgent[]): FoundEcsAgent | undefined =>
  agents
    .map(({ found }) => (found.kind === "done" ? found.value : undefined))
    .find((one) => one !== undefined);

/** Whether an agent answers at its status address, and how it feels. */
export async function askStatus(ask: Ask, address: StatusAddress | undefined): Promise<Finding> {
  if (address === undefined) return host.statusServer(undefined, undefined);
  const { host: name, port } = address;
  const url = `http://${name.includes(":") ? `[${name}]` : name}:${port}/healthz`;
  return host.statusServer(address, await ask(() => get(url, STATUS_LIMIT_MS)));
}
