import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { installPackages, isRootOnDebian } from "./debian.ts";

const run = promisify(execFile);

/** Where the engine is, 2.6 or newer. As root on Debian it is installed; anywhere else it is said that it is missing. */
export async function haproxyProgram(): Promise<string> {
  const find = () =>
    run("sh", ["-c", "PATH=$PATH:/usr/sbin:/usr/local/sbin; command -v haproxy"]).then(
      ({ stdout }) => stdout.trim(),
      () => "",
    );
  const found = await find();
  if (found !== "") return found;
  if (!isRootOnDebian()) {
    throw new Error("these tests need HAProxy 2.6 or newer: install it (apt-get install haproxy)");
  }
  await installPackages("haproxy");
  return find();
}
