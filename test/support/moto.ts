import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import {
  CreateHostedZoneCommand,
  DeleteHostedZoneCommand,
  type Route53Client,
} from "@aws-sdk/client-route-53";
import { pinnedPython } from "./python.ts";

/** An emulator of AWS that somebody else wrote (moto). Its deviations are its own. */
export interface MotoServer extends AsyncDisposable {
  /** Without trailing slash. */
  readonly url: string;
  /** Leads a process to it and nowhere else. */
  readonly env: Readonly<Record<string, string>>;
  /** The same for a client of the SDK. */
  readonly client: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
}

/** One of this test's own on a free port of this machine, or the one of MOTO_ENDPOINT, with what it holds. */
export async function motoServer(): Promise<MotoServer> {
  const given = process.env["MOTO_ENDPOINT"];
  if (given) return { ...at(onThisMachine(given)), [Symbol.asyncDispose]: async () => {} };

  const server = spawn(await pinnedPython(), ["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", PYTHONUNBUFFERED: "1" },
  });
  const ended = once(server, "exit");
  const seen: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(server.stderr).on("line", (line) => {
      seen.push(line);
      const [, origin] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
      if (origin !== undefined) resolve(origin);
    });
    server.once("error", reject);
    server.once("close", () => reject(new Error(`moto ended:\n${seen.slice(-20).join("\n")}`)));
  });
  return {
    ...at(url),
    async [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      await ended;
    },
  };
}

/** A new zone's id. Moto draws any letters, so it draws until the id begins with a Z, as Route 53's do. */
export async function motoZone(route53: Route53Client, name: string): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const { HostedZone: zone } = await route53.send(
      new CreateHostedZoneCommand({ Name: name, CallerReference: `${Date.now()}-${tries}` }),
    );
    const id = zone?.Id?.replace("/hostedzone/", "") ?? "";
    if (id.startsWith("Z")) return id;
    await route53.send(new DeleteHostedZoneCommand({ Id: id }));
  }
}

/** No test may reach a real account. */
function onThisMachine(url: string): string {
  const { hostname, origin } = new URL(url);
  if (hostname === "127.0.0.1") return origin;
  throw new Error(`MOTO_ENDPOINT: expected a moto server at 127.0.0.1, got ${hostname}`);
}

function at(url: string) {
  const [accessKeyId, secretAccessKey, region] = ["test", "test", "eu-west-1"];
  return {
    url,
    env: {
      AWS_ENDPOINT_URL: url,
      // For the agent's tests, which ask for this one by name.
      AWS_ENDPOINT_URL_ROUTE_53: url,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    client: { endpoint: url, region, credentials: { accessKeyId, secretAccessKey } },
  };
}
