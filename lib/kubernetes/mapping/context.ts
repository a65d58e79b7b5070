import type {
  ContainerDefinition,
  ServiceDefinition,
  TaskDefinition,
} from "../../ecs/definition.ts";
import type { Report } from "./report.ts";

/** The domain of our labels and annotations: the API group of ECSDeployment. */
export const DOMAIN = "ecskube.ecskube";

/** The one label that selectors hold: no label of the user's own may change what belongs together. */
export const NAME_LABEL = `${DOMAIN}/name`;

/** What a user decides, for what ECS has no word. */
export interface MappingOptions {
  /** The type of a Service that stands for load balancers. */
  readonly serviceType: "LoadBalancer" | "NodePort" | "ClusterIP";
  /** `drop`: a fixed port of the host would allow one pod a node. */
  readonly hostPorts: "drop" | "keep";
  /**
   * Names in Kubernetes for what ECS finds in AWS: by the text that the definition has (an ARN, a parameter's name) the
   * Secret as `name` or `name/key`, a ConfigMap of an environment file, a pull secret, a gMSA specification.
   */
  readonly names: ReadonlyMap<string, string>;
}

export interface NamedContainer {
  /** Its path in the definition. */
  readonly at: string;
  readonly name: string;
  /** As the definition calls it. */
  readonly original: string;
  readonly definition: ContainerDefinition;
}

/** What every part of the mapping is told. */
export interface Context {
  /** The name of all that is made. */
  readonly name: string;
  readonly task: TaskDefinition;
  readonly service: ServiceDefinition | undefined;
  readonly containers: readonly NamedContainer[];
  readonly options: MappingOptions;
  readonly report: Report;
}

export const isWindows = ({ task }: Context): boolean =>
  /^windows/i.test(task.runtimePlatform?.operatingSystemFamily ?? "");

export const isHostNetwork = ({ task }: Context): boolean => task.networkMode === "host";
