import type { Container } from "../docker/container.ts";
import type { Life } from "../docker/life.ts";
import type { Owner } from "../ecs/arn.ts";
import type { NoAnswer, TaskAnswer } from "../ecs/task.ts";
import type { Addresses } from "../net/address.ts";
import type { RecordKey, RecordSet } from "../route53/record-set.ts";
import {
  type AddressSource,
  dockerEndpoint,
  type Endpoint,
  type EndpointWishes,
  type NoEndpoint,
  taskEndpoint,
} from "./endpoint.ts";
import {
  type LabelRequest,
  type LabelRules,
  labelOf,
  readLabels,
  SERVICE_NAME_LABEL,
} from "./labels.ts";
import { possibleKeys, recordsOf } from "./records.ts";

/** Set by the ECS agent on every container of a task (aws/amazon-ecs-agent, `docker_task_engine.go`). */
const CONTAINER_NAME_LABEL = "com.amazonaws.ecs.container-name";

/** Why a container has no record. */
type AbsentReason =
  | "gone"
  | "not-running"
  | "stopping"
  | "paused"
  | "starting"
  | "not-labelled"
  | "internal"
  | "bad-name"
  | "bad-label"
  | Extract<NoEndpoint, { kind: "none" }>["reason"];

/** Why a container's address is not known yet, though it may be soon. */
type UnsureReason = Extract<NoEndpoint, { kind: "unsure" }>["reason"];

/**
 * What one container asks of the zone.
 * - serve: these records; one that is not `well` asks for them only as far as the others of its service leave it to (see
 *   `desiredTable`).
 * - absent: none, for a reason.
 * - unsure: not known yet. What is published under `keeps` stays as it is: a record that was right must not go only
 *   because the ECS agent can't say so at the moment.
 */
export type Desired =
  | {
      readonly kind: "serve";
      readonly records: readonly RecordSet[];
      /** Where the address comes from. */
      readonly source: Endpoint["source"];
      readonly well: boolean;
      /** Why further names that it asked for are left out. */
      readonly problems: readonly string[];
    }
  | { readonly kind: "absent"; readonly reason: AbsentReason; readonly detail: string }
  | {
      readonly kind: "unsure";
      readonly reason: UnsureReason;
      readonly detail: string;
      /** Names that it may come to serve. */
      readonly names: readonly string[];
      readonly keeps: readonly RecordKey[];
    };

/** How Route 53 answers for a name: with one of its record sets by weight, or with up to eight of them. */
export const routings = ["weighted", "multivalue"] as const;
type Routing = (typeof routings)[number];

export interface DesiredRules extends LabelRules {
  readonly owner: Owner;
  readonly ttlSeconds: number;
  readonly weight: number;
  readonly routing: Routing;
  readonly addressSource: AddressSource;
  /** An SRV record, too, with the first port that the task tells of; under RFC 2782's name, where that is said. */
  readonly srv: boolean | "rfc2782";
}

type Absent = Extract<Desired, { kind: "absent" }>;
/** A running container, and what its labels ask for. */
export interface Claim {
  readonly kind: "claim";
  readonly container: Container;
  readonly asked: LabelRequest;
  readonly well: boolean;
}

const absent = (reason: AbsentReason, detail: string): Absent => ({
  kind: "absent",
  reason,
  detail,
});

/**
 * What can be said from the container alone: that it is absent, or what it claims; then its task must be asked for.
 * So a container that is gone needs no answer from the ECS agent.
 *
 * | life      | record                          |
 * |-----------|---------------------------------|
 * | dead      | none                            |
 * | stopping  | none: clients leave before it   |
 * | paused    | none                            |
 * | starting  | none yet                        |
 * | unhealthy | none, unless all are            |
 * | healthy   | yes                             |
 */
export function claimOf(
  container: Container | undefined,
  life: Life,
  rules: LabelRules,
): Absent | Claim {
  if (container === undefined) return absent("gone", "the container is removed");
  if (container.unreadable !== undefined) {
    return absent("bad-label", `Docker's description of it can't be read: ${container.unreadable}`);
  }
  if (labelOf(container.labels, SERVICE_NAME_LABEL) === undefined) {
    return absent("not-labelled", `it has no label ${SERVICE_NAME_LABEL}`);
  }
  // The ECS agent's own pause containers can carry an operator's labels (ECS_PAUSE_LABELS).
  if (container.labels.get(CONTAINER_NAME_LABEL)?.startsWith("~internal~")) {
    return absent("internal", "it is a pause container of the ECS agent");
  }
  switch (life) {
    case "dead":
      return absent("not-running", "its process does not run");
    case "stopping":
      return absent("stopping", "it was sent its stop signal");
    case "paused":
      return absent("paused", "it is paused");
    case "starting":
      return absent("starting", "its health check has not passed yet");
    case "unhealthy":
    case "healthy":
      break;
  }
  const read = readLabels(container.labels, rules);
  return read.ok
    ? { kind: "claim", container, asked: read.asked, well: life === "healthy" }
    : absent(read.reason, read.problem);
}

/** A claim that can't be judged before this host's own addresses are known. */
export interface AskHost {
  readonly kind: "ask-host";
}

/** True when the claim follows from Docker alone, without the ECS agent. */
export const needsNoTask = ({ addressSource }: DesiredRules): boolean => addressSource === "docker";

/**
 * What a claim comes to, once the ECS agent has been asked for the container's task (`undefined` when nobody needs to
 * ask), and, where that turns out to matter, for this host's addresses.
 */
export function desiredOf(
  { container, asked, well }: Claim,
  answer: TaskAnswer | NoAnswer | undefined,
  rules: DesiredRules,
  host?: Addresses,
): Desired | AskHost {
  const wishes: EndpointWishes = {
    source: rules.addressSource,
    port: asked.port ?? (rules.srv ? "first" : undefined),
  };
  const endpoint =
    answer === undefined
      ? dockerEndpoint(container, wishes)
      : taskEndpoint(container, answer, wishes, host);
  const { instance } = rules.owner;
  switch (endpoint.kind) {
    case "ask-host":
      return endpoint;
    case "none":
      return absent(endpoint.reason, endpoint.detail);
    case "unsure": {
      const { holder, reason, detail } = endpoint;
      const keeps =
        holder === undefined
          ? []
          : asked.names.flatMap((name) => possibleKeys(name, holder, instance));
      return { kind: "unsure", reason, detail, names: asked.names, keeps };
    }
    case "endpoint": {
      const { ttlSeconds = rules.ttlSeconds } = asked;
      const srvNames = rules.srv === "rfc2782" ? "rfc2782" : "plain";
      const weight = rules.routing === "weighted" ? (asked.weight ?? rules.weight) : undefined;
      return {
        kind: "serve",
        records: asked.names.flatMap((name) =>
          recordsOf(name, endpoint, { instance, ttlSeconds, weight, srvNames }),
        ),
        source: endpoint.source,
        well,
        problems: asked.problems,
      };
    }
  }
}
