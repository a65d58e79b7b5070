import { findRegion } from "../../../lib/ecs/io/region.ts";
import { ecsService } from "../../../lib/ecs/io/service.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { Ask } from "../asking.ts";
import { credentials } from "../aws-checks.ts";
import { type Finding, fail, notChecked, type Outcome, ok } from "../finding.ts";

/** One request that the mode needs, tried. */
export interface Call {
  readonly check: string;
  /** As a policy names it, such as `ecs:ListTasks`; empty for a file of this host. */
  readonly permission: string;
  /** What was found, as a sentence; or a finding of its own, such as that there is nothing to ask about yet. */
  readonly asks: () => Promise<string | Finding>;
}

export interface AwsAsking {
  readonly ask: Ask;
  readonly env: Surroundings["env"];
  /** The file with the permissions of this mode. */
  readonly policy: string;
}

/**
 * Region and credentials, then the mode's requests in their order. What can't be tried without the first two is skipped,
 * and so is every further request to a system that did not answer.
 */
export async function askAws(
  { ask, env, policy }: AwsAsking,
  names: readonly string[],
  callsIn: (region: string) => readonly Call[],
): Promise<readonly Finding[]> {
  const region = await findRegion(env);
  if (region === undefined) {
    return [
      fail(
        "region",
        "no AWS region: neither the environment nor the metadata of the task or the instance told one",
        "set AWS_REGION",
      ),
      ...["credentials", ...names].map((name) => notChecked(name, "region")),
    ];
  }
  const from = env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] ? "the environment" : "metadata";
  const found = await askCredentials(ask, region);
  const first = [ok("region", `${region}, from ${from}`), credentials(found)];
  if (found.kind === "failed") {
    return [...first, ...names.map((name) => notChecked(name, "credentials"))];
  }
  return [...first, ...(await askCalls(ask, callsIn(region), policy))];
}

/** Where the SDK's chain finds them; nothing is sent to the services themselves. */
async function askCredentials(ask: Ask, region: string): Promise<Outcome<string>> {
  const ecs = ecsService({ region });
  const found = await ask(() => ecs.credentials());
  ecs.close();
  return found.kind === "failed" ? found : { kind: "done", value: "" };
}

async function askCalls(
  ask: Ask,
  calls: readonly Call[],
  policy: string,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  /** Systems that did not answer, by the check that found it out. */
  const silent = new Map<string, string>();
  for (const { check, permission, asks } of calls) {
    const [system = ""] = permission.split(":");
    const silentCheck = silent.get(system);
    if (silentCheck !== undefined) {
      findings.push(notChecked(check, silentCheck));
      continue;
    }
    const found = await ask(asks);
    if (found.kind === "done") {
      findings.push(
        typeof found.value === "string"
          ? ok(check, permission === "" ? found.value : `${found.value} (${permission})`)
          : found.value,
      );
      continue;
    }
    const isSilent = found.error instanceof Unavailable && found.error.demand === undefined;
    if (isSilent || found.problem.startsWith("no answer")) silent.set(system, check);
    findings.push(failed(check, permission, found.problem, policy));
  }
  return findings;
}

/** A request that failed, and what to do about the usual reasons. */
function failed(check: string, permission: string, problem: string, policy: string): Finding {
  if (permission === "") {
    return fail(check, problem, "see that the file is there, and that this user may read it");
  }
  if (/AccessDenied|Unauthorized|not authorized|denied/i.test(problem)) {
    return fail(check, problem, `allow ${permission} in the role of this process (${policy})`);
  }
  if (
    /InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|ExpiredToken|security token/.test(
      problem,
    )
  ) {
    return fail(check, problem, "renew the credentials, and see that they are of this partition");
  }
  if (/not found|no such|does not exist|NotFound|NoSuch|unknown|there is no/i.test(problem)) {
    return fail(check, problem, "check the name, and that it is of this account and region");
  }
  if (/throttl|too many requests|Rate exceeded/i.test(problem)) {
    return fail(check, problem, "try again in a minute: the account asks too often");
  }
  return fail(
    check,
    problem,
    "see that this host reaches the endpoint over HTTPS: security group, NAT gateway, proxy",
  );
}
