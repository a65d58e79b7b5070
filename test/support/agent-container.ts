import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type Docker from "dockerode";
import type { LogLine } from "./agent-process.ts";
import { nodeBaseImage } from "./base-image.ts";
import type { EngineLab } from "./lab.ts";
import { readmeCommand, withOthers } from "./readme.ts";
import { changes } from "./wait.ts";

const exec = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What the command prints, run in the project's folder. */
async function sh(command: string): Promise<string> {
  const limits = { maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await exec("sh", ["-c", command], { cwd: ROOT, ...limits });
  return stdout.trim();
}

/** The agent's image, as the README builds it, and a next version of it; removed with the test. */
export interface AgentImage extends AsyncDisposable {
  readonly tag: string;
  /** Another image of the same code. */
  readonly nextTag: string;
}

export async function agentImage(docker: Docker): Promise<AgentImage> {
  await using stack = new AsyncDisposableStack();
  const tag = `eda-test-agent:${randomBytes(5).toString("hex")}`;
  const nextTag = `${tag}-next`;
  const base = await nodeBaseImage(docker);
  const build = async (as: string, ...flags: readonly string[]) => {
    const given = base === undefined ? flags : [...flags, "--build-arg", `BASE_IMAGE=${base}`];
    await sh(
      withOthers(readmeCommand("docker build"), [
        ["-t ecs-discovery-agent", `-t ${as} ${given.join(" ")}`],
      ]),
    );
    stack.defer(() => docker.getImage(as).remove());
  };
  // A stage without a name would be left behind by builders that keep it as an image.
  await build(`${tag}-build`, "--target", "build");
  await build(tag);
  await build(nextTag, "--label", "org.opencontainers.image.version=next");
  const held = stack.move();
  return { tag, nextTag, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** An agent's container, running or ended. */
export interface AgentContainer {
  readonly id: string;
  readonly container: Docker.Container;
  inspect(): Promise<Docker.ContainerInspectInfo>;
  /** Its log so far; of its first run, where it is restarted. */
  readonly log: readonly LogLine[];
  /** The first log line, earlier ones included, that the test is looking for. Rejects when its first run ends without. */
  until(wanted: (line: LogLine) => boolean): Promise<LogLine>;
}

/**
 * Runs the README's `docker run` line, but for the names, which are this lab's own, and for the environment, which leads
 * the agent to the lab's stand-ins; and with more flags of Docker's.
 */
export async function runAsInReadme(
  lab: EngineLab,
  image: string,
  ...flags: readonly string[]
): Promise<AgentContainer> {
  const environment = {
    AWS_ENDPOINT_URL_ROUTE_53: lab.route53.url,
    ECS_DISCOVERY_INTROSPECTION_URL: lab.ecs.url,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_EC2_METADATA_DISABLED: "true",
    ECS_DISCOVERY_LOG_FORMAT: "json",
    // Another agent may have the usual port of this host.
    ECS_DISCOVERY_STATUS_ADDRESS: `127.0.0.1:${await freePort()}`,
  };
  const given = Object.entries(environment).map(([name, value]) => `-e ${name}=${value}`);
  const name = lab.named(`agent-${randomBytes(4).toString("hex")}`);
  const id = await sh(
    withOthers(readmeCommand("docker run"), [
      ["--name ecs-discovery-agent", `--name ${name} --label eda-test=${lab.id}`],
      ["-v ecs-discovery-agent:", `-v ${lab.named("state")}:`],
      [
        " ecs-discovery-agent --hostedZoneId",
        ` ${[...given, ...flags].join(" ")} ${image} --hostedZoneId`,
      ],
      ["Z0123456789ABCDEFGHIJ", lab.zone.id],
    ]),
  );
  return followed(lab.docker.getContainer(id));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function followed(container: Docker.Container): Promise<AgentContainer> {
  const stream = await container.logs({ follow: true, stdout: true, stderr: true });
  const moved = changes();
  const lines: string[] = [];
  const log: LogLine[] = [];
  let ended = false;
  const output = new PassThrough();
  container.modem.demuxStream(stream, output, output);
  stream.on("end", () => output.end());
  createInterface(output)
    .on("line", (line) => {
      lines.push(line);
      if (line.startsWith("{")) log.push(JSON.parse(line) as LogLine);
      moved.tell();
    })
    .on("close", () => {
      ended = true;
      moved.tell();
    });
  const seen = () => lines.slice(-40).join("\n");
  return {
    id: container.id,
    container,
    inspect: () => container.inspect(),
    log,
    until: (wanted) =>
      moved.until(() => {
        const found = log.find(wanted);
        if (found === undefined && ended) throw new Error(`the agent ended; its log:\n${seen()}`);
        return found;
      }, seen),
  };
}
