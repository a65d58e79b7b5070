import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type Docker from "dockerode";
import { hasImage, importImage } from "./local-image.ts";

const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/**
 * A stand-in for the Node image that the Dockerfile names, made of this machine's own files: the Node of these tests, npm,
 * a shell, and what they load. It stays for the next run; its tag names its Node. Gives undefined where it can't be made
 * (macOS): then the Dockerfile's own base image is to be pulled.
 */
export async function nodeBaseImage(docker: Docker): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  const tag = `eda-test-base:node-${process.version}`;
  if (await hasImage(docker, tag)) return tag;
  const npm = process.env["npm_execpath"];
  if (npm === undefined)
    throw new Error("start the tests by npm: the image takes its npm from there");
  const isTrusted = existsSync(CERTIFICATES);
  await importImage(docker, tag, {
    environment: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      // The registry that npm asks may be known to this machine's own authorities only.
      ...(isTrusted && { NODE_EXTRA_CA_CERTS: CERTIFICATES }),
    },
    async fill(root) {
      await root.program(process.execPath, "/usr/local/bin/node");
      for (const program of ["/bin/sh", "/bin/mkdir", "/usr/bin/env"]) await root.program(program);
      await root.copy(dirname(dirname(npm)), "/usr/local/lib/node_modules/npm");
      await root.link("/usr/local/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js");
      if (isTrusted) await root.copy(CERTIFICATES, CERTIFICATES);
      await root.write(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/tmp:/bin/sh\n",
      );
      await root.write("/etc/group", "root:x:0:\nnode:x:1000:\n");
      await root.temporary("/tmp");
    },
  });
  return tag;
}
