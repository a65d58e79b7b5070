import { homedir } from "node:os";
import * as z from "zod";
import { commonFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, onOff } from "../cli/flags.ts";
import { statusAddressOf } from "../page/status-address.ts";

const path = (
  flag: Pick<Flag<string>, "help"> & {
    readonly takes: string;
    readonly byDefault: string;
    readonly environment?: readonly string[];
  },
): Flag<string> => ({
  ...flag,
  expected: "a path",
  schema: z
    .string()
    .min(1)
    .transform((text) => text.replace(/^~(?=\/|$)/, homedir())),
});

export const flags = {
  loginFile: path({
    takes: "path",
    byDefault: "/cluster/docker-login/login.txt",
    help: "the file with a line of docker login words for each registry; of a folder, all of its files",
  }),
  dockerConfig: path({
    takes: "folder",
    byDefault: "~/.docker",
    environment: ["DOCKER_CONFIG"],
    help: "the folder of Docker's config.json, which the logins are written into",
  }),
  ecsConfig: {
    takes: "file",
    optional: true,
    expected: "a path",
    schema: z.string().min(1),
    help: "the ECS agent's ecs.config, which gets the logins as ECS_ENGINE_AUTH_DATA; not written when not given",
  } satisfies Flag<string | undefined> as Flag<string | undefined>,
  restartEcs: onOff({
    help: "restart the ECS agent (systemctl restart ecs) when its logins changed, because it reads them at its start only",
  }),
  check: onOff({
    help: "prove each login against its registry; one that is refused is not written",
  }),
  once: onOff({ help: "write the logins once and end, with code 1 when a line could not be done" }),
  statusAddress: statusAddressOf("login"),
  ...commonFlags,
};

export type LoginConfig = ConfigOf<typeof flags>;

export const examples = [
  [
    "login --once --check --loginFile=login.txt",
    "prove the logins of a file, and write them for this user's Docker",
  ],
  [
    "login --loginFile=/cluster/docker-login --ecsConfig=/etc/ecs/ecs.config",
    "keep a host's logins as the files of a shared folder say",
  ],
] as const;
