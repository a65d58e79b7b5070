import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import Docker from "dockerode";
import { TEST_IMAGE } from "./engine.ts";
import { changes } from "./wait.ts";

const CGROUPS = "/sys/fs/cgroup";

/** A Docker engine that a test may stop and kill as it likes, with the test image, and without a default bridge. */
export interface OwnEngine extends AsyncDisposable {
  readonly socketPath: string;
  /** Starts the daemon; resolves once it listens. By then it has found its containers again. */
  start(): Promise<void>;
  /** Ends the daemon with this signal; resolves once it has ended. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Kills a container's process behind the daemon's back. `pid` is what its inspection says. */
  killProcess(pid: number): Promise<void>;
}

/**
 * A second dockerd on this machine, started. It has its own network, mount and process namespaces: in the host's network
 * namespace it would take the other daemon's bridge away, and whatever it leaves behind ends with its namespaces, at the
 * latest when this process ends. Its data is on a file system in memory.
 */
export async function ownEngine({
  liveRestore,
}: {
  readonly liveRestore: boolean;
}): Promise<OwnEngine> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error(
      "These tests stop and kill a dockerd of their own: expected to run as root on Linux, got " +
        `user ${process.getuid?.()} on ${process.platform}. Leave them out with --testPathIgnorePatterns=engine-restart`,
    );
  }
  await using stack = new AsyncDisposableStack();
  const cgroup = `eda-test-${randomBytes(5).toString("hex")}`;
  const folder = await mkdtemp(join(tmpdir(), "eda-test-engine-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  stack.defer(() => removeCgroups(cgroup));
  const inside = await namespaces(stack, join(folder, "data"));
  const socketPath = join(folder, "docker.sock");

  let daemon: { readonly pid: number; readonly ended: Promise<void> } | undefined;
  const start = async (): Promise<void> => {
    const dockerd = inside([
      "dockerd",
      `--host=unix://${socketPath}`,
      `--data-root=${join(folder, "data", "root")}`,
      `--exec-root=${join(folder, "data", "exec")}`,
      `--pidfile=${join(folder, "data", "docker.pid")}`,
      `--cgroup-parent=/${cgroup}`,
      "--bridge=none",
      "--iptables=false",
      "--ip6tables=false",
      "--ip-masq=false",
      ...(liveRestore ? ["--live-restore"] : []),
    ]);
    await dockerd.says("API listen on");
    daemon = { pid: await childOf(dockerd.pid), ended: dockerd.ended };
  };
  await start();
  const image = await new Docker().getImage(TEST_IMAGE).get();
  const loading = await new Docker({ socketPath }).loadImage(image);
  for await (const _ of loading) {
    // The answer ends when the image is there.
  }

  const held = stack.move();
  return {
    socketPath,
    start,
    async end(signal) {
      if (daemon === undefined) throw new Error("expected a daemon that runs");
      process.kill(daemon.pid, signal);
      await daemon.ended;
      daemon = undefined;
    },
    async killProcess(pid) {
      // Debian's kill is no program of its own in every image: the shell's is.
      await inside(["sh", "-c", `kill -9 ${pid}`]).ended;
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

interface Inside {
  readonly pid: number;
  readonly ended: Promise<void>;
  /** Waits for a line of its output that holds the text. Rejects when it ends without. */
  says(text: string): Promise<void>;
}

/** New namespaces, with a file system in memory at `folder`, and the way to start programs in them. */
async function namespaces(
  stack: AsyncDisposableStack,
  folder: string,
): Promise<(command: readonly string[]) => Inside> {
  // The first process of the namespaces waits for one that reads our end of a pipe: it ends with us, and all others with
  // it. While it waits it also reaps what dies: a containerd that stays as a zombie would pass for one that still runs.
  const script = [
    "ip link set lo up",
    `mkdir ${folder}`,
    `mount -t tmpfs eda-test ${folder}`,
    "echo ready",
    "exec 3<&0",
    "{ cat <&3 & wait; }",
  ].join(" && ");
  const namespace = ["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"];
  const holder = started(spawn("unshare", [...namespace, "sh", "-c", script]));
  stack.defer(async () => {
    holder.process.stdin?.end();
    await holder.ended;
  });
  await holder.says("ready");
  const first = await childOf(holder.pid);
  return (command) => started(spawn("nsenter", ["-t", `${first}`, "-n", "-m", "-p", ...command]));
}

function started(process: ChildProcess): Inside & { readonly process: ChildProcess } {
  const moved = changes();
  const lines: string[] = [];
  let ended = false;
  const end = new Promise<void>((resolve) => {
    const onEnd = (error?: unknown) => {
      if (error instanceof Error) lines.push(error.message);
      ended = true;
      moved.tell();
      resolve();
    };
    process.once("error", onEnd);
    process.once("exit", onEnd);
  });
  for (const output of [process.stdout, process.stderr]) {
    if (output === null) continue;
    createInterface(output).on("line", (line) => {
      lines.push(line);
      moved.tell();
    });
  }
  const seen = () => lines.slice(-20).join("\n");
  return {
    process,
    pid: process.pid ?? 0,
    ended: end,
    says: async (text) => {
      await moved.until(() => {
        if (lines.some((line) => line.includes(text))) return true;
        if (ended) throw new Error(`${process.spawnfile} ended:\n${seen()}`);
        return false;
      }, seen);
    },
  };
}

/** The one child of unshare or nsenter, by its number outside of the namespaces. */
async function childOf(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const [child, ...more] = children.trim().split(" ");
  if (!child || more.length > 0) throw new Error(`expected one child of ${pid}, got "${children}"`);
  return Number(child);
}

/** What the containers' cgroups leave behind, in one hierarchy (version 2) or in several (version 1). */
async function removeCgroups(name: string): Promise<void> {
  const hierarchies = await readdir(CGROUPS);
  const found = ["", ...hierarchies].map((one) => join(CGROUPS, one, name)).filter(existsSync);
  for (const path of new Set(found)) {
    const folders = await readdir(path, { recursive: true, withFileTypes: true });
    const nested = folders
      .filter((one) => one.isDirectory())
      .map((one) => join(one.parentPath, one.name));
    // Deepest first; a controller that is mounted under two names shows each folder twice.
    for (const folder of [...nested.toSorted((a, b) => b.length - a.length), path]) {
      await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    }
  }
}
