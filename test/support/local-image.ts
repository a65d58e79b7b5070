import { execFile, spawn } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type Docker from "dockerode";

const run = promisify(execFile);

/** The folder that becomes an image, while it is filled. */
export interface ImageRoot {
  /** This machine's program and the libraries that it loads, at their own places or with the program at another. */
  program(file: string, at?: string): Promise<void>;
  /** Copies a file or a folder, symbolic links as what they lead to. */
  copy(from: string, to: string): Promise<void>;
  /** A new file with this text. */
  write(at: string, text: string): Promise<void>;
  link(at: string, target: string): Promise<void>;
  /** For everybody's files. */
  temporary(at: string): Promise<void>;
}

/** Whether the engine has the image. */
export const hasImage = (docker: Docker, tag: string): Promise<boolean> =>
  docker
    .getImage(tag)
    .inspect()
    .then(
      () => true,
      () => false,
    );

/** An image made of this machine's own files, because no registry may be in reach. Linux only, as Docker's engines are. */
export async function importImage(
  docker: Docker,
  tag: string,
  {
    fill,
    environment,
  }: {
    readonly fill: (root: ImageRoot) => Promise<void>;
    readonly environment: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const [repo = "", version = "latest"] = tag.split(":");
  const root = await mkdtemp(join(tmpdir(), "eda-test-image-"));
  // It becomes the image's own root, which everybody may enter.
  await chmod(root, 0o755);
  try {
    await fill(imageRoot(root));
    const tar = spawn("tar", ["-C", root, "--owner=0", "--group=0", "-cf", "-", "."], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const set = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const changes = `ENV ${set.join(" ")}`;
    const importing = await docker.importImage(tar.stdout, { repo, tag: version, changes });
    for await (const _ of importing) {
      // The answer ends when the image is there.
    }
    await docker.getImage(tag).inspect();
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function imageRoot(root: string): ImageRoot {
  const copy = async (from: string, to: string) => {
    await mkdir(join(root, dirname(to)), { recursive: true });
    await cp(from, join(root, to), { dereference: true, recursive: true });
  };
  return {
    copy,
    async program(file, at = file) {
      const { stdout } = await run("ldd", [file]);
      const libraries = stdout.match(/\/\S+/g) ?? [];
      for (const library of libraries.filter((name) => !name.endsWith(":"))) {
        await copy(library, library);
      }
      await copy(file, at);
    },
    async write(at, text) {
      await mkdir(join(root, dirname(at)), { recursive: true });
      await writeFile(join(root, at), text);
    },
    async link(at, target) {
      await mkdir(join(root, dirname(at)), { recursive: true });
      await symlink(target, join(root, at));
    },
    async temporary(at) {
      await mkdir(join(root, at), { recursive: true });
      await chmod(join(root, at), 0o1777);
    },
  };
}
