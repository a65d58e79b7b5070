import * as z from "zod";
import type { Pick } from "../../kit/json-pick.ts";
import type { Container, ContainerId } from "../container.ts";
import { DEFAULT_STOP_SIGNAL, type Health, signalNumber } from "../life.ts";

export const Inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  State: z.object({
    Running: z.boolean(),
    Paused: z.boolean().optional(),
    Restarting: z.boolean().optional(),
    Health: z.object({ Status: z.string() }).nullish(),
  }),
  Config: z.object({ Labels: z.unknown(), StopSignal: z.string().optional() }),
  HostConfig: z.object({ NetworkMode: z.string().optional() }),
  NetworkSettings: z
    .object({
      Networks: z
        .record(
          z.string(),
          z.object({
            IPAddress: z.string().optional(),
            GlobalIPv6Address: z.string().optional(),
          }),
        )
        .nullish(),
    })
    .optional(),
});

/** What is read of a container's description; `isKept` says which of its labels. */
export const inspection = (isKept: (label: string) => boolean): Pick => ({
  members: {
    Id: true,
    Name: true,
    State: {
      members: {
        Running: true,
        Paused: true,
        Restarting: true,
        Health: { members: { Status: true } },
      },
    },
    Config: {
      members: {
        Labels: { members: (label) => (isKept(label) ? true : undefined) },
        StopSignal: true,
      },
    },
    HostConfig: { members: { NetworkMode: true } },
    NetworkSettings: {
      members: {
        Networks: {
          members: () => ({ members: { IPAddress: true, GlobalIPv6Address: true } }),
        },
      },
    },
  },
});

export const healthOf = (status: string | undefined): Health =>
  status === "starting" || status === "healthy" || status === "unhealthy" ? status : "none";

const labelsOf = (labels: unknown): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(labels ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );

/** A container whose description is too long to be read. */
export const unreadable = (id: ContainerId, problem: string): Container => ({
  id,
  name: "",
  labels: new Map(),
  running: false,
  paused: false,
  health: "none",
  stopSignal: DEFAULT_STOP_SIGNAL,
  networkMode: "",
  addresses: [],
  addresses6: [],
  unreadable: problem,
});

/** What the description says of the container. */
export function containerOf(id: ContainerId, seen: z.output<typeof Inspected>): Container {
  return {
    id,
    name: seen.Name.replace(/^\//, ""),
    labels: labelsOf(seen.Config.Labels),
    // While it waits for its restart policy, the engine calls a container running and restarting at once.
    running: seen.State.Running && seen.State.Restarting !== true,
    paused: seen.State.Paused === true,
    health: healthOf(seen.State.Health?.Status),
    stopSignal: signalNumber(seen.Config.StopSignal ?? "") ?? DEFAULT_STOP_SIGNAL,
    networkMode: seen.HostConfig.NetworkMode ?? "default",
    addresses: Object.values(seen.NetworkSettings?.Networks ?? {}).flatMap(
      ({ IPAddress }) => IPAddress || [],
    ),
    addresses6: Object.values(seen.NetworkSettings?.Networks ?? {}).flatMap(
      ({ GlobalIPv6Address }) => GlobalIPv6Address || [],
    ),
    networks: new Map(
      Object.entries(seen.NetworkSettings?.Networks ?? {}).flatMap(([network, of]) =>
        of.IPAddress ? [[network, of.IPAddress] as const] : [],
      ),
    ),
  };
}
