import { constants, open, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { makeFolder } from "./folder.ts";

/** Whether anybody who showed the sign lives. */
export type SignOfLife = "lives" | "dead" | "unknown";

/**
 * A sign in a folder that one process of this machine shows and others see, whatever containers they are in. It can't
 * outlive its process, for it is the kernel that shows it: a socket's file on which somebody listens.
 */
export interface LifeSign {
  /** Shows it from now on, for as long as this process lives. Rejects where the file system can't. */
  show(): Promise<void>;
  /**
   * "dead" only with proof: the sign was shown, and nobody who showed it is left. "unknown" where there is none, and
   * where it can't be seen. Never rejects.
   */
  see(): Promise<SignOfLife>;
  /** Shows it no more, and leaves nothing of it. Rejects where the file system refuses. */
  remove(): Promise<void>;
}

/** The sign `name` in `folder`. */
export function lifeSign(folder: string, name: string): LifeSign {
  let shown: Server | undefined;
  const removeFile = () => rm(join(folder, name), { force: true });
  return {
    async show() {
      if (shown !== undefined) return;
      await makeFolder(folder);
      await removeFile();
      shown = await listen(folder, name);
    },
    see: () => inFolder(folder, (at) => answerOf(join(at, name))).catch(() => "unknown" as const),
    async remove() {
      shown?.close();
      shown = undefined;
      await removeFile();
    },
  };
}

/**
 * The folder by a path that is always short: a socket's may have 107 bytes (unix(7)). And who opened the folder knows that
 * its file system answers, which matters because Node waits for it when it makes a socket.
 */
async function inFolder<T>(folder: string, act: (at: string) => Promise<T>): Promise<T> {
  const opened = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await act(`/proc/self/fd/${opened.fd}`);
  } finally {
    await opened.close();
  }
}

const listen = (folder: string, name: string): Promise<Server> =>
  inFolder(
    folder,
    (at) =>
      new Promise((resolve, reject) => {
        const server = createServer((socket) => socket.destroy());
        // Nobody is to wait for its end.
        server.unref();
        // Later ones mean that somebody was not answered, who then knows nothing.
        server.on("error", reject);
        server.listen(join(at, name), () => resolve(server));
      }),
  );

const answerOf = (path: string): Promise<SignOfLife> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const say = (sign: SignOfLife) => {
      resolve(sign);
      socket.destroy();
    };
    socket.once("connect", () => say("lives"));
    socket.once("error", ({ code }: NodeJS.ErrnoException) =>
      // The file is there, and no socket behind it (connect(2)).
      say(code === "ECONNREFUSED" ? "dead" : "unknown"),
    );
  });
