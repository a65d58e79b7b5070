import type { FoundEcsAgent } from "../../lib/ecs/io/introspection.ts";
import type { HttpAnswer } from "../../lib/kit/io/http-json.ts";
import type { StatusAddress } from "../page/status-address.ts";
import { type Finding, fail, notChecked, type Outcome, ok, warn } from "./finding.ts";

type Env = Readonly<Record<string, string | undefined>>;

export interface DockerFacts {
  readonly engine: string;
  readonly api: string;
  /** How many containers with the label run. */
  readonly running: number;
}

/** Whether the engine can be read, and what to do about the usual reasons why not. */
export function docker(found: Outcome<DockerFacts>, env: Env): Finding {
  const where = env["DOCKER_HOST"] || "/var/run/docker.sock";
  if (found.kind === "done") {
    const { engine, api, running } = found.value;
    return ok("docker", `Docker ${engine}, API ${api}, at ${where}; ${running} labelled running`);
  }
  const { problem } = found;
  const what = `${where}: ${problem}`;
  if (/EACCES|no permission/.test(problem)) {
    return fail(
      "docker",
      what,
      "run it as a member of the group that owns the socket (docker run --group-add <gid>), or as root",
    );
  }
  if (problem.includes("ENOENT")) {
    return fail(
      "docker",
      what,
      "start Docker, and mount its socket (-v /var/run/docker.sock:/var/run/docker.sock) or set DOCKER_HOST",
    );
  }
  if (problem.includes("ECONNREFUSED")) {
    return fail("docker", what, "start Docker: the socket is there, but nobody answers");
  }
  return fail("docker", what, "see that the Docker engine runs and answers `docker version`");
}

/** The ECS agent: where it was found, or what each candidate said. */
export function introspection(
  asked: readonly { readonly url: string; readonly found: Outcome<FoundEcsAgent> }[],
): Finding {
  const first = asked.find(({ found }) => found.kind === "done");
  if (first?.found.kind === "done") {
    return ok("ecs-agent", `${first.found.value.version} at ${first.url}`);
  }
  const said = asked.map(({ url, found }) => {
    const problem = found.kind === "failed" ? found.problem : "";
    // The library's own sentences name the address and say that it was not found.
    const cause = problem
      .replace(/^the ECS agent was not found: /, "")
      .replace(`the ECS agent at ${url} did not answer: `, "");
    return cause.includes(url) ? cause : `${url}: ${cause}`;
  });
  const what = `not found: ${said.join("; ")}`;
  return what.includes("has not registered")
    ? fail(
        "ecs-agent",
        what,
        "wait until this host has joined its cluster; if it never does, read /var/log/ecs/ecs-agent.log and see ECS_CLUSTER in /etc/ecs/ecs.config",
      )
    : fail(
        "ecs-agent",
        what,
        "see that the ECS agent runs on this host; reach it with --network host, or on Docker's default bridge with --add-host host:host-gateway (other bridges and awsvpc tasks are kept out by its firewall), or name it with --introspectionUrl",
      );
}

/** Who this host is: every record carries it. */
export function identity(found: FoundEcsAgent | undefined): Finding {
  if (found === undefined) return notChecked("owner", "ecs-agent");
  const { owner, cluster } = found;
  return ok("owner", `container instance ${owner.instance} of cluster ${cluster}`);
}

export function journalFolder(folder: string, problem: NodeJS.ErrnoException | undefined): Finding {
  return problem === undefined
    ? ok("journal", `${folder} can be written`)
    : warn(
        "journal",
        `${folder} can't be written (${problem.code}): each start reads the zone instead`,
        "mount a folder there that the agent's user may write (-v /var/lib/ecs-discovery-agent:/var/lib/ecs-discovery-agent), or choose another with --stateDir",
      );
}

/** Whether an agent runs behind the status address, and how it feels. */
export function statusServer(
  address: StatusAddress | undefined,
  asked: Outcome<HttpAnswer> | undefined,
): Finding {
  if (address === undefined || asked === undefined) return ok("status", "switched off");
  const where = `${address.host}:${address.port}`;
  if (asked.kind === "failed") {
    if (asked.problem.includes("ECONNREFUSED")) {
      return ok(
        "status",
        `nobody listens at ${where}: the address is free, and no agent serves it`,
      );
    }
    return warn(
      "status",
      `${where}: ${asked.problem}`,
      "see what listens there, or choose another address with --statusAddress, here and for the agent",
    );
  }
  const health = healthIn(asked.value);
  if (health === undefined) {
    return warn(
      "status",
      `something else than an agent answers at ${where}, with status ${asked.value.status}`,
      "choose another address with --statusAddress, here and for the agent",
    );
  }
  return health.ok
    ? ok("status", `an agent runs at ${where} and is healthy`)
    : fail(
        "status",
        `the agent at ${where} is not healthy: ${health.problems.join("; ")}`,
        "`ecs-discovery-agent status` shows what it waits for; its log has more",
      );
}

function healthIn({ body }: HttpAnswer): { ok: boolean; problems: readonly string[] } | undefined {
  try {
    const health = JSON.parse(body) as { ok?: unknown; problems?: unknown } | null;
    if (typeof health?.ok !== "boolean" || !Array.isArray(health.problems)) return undefined;
    return { ok: health.ok, problems: health.problems.map(String) };
  } catch {
    return undefined;
  }
}
