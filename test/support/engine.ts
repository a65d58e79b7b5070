import Docker from "dockerode";

/** Made by engine-setup.ts: `sh`, `sleep` and `cat`, nothing else. */
export const TEST_IMAGE = "ecs-discovery-agent-test:1";

export type EngineAddress =
  | { readonly socketPath: string }
  | { readonly host?: string; readonly port?: number };

/** Of the engine that dockerode uses, as options of a request. */
export async function engineAddress(): Promise<EngineAddress> {
  const { socketPath, host, port } = new Docker().modem as {
    // Without DOCKER_HOST the socket is looked for when it is needed.
    readonly socketPath?: string | (() => Promise<string>);
    readonly host?: string;
    readonly port?: number;
  };
  if (typeof socketPath === "function") return { socketPath: await socketPath() };
  if (socketPath !== undefined) return { socketPath };
  return { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
}
