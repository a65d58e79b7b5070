// The control plane's one binary: built from Go modules once, and kept below node_modules/.cache.
//   node test/support/kubernetes/build.ts     builds it, or finds it there, and prints its path
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { installPackages, isRootOnDebian } from "../debian.ts";

const run = promisify(execFile);

const SOURCES = fileURLToPath(new URL("../../kubernetes/control-plane/", import.meta.url));
const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/kubernetes/", import.meta.url));
/** From 1.21 on, Go fetches the version that go.mod asks for by itself. */
const LEAST_GO = 21;
const LIMIT_S = 25 * 60;
const SELF = fileURLToPath(import.meta.url);
const WITH_LOCK = "--with-lock";

/** Where the binary of these sources is, or will be. */
function binaryPath(): string {
  const hash = createHash("sha256");
  for (const file of readdirSync(SOURCES).toSorted()) {
    if (/\.(go|mod|sum)$/.test(file)) hash.update(file).update(readFileSync(join(SOURCES, file)));
  }
  return join(CACHE, `${hash.digest("hex").slice(0, 16)}-${process.arch}`, "kubebox");
}

/** Begins to build in a process of its own, with the least priority, unless it is built or being built. */
export function buildInBackground(): void {
  if (existsSync(binaryPath())) return;
  const child = spawn(process.execPath, [SELF], {
    detached: true,
    stdio: "ignore",
  });
  child.unref();
}

/** The binary, as soon as it is built, by whomever. Rejects with what went wrong, in one sentence. */
export async function builtBinary(): Promise<string> {
  const binary = binaryPath();
  if (existsSync(binary)) return binary;
  mkdirSync(join(binary, ".."), { recursive: true });
  // The kernel holds the lock: it ends with its holder, however that one ends.
  const lock = ["--timeout", String(LIMIT_S), `${binary}.lock`];
  await run("flock", [...lock, process.execPath, SELF, WITH_LOCK]).catch((error: BuildError) => {
    const why = error.stderr?.trim() || error.message;
    throw new Error(`there is no control plane to test with: ${why.slice(0, 2_000)}`);
  });
  return binary;
}

interface BuildError extends Error {
  readonly stderr?: string;
}

async function build(binary: string): Promise<void> {
  const go = await findGo();
  const part = `${binary}.part`;
  const args = ["-n", "19", go, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", part, "."];
  await run("nice", args, { cwd: SOURCES, maxBuffer: 64 * 1024 * 1024 });
  await run("mv", [part, binary]);
}

/** A Go that can build it: an installed one, or, as root on Debian, one that is installed now. */
export async function findGo(): Promise<string> {
  for (const go of ["go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go"]) {
    if ((await minorOf(go)) >= LEAST_GO) return go;
  }
  if (!isRootOnDebian()) {
    throw new Error(`these tests need Go 1.${LEAST_GO} or newer (https://go.dev/dl)`);
  }
  return toolchain();
}

async function minorOf(go: string): Promise<number> {
  try {
    const { stdout } = await run(go, ["env", "GOVERSION"], {
      env: { ...process.env, GOTOOLCHAIN: "local" },
    });
    return Number(/go1\.(\d+)/.exec(stdout)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Go itself is a module, too: the one that go.mod asks for, from the module proxy. */
async function toolchain(): Promise<string> {
  const [, version = ""] = /^go (\S+)$/m.exec(readFileSync(join(SOURCES, "go.mod"), "utf8")) ?? [];
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const name = `v0.0.1-go${version}.linux-${arch}`;
  const folder = join(CACHE, "go");
  const root = join(folder, `golang.org/toolchain@${name}`);
  const go = join(root, "bin/go");
  if ((await minorOf(go)) >= LEAST_GO) return go;
  await installPackages("ca-certificates", "curl", "unzip", "gcc", "libc6-dev");
  mkdirSync(folder, { recursive: true });
  const zip = join(folder, "toolchain.zip");
  const [proxy = ""] = (process.env["GOPROXY"] ?? "https://proxy.golang.org").split(/[,|]/);
  await run("curl", [
    "-fsSL",
    "--retry",
    "3",
    "-o",
    zip,
    `${proxy}/golang.org/toolchain/@v/${name}.zip`,
  ]);
  await run("unzip", ["-qo", zip, "-d", folder], { maxBuffer: 64 * 1024 * 1024 });
  // A module's zip holds no modes.
  for (const tools of ["bin", `pkg/tool/linux_${arch}`]) {
    for (const tool of readdirSync(join(root, tools))) chmodSync(join(root, tools, tool), 0o755);
  }
  return go;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    if (process.argv[2] !== WITH_LOCK) process.stdout.write(`${await builtBinary()}\n`);
    else if (!existsSync(binaryPath())) await build(binaryPath());
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
