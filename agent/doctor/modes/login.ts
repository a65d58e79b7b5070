import { dirname } from "node:path";
import { ecrToken } from "../../../lib/registry/io/ecr.ts";
import { filesIn, readIfThere } from "../../../lib/registry/io/files.ts";
import { secretText } from "../../../lib/registry/io/secrets.ts";
import { type Login, parseLogins } from "../../../lib/registry/login-lines.ts";
import { writeProblem } from "../../../lib/route53/io/journal-file.ts";
import type { StatusAddress } from "../../page/status-address.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { type Ask, askStatus, outcomes } from "../asking.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import { answer } from "../report.ts";
import { askAws, type Call } from "./aws.ts";

interface Config {
  readonly loginFile: string;
  readonly dockerConfig: string;
  readonly ecsConfig: string | undefined;
  readonly statusAddress: StatusAddress | undefined;
  readonly json: boolean;
}

/** The lines, the files that are written, and whoever tells passwords and tokens. Nothing secret is ever shown. */
export async function login(config: Config, surroundings: Surroundings): Promise<Answer> {
  const ask = outcomes(surroundings);
  const [{ finding, logins }, docker, ecs, status] = await Promise.all([
    askLines(ask, config.loginFile),
    askFolder("docker-config", config.dockerConfig, "--dockerConfig"),
    config.ecsConfig === undefined
      ? undefined
      : askFolder("ecs-config", dirname(config.ecsConfig), "--ecsConfig"),
    askStatus(ask, config.statusAddress),
  ]);
  const calls = callsFor(logins);
  const aws =
    calls.length === 0
      ? []
      : await askAws(
          { ask, env: surroundings.env, policy: "agent/login/README.md" },
          calls.map(({ check }) => check),
          () => calls,
        );
  return answer([finding, ...aws, docker, ...(ecs === undefined ? [] : [ecs]), status], config);
}

async function askLines(
  ask: Ask,
  path: string,
): Promise<{ readonly finding: Finding; readonly logins: readonly Login[] }> {
  const found = await ask(async () => {
    const files = await filesIn(path);
    const texts = await Promise.all(files.map(({ path: file }) => readIfThere(file)));
    return files.flatMap(({ path: file }, at) =>
      parseLogins(texts[at] ?? "").map((line) => ({ ...line, file })),
    );
  });
  if (found.kind === "failed") {
    const todo = "make the file, mount it, or name another with --loginFile";
    return { finding: fail("lines", found.problem, todo), logins: [] };
  }
  const logins = found.value.flatMap((line) => ("login" in line ? [line.login] : []));
  const wrong = found.value.flatMap((line) =>
    "problem" in line ? [`${line.file}, line ${line.line}: ${line.problem}`] : [],
  );
  if (wrong.length > 0) {
    const todo = "correct these lines; the others are done";
    return { finding: fail("lines", wrong.join("; "), todo), logins };
  }
  return {
    logins,
    finding:
      logins.length === 0
        ? warn("lines", `${path} has no line`, "add one: -u <user> -p <password> <registry>")
        : ok("lines", `${logins.length} in ${path}`),
  };
}

async function askFolder(check: string, folder: string, flag: string): Promise<Finding> {
  const problem = await writeProblem(folder);
  return problem === undefined
    ? ok(check, `${folder} can be written`)
    : fail(
        check,
        `${folder} can't be written (${problem.code})`,
        `mount the folder itself, for a file alone can't be replaced, or give another ${flag}`,
      );
}

/** One request for each region of ECR, and for each secret. */
function callsFor(logins: readonly Login[]): readonly Call[] {
  const regions = new Set(logins.flatMap(({ how }) => (how.kind === "ecr" ? [how.region] : [])));
  const secrets = new Set(logins.flatMap(({ how }) => (how.kind === "secret" ? [how.arn] : [])));
  return [
    ...[...regions].map((region) => ({
      check: `ecr ${region}`,
      permission: "ecr:GetAuthorizationToken",
      asks: async () => {
        await ecrToken(region);
        return "gave a token";
      },
    })),
    ...[...secrets].map((arn) => ({
      check: `secret ${arn.split(":").at(-1)}`,
      permission: "secretsmanager:GetSecretValue",
      asks: async () => {
        await secretText(arn);
        return "can be read";
      },
    })),
  ];
}
