/**
 * What the members of a definition hold. A `text` also takes a number or a flag, a `number` also digits as text, and a
 * `flag` also "true" and "false": CloudFormation and YAML write either.
 */
export type Shape =
  | "text"
  | "number"
  | "flag"
  /** Names and texts of the author's own: kept as they are spelled. */
  | "map"
  | "any"
  | { readonly list: Shape }
  | { readonly members: Readonly<Record<string, Shape>> };

/** The type of a value of this shape; every member may be missing. */
export type Of<S> = S extends "text"
  ? string
  : S extends "number"
    ? number
    : S extends "flag"
      ? boolean
      : S extends "map"
        ? Readonly<Record<string, string>>
        : S extends { readonly list: infer Item }
          ? readonly Of<Item>[]
          : S extends { readonly members: infer Members }
            ? { readonly [Name in keyof Members]?: Of<Members[Name]> }
            : unknown;

const list = <const S extends Shape>(item: S) => ({ list: item });
const object = <const M extends Readonly<Record<string, Shape>>>(members: M) => ({ members });

const texts = list("text");
const nameAndValue = list(object({ name: "text", value: "text" }));
const tags = list(object({ key: "text", value: "text" }));
const secrets = list(object({ name: "text", valueFrom: "text" }));
const placementConstraints = list(object({ type: "text", expression: "text" }));
const logConfiguration = object({ logDriver: "text", options: "map", secretOptions: secrets });

const containerShape = object({
  name: "text",
  image: "text",
  repositoryCredentials: object({ credentialsParameter: "text" }),
  cpu: "number",
  memory: "number",
  memoryReservation: "number",
  links: texts,
  portMappings: list(
    object({
      containerPort: "number",
      hostPort: "number",
      protocol: "text",
      name: "text",
      appProtocol: "text",
      containerPortRange: "text",
    }),
  ),
  essential: "flag",
  restartPolicy: object({
    enabled: "flag",
    ignoredExitCodes: list("number"),
    restartAttemptPeriod: "number",
  }),
  entryPoint: texts,
  command: texts,
  environment: nameAndValue,
  environmentFiles: list(object({ value: "text", type: "text" })),
  mountPoints: list(object({ sourceVolume: "text", containerPath: "text", readOnly: "flag" })),
  volumesFrom: list(object({ sourceContainer: "text", readOnly: "flag" })),
  linuxParameters: object({
    capabilities: object({ add: texts, drop: texts }),
    devices: list(object({ hostPath: "text", containerPath: "text", permissions: texts })),
    initProcessEnabled: "flag",
    sharedMemorySize: "number",
    tmpfs: list(object({ containerPath: "text", size: "number", mountOptions: texts })),
    maxSwap: "number",
    swappiness: "number",
  }),
  secrets,
  dependsOn: list(object({ containerName: "text", condition: "text" })),
  startTimeout: "number",
  stopTimeout: "number",
  versionConsistency: "text",
  hostname: "text",
  user: "text",
  workingDirectory: "text",
  disableNetworking: "flag",
  privileged: "flag",
  readonlyRootFilesystem: "flag",
  dnsServers: texts,
  dnsSearchDomains: texts,
  extraHosts: list(object({ hostname: "text", ipAddress: "text" })),
  dockerSecurityOptions: texts,
  interactive: "flag",
  pseudoTerminal: "flag",
  dockerLabels: "map",
  ulimits: list(object({ name: "text", softLimit: "number", hardLimit: "number" })),
  logConfiguration,
  healthCheck: object({
    command: texts,
    interval: "number",
    timeout: "number",
    retries: "number",
    startPeriod: "number",
  }),
  systemControls: list(object({ namespace: "text", value: "text" })),
  resourceRequirements: list(object({ value: "text", type: "text", sharingStrategy: "text" })),
  firelensConfiguration: object({ type: "text", options: "map" }),
  credentialSpecs: texts,
});

const volumeShape = object({
  name: "text",
  host: object({ sourcePath: "text" }),
  dockerVolumeConfiguration: object({
    scope: "text",
    autoprovision: "flag",
    driver: "text",
    driverOpts: "map",
    labels: "map",
  }),
  efsVolumeConfiguration: object({
    fileSystemId: "text",
    rootDirectory: "text",
    transitEncryption: "text",
    transitEncryptionPort: "number",
    authorizationConfig: object({ accessPointId: "text", iam: "text" }),
  }),
  s3filesVolumeConfiguration: object({
    fileSystemArn: "text",
    rootDirectory: "text",
    transitEncryptionPort: "number",
    accessPointArn: "text",
  }),
  fsxWindowsFileServerVolumeConfiguration: object({
    fileSystemId: "text",
    rootDirectory: "text",
    authorizationConfig: object({ credentialsParameter: "text", domain: "text" }),
  }),
  configuredAtLaunch: "flag",
});

/** All that RegisterTaskDefinition takes (ECS API model; a test holds this to the AWS SDK's). */
export const taskDefinitionShape = object({
  family: "text",
  containerDefinitions: list(containerShape),
  taskRoleArn: "text",
  executionRoleArn: "text",
  networkMode: "text",
  volumes: list(volumeShape),
  placementConstraints,
  requiresCompatibilities: texts,
  cpu: "text",
  memory: "text",
  tags,
  pidMode: "text",
  ipcMode: "text",
  proxyConfiguration: object({ containerName: "text", type: "text", properties: nameAndValue }),
  inferenceAccelerators: list(object({ deviceName: "text", deviceType: "text" })),
  ephemeralStorage: object({ sizeInGiB: "number" }),
  runtimePlatform: object({ cpuArchitecture: "text", operatingSystemFamily: "text" }),
  enableFaultInjection: "flag",
  trustedExecutionConfiguration: "any",
});

