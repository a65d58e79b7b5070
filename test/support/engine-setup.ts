import { spawn } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { installPackages, isRootOnDebian } from "./debian.ts";
import { TEST_IMAGE } from "./engine.ts";
import { hasImage, importImage } from "./local-image.ts";

/** Jest's globalSetup of the engine tests: a Docker engine that answers, and an image to run on it. */
export default async function setup(): Promise<void> {
  // Its clean-up container would have to be pulled; the tests clean up by themselves.
  process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";
  const docker = new Docker();
  if (!(await answers(docker))) await startEngine(docker);
  await buildImage(docker);
}

const answers = async (docker: Docker): Promise<boolean> =>
  docker.ping().then(
    () => true,
    () => false,
  );

/** As root on Debian the set-up helps itself; anywhere else it says what is missing. */
async function startEngine(docker: Docker): Promise<void> {
  if (process.env["DOCKER_HOST"] || !isRootOnDebian()) {
    throw new Error(
      `These tests need a Docker engine, and none answers at ${process.env["DOCKER_HOST"] || "/var/run/docker.sock"}: ` +
        "start one (or install it: https://docs.docker.com/engine/install), or run `npm run test:unit` for the tests that need none.",
    );
  }
  if (!existsSync("/usr/sbin/dockerd") && !existsSync("/usr/bin/dockerd")) {
    await installPackages("docker.io");
  }
  const logFile = join(tmpdir(), "ecs-discovery-agent-test-dockerd.log");
  const log = openSync(logFile, "w");
  const daemon = spawn("dockerd", [], { detached: true, stdio: ["ignore", log, log] });
  let ended: string | undefined;
  daemon.once("error", (error) => {
    ended = error.message;
  });
  daemon.once("exit", (code) => {
    ended = `exit code ${code}`;
  });
  for (let tries = 0; !(await answers(docker)); tries += 1) {
    if (ended !== undefined || tries === 300) {
      throw new Error(
        `dockerd did not start (${ended ?? "no answer in 60 s"}); its log is ${logFile}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // It stays for the tests to come: starting it costs more than keeping it.
  daemon.unref();
}

/**
 * A few megabytes made of this machine's own shell, sleep and libc, because no registry may be in reach. Where the
 * machine has none of those for Docker's platform (macOS), busybox is pulled and tagged.
 */
async function buildImage(docker: Docker): Promise<void> {
  if (await hasImage(docker, TEST_IMAGE)) return;
  if (process.platform !== "linux") {
    const [repo, tag] = TEST_IMAGE.split(":") as [string, string];
    const pulled = await docker.pull("busybox:stable");
    await new Promise((resolve, reject) =>
      docker.modem.followProgress(pulled, (error) => (error ? reject(error) : resolve(undefined))),
    );
    await docker.getImage("busybox:stable").tag({ repo, tag });
    return;
  }
  await importImage(docker, TEST_IMAGE, {
    environment: { PATH: "/bin" },
    async fill(root) {
      for (const program of ["/bin/sh", "/bin/sleep", "/bin/cat"]) await root.program(program);
      await root.temporary("/tmp");
    },
  });
}
