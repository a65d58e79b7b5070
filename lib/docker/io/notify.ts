import { PassThrough } from "node:stream";
import Docker from "dockerode";
import { causes } from "../../kit/failure.ts";
import type { ContainerId } from "../container.ts";

/** The only calls of the agent that change something at Docker's engine. */
export interface Notifier {
  /** Sends a signal to process 1 of the container. Rejects with the engine's words. */
  signal(id: ContainerId, signal: string): Promise<void>;
  /** Runs a command in the container by its words, without a shell; resolves to its exit code. Rejects with the engine's words. */
  run(id: ContainerId, words: readonly string[]): Promise<number>;
}

/** A command that goes on is left to itself. */
const COMMAND_LIMIT_MS = 30_000;
const LOOK_MS = 50;

/** The engine behind DOCKER_HOST, or behind Docker's own socket. */
export function notifier({ socketPath }: { readonly socketPath?: string } = {}): Notifier {
  const docker = new Docker(socketPath === undefined ? {} : { socketPath });
  return {
    async signal(id, signal) {
      await docker
        .getContainer(id)
        .kill({ signal })
        .catch((error: unknown) => {
          throw new Error(`Docker did not send ${signal}: ${causes(error)}`);
        });
    },
    async run(id, words) {
      const command = await docker.getContainer(id).exec({
        Cmd: [...words],
        AttachStdin: false,
        AttachStdout: true,
        AttachStderr: true,
      });
      const output = await command.start({ Detach: false, Tty: false });
      // What it says is nobody's business, but it must be read for the command to go on.
      output.pipe(new PassThrough()).resume();
      const untilMs = performance.now() + COMMAND_LIMIT_MS;
      try {
        for (;;) {
          const { Running, ExitCode } = await command.inspect();
          if (!Running && ExitCode !== null) return ExitCode;
          if (performance.now() > untilMs)
            throw new Error(`it had not ended after ${COMMAND_LIMIT_MS / 1000} s`);
          await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        }
      } finally {
        output.destroy();
      }
    },
  };
}
