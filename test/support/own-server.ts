import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { ProxyLab } from "./proxy-lab.ts";

/** Has a server of the test's own listen on loopback, on any free port; which one. */
export async function listening(server: {
  listen(port: number, host: string): unknown;
  address(): unknown;
  once: Server["once"];
}): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server as Server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A container in the host's network, whose server is the test's own. */
export const inHost = (
  lab: ProxyLab,
  name: string,
  port: number,
  labels: Readonly<Record<string, string>>,
) =>
  lab.web({
    name,
    networkMode: "host",
    command: ["sleep", "3600"],
    stopSignal: "SIGKILL",
    labels: { "proxy.ports": `80:${port}`, ...labels },
  });