const blueGreenMembers = {
  alternateTargetGroupArn: "text",
  productionListenerRule: "text",
  testListenerRule: "text",
} as const;
const blueGreen = object({ ...blueGreenMembers, roleArn: "text" });

const serviceConnectShape = object({
  enabled: "flag",
  namespace: "text",
  services: list(
    object({
      portName: "text",
      discoveryName: "text",
      clientAliases: list(
        object({
          port: "number",
          dnsName: "text",
          testTrafficRules: object({
            header: object({ name: "text", value: object({ exact: "text" }) }),
          }),
        }),
      ),
      ingressPortOverride: "number",
      timeout: object({ idleTimeoutSeconds: "number", perRequestTimeoutSeconds: "number" }),
      tls: object({
        issuerCertificateAuthority: object({ awsPcaAuthorityArn: "text" }),
        kmsKey: "text",
        roleArn: "text",
      }),
    }),
  ),
  logConfiguration,
  accessLogConfiguration: object({ format: "text", includeQueryParameters: "text" }),
});

const deploymentConfigurationShape = object({
  deploymentCircuitBreaker: object({
    enable: "flag",
    rollback: "flag",
    resetOnHealthyTask: "flag",
    thresholdConfiguration: object({ type: "text", value: "number" }),
  }),
  maximumPercent: "number",
  minimumHealthyPercent: "number",
  alarms: object({ alarmNames: texts, rollback: "flag", enable: "flag" }),
  strategy: "text",
  bakeTimeInMinutes: "number",
  lifecycleHooks: list(
    object({
      targetType: "text",
      hookTargetArn: "text",
      roleArn: "text",
      lifecycleStages: texts,
      hookDetails: "any",
      timeoutConfiguration: object({ timeoutInMinutes: "number", action: "text" }),
    }),
  ),
  linearConfiguration: object({ stepPercent: "number", stepBakeTimeInMinutes: "number" }),
  canaryConfiguration: object({ canaryPercent: "number", canaryBakeTimeInMinutes: "number" }),
  earlySuccessCriteria: object({
    enable: "flag",
    healthyPercent: "number",
    sourceServiceRevisionCleanup: "text",
  }),
});

/** All that CreateService takes (ECS API model; a test holds this to the AWS SDK's). */
export const serviceShape = object({
  serviceName: "text",
  cluster: "text",
  taskDefinition: "text",
  availabilityZoneRebalancing: "text",
  loadBalancers: list(
    object({
      targetGroupArn: "text",
      loadBalancerName: "text",
      containerName: "text",
      containerPort: "number",
      advancedConfiguration: blueGreen,
    }),
  ),
  serviceRegistries: list(
    object({
      registryArn: "text",
      port: "number",
      containerName: "text",
      containerPort: "number",
    }),
  ),
  desiredCount: "number",
  clientToken: "text",
  launchType: "text",
  capacityProviderStrategy: list(
    object({ capacityProvider: "text", weight: "number", base: "number" }),
  ),
  platformVersion: "text",
  role: "text",
  deploymentConfiguration: deploymentConfigurationShape,
  placementConstraints,
  placementStrategy: list(object({ type: "text", field: "text" })),
  networkConfiguration: object({
    awsvpcConfiguration: object({ subnets: texts, securityGroups: texts, assignPublicIp: "text" }),
  }),
  healthCheckGracePeriodSeconds: "number",
  schedulingStrategy: "text",
  deploymentController: object({ type: "text" }),
  tags,
  enableECSManagedTags: "flag",
  propagateTags: "text",
  enableExecuteCommand: "flag",
  serviceConnectConfiguration: serviceConnectShape,
  volumeConfigurations: list(
    object({
      name: "text",
      managedEBSVolume: object({
        roleArn: "text",
        encrypted: "flag",
        kmsKeyId: "text",
        volumeType: "text",
        sizeInGiB: "number",
        snapshotId: "text",
        volumeInitializationRate: "number",
        iops: "number",
        throughput: "number",
        tagSpecifications: list(object({ resourceType: "text", tags, propagateTags: "text" })),
        filesystemType: "text",
      }),
    }),
  ),
  vpcLatticeConfigurations: list(
    object({
      roleArn: "text",
      targetGroupArn: "text",
      portName: "text",
      advancedConfiguration: object(blueGreenMembers),
    }),
  ),
  monitoring: object({
    metricConfigurations: list(object({ metricNames: texts, resolutionSeconds: "number" })),
  }),
});

/** What only ECS's answers hold (DescribeTaskDefinition, DescribeServices): state, not definition. */
export const describedOnly = {
  task: [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
  ],
  service: [
    "serviceArn",
    "clusterArn",
    "status",
    "runningCount",
    "pendingCount",
    "platformFamily",
    "taskSets",
    "deployments",
    "roleArn",
    "events",
    "createdAt",
    "createdBy",
    "currentServiceDeployment",
    "currentServiceRevisions",
    "resourceManagementType",
  ],
} as const;

/** What CloudFormation calls otherwise, beyond upper and lower case (resource reference, AWS::ECS::*). */
export const otherNames: ReadonlyMap<string, string> = new Map([
  ["placementstrategies", "placementStrategy"],
  ["proxyconfigurationproperties", "properties"],
]);
