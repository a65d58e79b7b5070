import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { installPackages, isRootOnDebian } from "./debian.ts";

/** A real registry that takes one user's password, on a free port of this machine. */
export interface TestRegistry extends AsyncDisposable {
  /** host:port, as images are named. */
  readonly host: string;
}

export async function dockerRegistry(user: string, password: string): Promise<TestRegistry> {
  const programs = ["/usr/bin/docker-registry", "/usr/bin/htpasswd"];
  if (!programs.every((one) => existsSync(one))) {
    if (!isRootOnDebian()) {
      throw new Error("expected docker-registry and htpasswd (apache2-utils): install them");
    }
    await installPackages("docker-registry", "apache2-utils");
  }
  const home = await mkdtemp(join(tmpdir(), "eda-registry-"));
  const users = join(home, "users");
  await writeFile(users, await hashed(user, password));
  const config = join(home, "config.yml");
  await writeFile(
    config,
    JSON.stringify({
      version: "0.1",
      storage: { filesystem: { rootdirectory: join(home, "data") } },
      http: { addr: "127.0.0.1:0" },
      auth: { htpasswd: { realm: "test", path: users } },
    }),
  );
  const registry = spawn("docker-registry", ["serve", config], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(registry, "exit");
  const seen: string[] = [];
  const port = await new Promise<string>((resolve, reject) => {
    for (const stream of [registry.stdout, registry.stderr]) {
      createInterface(stream).on("line", (line) => {
        seen.push(line);
        const [, found] = /listening on 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        if (found !== undefined) resolve(found);
      });
    }
    registry.once("error", reject);
    registry.once("exit", () =>
      reject(new Error(`docker-registry ended:\n${seen.slice(-10).join("\n")}`)),
    );
  });
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      registry.kill("SIGKILL");
      await ended;
      await rm(home, { recursive: true, force: true });
    },
  };
}

function hashed(user: string, password: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile("htpasswd", ["-niB", user], (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout);
    });
    child.stdin?.end(password);
  });
}
