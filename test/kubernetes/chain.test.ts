import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { wholeChain } from "../support/kubernetes/chain.ts";

const run = promisify(execFile);

let folder: string;
let chain: string;

/** A certificate of a server and of the authority that made both, as the API server writes them at its start. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "chain-"));
  const openssl = (...args: readonly string[]) => run("openssl", args, { cwd: folder });
  const request = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1".split(" ");
  await openssl(...request, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca");
  const leaf = ["-keyout", "leaf.key", "-out", "leaf.crt", "-subj", "/CN=leaf"];
  await openssl(...request, ...leaf, "-CA", "ca.crt", "-CAkey", "ca.key");
  chain = ["leaf.crt", "ca.crt"].map((name) => readFileSync(join(folder, name), "utf8")).join("");
});
afterAll(() => rmSync(folder, { recursive: true }));

it("takes no file for whole that is still being written", () => {
  const lengths = Array.from({ length: chain.trimEnd().length }, (_, length) => length);
  const taken = lengths.filter((length) => wholeChain(chain.slice(0, length)) !== undefined);
  expect(taken).toEqual([]);
});

it("gives the whole chain", () => {
  expect(wholeChain(chain)).toBe(chain);
});
