import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { expect, it } from "@jest/globals";
import { startAgent } from "../support/agent-process.ts";
import { motoServer } from "../support/moto.ts";

it("login takes a password from Secrets Manager and a token from ECR, and tells neither", async () => {
  await using moto = await motoServer();
  const secrets = new SecretsManagerClient(moto.client);
  const folder = await mkdtemp(join(tmpdir(), "login-"));
  try {
    const { ARN = "" } = await secrets.send(
      new CreateSecretCommand({
        Name: "docker-login/ci",
        SecretString: JSON.stringify({ username: "ci", password: "hunter2 # secret" }),
      }),
    );
    const registry = `123456789012.dkr.ecr.${moto.client.region}.amazonaws.com`;
    const file = join(folder, "login.txt");
    await writeFile(file, `--password-secret=${ARN} registry.example.com\n${registry}\n`);
    const agent = startAgent(
      ["login", "--once", `--loginFile=${file}`, `--dockerConfig=${folder}`],
      { ...moto.env, PATH: process.env["PATH"] ?? "" },
    );
    expect(await agent.ends).toEqual({ code: 0, signal: null });
    const { auths } = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as {
      readonly auths: Readonly<Record<string, { readonly auth: string }>>;
    };
    const plain = (name: string) => Buffer.from(auths[name]?.auth ?? "", "base64").toString("utf8");
    expect(plain("registry.example.com")).toBe("ci:hunter2 # secret");
    expect(plain(registry)).toMatch(/^AWS:./);
    const said = `${agent.stdout}\n${await agent.stderr}`;
    for (const secret of ["hunter2", plain(registry).slice(4), auths[registry]?.auth ?? ""]) {
      expect(said).not.toContain(secret);
    }
  } finally {
    secrets.destroy();
    await rm(folder, { recursive: true, force: true });
  }
});
