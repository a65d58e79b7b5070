import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { writeProblem } from "../../../lib/route53/io/journal-file.ts";
import { hostedZones } from "../../../lib/route53/io/zones.ts";
import { connects, listenProblem } from "../../../lib/web/io/listen.ts";
import type { StatusAddress } from "../../page/status-address.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { type Ask, askDocker, askStatus, outcomes } from "../asking.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import { answer } from "../report.ts";
import { askAws } from "./aws.ts";

interface Config {
  readonly listenAddress: string;
  readonly route53: boolean;
  readonly acme: boolean;
  readonly acmeDirectory: string;
  readonly certificates: string | undefined;
  readonly stateDir: string;
  readonly statusAddress: StatusAddress | undefined;
  readonly json: boolean;
}

const LABEL = "proxy.host";
const POLICY = "deploy/proxy/iam.json";
const HTTP_PORT = 80;
const ACME_LIMIT_MS = 10_000;

/** The engine, Docker, the port, the folders; zones and the certificate authority where the flags ask for them. */
export async function proxy(config: Config, surroundings: Surroundings): Promise<Answer> {
  const { env } = surroundings;
  const ask = outcomes(surroundings);
  const findings = await Promise.all([
    askEngine(ask, env),
    askDocker(ask, env, LABEL),
    askPort(config.listenAddress),
    writeProblem(config.stateDir).then((problem) => stateFolder(config.stateDir, problem)),
    ...(config.certificates === undefined ? [] : [askCertificates(ask, config.certificates)]),
    ...(config.acme ? [askAuthority(ask, config.acmeDirectory)] : []),
    askStatus(ask, config.statusAddress),
  ]);
  const zones = config.route53
    ? await askAws({ ask, env, policy: POLICY }, ["zones"], (region) => [
        {
          check: "zones",
          permission: "route53:ListHostedZones",
          asks: async () => `${(await hostedZones({ region })).length} hosted zones can be listed`,
        },
      ])
    : [];
  return answer([...findings, ...zones], config);
}

async function askEngine(ask: Ask, env: Surroundings["env"]): Promise<Finding> {
  const found = await ask(() =>
    promisify(execFile)("haproxy", ["-v"], { env: { PATH: env["PATH"] ?? "/usr/sbin:/usr/bin" } }),
  );
  const todo = "apt-get install haproxy (2.6 or newer), or use the agent's image with the engine";
  if (found.kind === "failed") {
    const what = found.problem.includes("ENOENT") ? "HAProxy is not on the PATH" : found.problem;
    return fail("engine", what, todo);
  }
  const [, version, major, minor] = /version ((\d+)\.(\d+)\S*)/.exec(found.value.stdout) ?? [];
  const isNew = Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 6);
  return isNew
    ? ok("engine", `HAProxy ${version}`)
    : fail("engine", `expected HAProxy 2.6 or newer, got ${version ?? "no version"}`, todo);
}

/** The engine that a former run left may hold the port: the next start takes it over. */
async function askPort(address: string): Promise<Finding> {
  const where = `${address}:${HTTP_PORT}`;
  const problem = await listenProblem(address, HTTP_PORT);
  if (problem === undefined) return ok("port", `${where} is free`);
  const local = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  return (await connects({ address: local, port: HTTP_PORT }))
    ? warn(
        "port",
        `somebody listens at ${where}`,
        "nothing to do when it is this proxy's engine; otherwise stop it, or choose another --listenAddress",
      )
    : fail(
        "port",
        problem,
        "free the port, give the permission, or choose another --listenAddress",
      );
}

const stateFolder = (folder: string, problem: NodeJS.ErrnoException | undefined): Finding =>
  problem === undefined
    ? ok("state", `${folder} can be written`)
    : fail(
        "state",
        `${folder} can't be written (${problem.code}): the engine's files and certificates lie there`,
        "mount a folder there that the agent's user may write, or choose another with --stateDir",
      );

async function askCertificates(ask: Ask, folder: string): Promise<Finding> {
  const found = await ask(() => readdir(folder));
  if (found.kind === "failed") {
    return fail("certificates", found.problem, "mount the folder, or correct --certificates");
  }
  const count = found.value.filter((name) => name.endsWith(".pem")).length;
  return count > 0
    ? ok("certificates", `${count} in ${folder}`)
    : warn(
        "certificates",
        `${folder} holds no file that ends in .pem`,
        "put the key and the chain of each in one file <name>.pem there",
      );
}

async function askAuthority(ask: Ask, url: string): Promise<Finding> {
  const found = await ask(async () => {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(ACME_LIMIT_MS) });
    if (status !== 200) throw new Error(`${url}: expected status 200, got ${status}`);
  });
  return found.kind === "done"
    ? ok("authority", `${url} answers`)
    : fail(
        "authority",
        `${url}: ${found.problem}`,
        "see that this host reaches it over HTTPS, or name another with --acmeDirectory; NODE_EXTRA_CA_CERTS takes an authority of your own",
      );
}
