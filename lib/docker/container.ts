import type { Health } from "./life.ts";

declare const containerId: unique symbol;
/** Docker's 64 hex digits. */
export type ContainerId = string & { readonly [containerId]: true };

/** The id in `text`; undefined when it is not 64 hex digits. */
export const asContainerId = (text: string): ContainerId | undefined =>
  /^[0-9a-f]{64}$/.test(text) ? (text as ContainerId) : undefined;

/** As `docker ps` shows it. */
export const shortId = (id: ContainerId): string => id.slice(0, 12);

/** A container as one look at the engine saw it. */
export interface Container {
  readonly id: ContainerId;
  readonly name: string;
  /** A Map: label keys come from image and task authors, `__proto__` among them. */
  readonly labels: ReadonlyMap<string, string>;
  /** Its process runs: not created, not exited, not waiting for a restart policy. A paused process counts as running. */
  readonly running: boolean;
  readonly paused: boolean;
  readonly health: Health;
  /** The number of the signal that `docker stop` and the ECS agent begin with. */
  readonly stopSignal: number;
  /** Docker's HostConfig.NetworkMode: `container:<id>` for an awsvpc task, `host`, `bridge`, `default` or a network. */
  readonly networkMode: string;
  /** IPv4, of its own networks; none when it lives in another container's. */
  readonly addresses: readonly string[];
  /** The same, IPv6. */
  readonly addresses6: readonly string[];
  /** Why the engine's description of it can't be read; then the rest says nothing. */
  readonly unreadable?: string;
  /** The IPv4 address in each of its own networks, by the network's name. */
  readonly networks?: ReadonlyMap<string, string>;
}
