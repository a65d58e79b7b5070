import type Docker from "dockerode";
import { haproxyProgram } from "./haproxy.ts";
import { hasImage, importImage } from "./local-image.ts";

/** Says on PORT who it is, which host and which path it was asked for, and what the proxy adds. */
export const WEB_IMAGE = "eda-test-web:2";

const CONFIG = `global
  maxconn 500
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 1s
frontend web
  bind "*:\${PORT}"
  http-request return status 200 content-type text/plain lf-string "\${NAME} host=%[req.hdr(host)] path=%[path] proto=%[req.hdr(x-forwarded-proto)] for=%[req.hdr(x-forwarded-for)] real=%[req.hdr(x-real-ip)] proxy=%[req.hdr(proxy)] ver=%[req.ver]\\n"
`;

/** A few megabytes made of this machine's own HAProxy, because no registry may be in reach: a web server that starts in no time. */
export async function webImage(docker: Docker): Promise<string> {
  if (await hasImage(docker, WEB_IMAGE)) return WEB_IMAGE;
  const haproxy = await haproxyProgram();
  await importImage(docker, WEB_IMAGE, {
    environment: { PATH: "/bin:/usr/sbin", PORT: "80", NAME: "web" },
    async fill(root) {
      for (const program of ["/bin/sh", "/bin/sleep", "/bin/cat"]) await root.program(program);
      await root.program(haproxy, "/usr/sbin/haproxy");
      await root.write("/web.cfg", CONFIG);
      await root.temporary("/tmp");
    },
  });
  return WEB_IMAGE;
}

export const WEB_COMMAND: readonly string[] = ["/usr/sbin/haproxy", "-db", "-f", "/web.cfg"];
