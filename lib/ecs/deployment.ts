/** A task definition's revision, with what it was registered from. */
export interface RegisteredRevision {
  readonly arn: string;
  readonly family: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly content: Readonly<Record<string, unknown>>;
}

/** A service as ECS tells of it. */
export interface DeployedService {
  readonly name: string;
  readonly arn: string;
  readonly status: "ACTIVE" | "DRAINING" | "INACTIVE";
  readonly taskDefinition: string;
  readonly desired: number;
  readonly running: number;
  readonly pending: number;
  readonly daemon: boolean;
  readonly tags: ReadonlyMap<string, string>;
  readonly deployments: readonly {
    readonly id: string;
    readonly status: string;
    readonly rollout?: string;
    readonly reason?: string;
    readonly taskDefinition: string;
    readonly running: number;
    readonly desired: number;
    readonly failed: number;
  }[];
  /** The newest first. `atMs` is the time of day. */
  readonly events: readonly { readonly id: string; readonly atMs: number; readonly text: string }[];
  /** All of ECS's answer. */
  readonly all: Readonly<Record<string, unknown>>;
}
