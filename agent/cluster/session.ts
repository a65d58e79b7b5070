import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type AccountFacts, accountFacts } from "../../lib/cloud/io/account.ts";
import { type CloudFormation, cloudFormation } from "../../lib/cloud/io/cloudformation.ts";
import type { Ownership } from "../../lib/cloud/tags.ts";
import { type EcsDeploy, ecsDeploy } from "../../lib/ecs/io/deploy.ts";
import { ecsModel } from "../../lib/ecs/io/model.ts";
import { retrying } from "../host/retrying.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { ClusterConfig } from "./config.ts";
import type { Folder } from "./folder.ts";

/** All that lies outside of the process. Tests put others in their place. */
export interface ClusterEdges {
  readonly stacks: CloudFormation;
  readonly ecs: EcsDeploy;
  readonly account: AccountFacts;
}

/** What every act works with. */
export interface Session {
  readonly config: ClusterConfig;
  readonly surroundings: Surroundings;
  readonly folder: Folder;
  readonly edges: ClusterEdges;
  readonly owner: Ownership;
  readonly createOnly: ReadonlySet<string>;
  /** Tries again while AWS does not answer, for as long as the patience lasts. */
  readonly retry: <T>(act: () => Promise<T>) => Promise<T>;
  /** Tells how things go on, as it happens. */
  readonly say: (line: string) => Promise<void>;
}

export const session = (
  parts: Pick<Session, "config" | "surroundings" | "folder" | "edges" | "say">,
): Session => ({
  ...parts,
  owner: { project: parts.folder.names.project, prefix: parts.folder.names.prefix },
  createOnly: ecsModel().createOnly,
  retry: retrying(parts.config, parts.surroundings),
});

export function systemEdges(folder: Folder, env: Surroundings["env"]): ClusterEdges & Disposable {
  const region = env["AWS_REGION"] || env["AWS_DEFAULT_REGION"];
  const profile = folder.profile ?? inheritedProfile(env);
  const options = { ...(region && { region }), ...(profile && { profile }) };
  const stacks = cloudFormation(options);
  const ecs = ecsDeploy(options);
  return {
    stacks,
    ecs,
    account: accountFacts(stacks.account, env),
    [Symbol.dispose]() {
      stacks.close();
      ecs.close();
    },
  };
}

const CREDENTIALS = [
  "AWS_PROFILE",
  "AWS_ACCESS_KEY_ID",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/**
 * The original's own default, the profile `sandbox`: where nobody named one, the environment has no credentials, and the
 * AWS configuration has it. Otherwise the SDK looks where it always does.
 */
export function inheritedProfile(env: Surroundings["env"]): string | undefined {
  if (CREDENTIALS.some((name) => env[name])) return undefined;
  const files = [
    env["AWS_CONFIG_FILE"] || join(homedir(), ".aws", "config"),
    env["AWS_SHARED_CREDENTIALS_FILE"] || join(homedir(), ".aws", "credentials"),
  ];
  const has = files.some((file) => {
    try {
      return /^\s*\[(?:profile\s+)?sandbox\]/m.test(readFileSync(file, "utf8"));
    } catch {
      return false;
    }
  });
  return has ? "sandbox" : undefined;
}
