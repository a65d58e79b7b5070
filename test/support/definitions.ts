import type { ServiceDefinition, TaskDefinition } from "../../lib/ecs/definition.ts";

/** A task definition in which every member of RegisterTaskDefinition stands, each with a value that ECS would take. */
export const wholeTask: TaskDefinition = {
  family: "whole",
  taskRoleArn: "arn:aws:iam::123456789012:role/app",
  executionRoleArn: "arn:aws:iam::123456789012:role/execution",
  networkMode: "bridge",
  requiresCompatibilities: ["EC2"],
  cpu: "4096",
  memory: "8 GB",
  pidMode: "task",
  ipcMode: "task",
  tags: [{ key: "team", value: "shop" }],
  proxyConfiguration: {
    type: "APPMESH",
    containerName: "web",
    properties: [{ name: "AppPorts", value: "80" }],
  },
  inferenceAccelerators: [{ deviceName: "d1", deviceType: "eia2.medium" }],
  ephemeralStorage: { sizeInGiB: 30 },
  runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
  enableFaultInjection: true,
  trustedExecutionConfiguration: { kind: "x" },
  placementConstraints: [
    { type: "memberOf", expression: "attribute:ecs.instance-type == t3.small" },
  ],
  volumes: [
    { name: "scratch", host: {} },
    { name: "logs", host: { sourcePath: "/var/log/app" } },
    {
      name: "docker",
      dockerVolumeConfiguration: {
        scope: "task",
        autoprovision: true,
        driver: "local",
        driverOpts: { type: "tmpfs" },
        labels: { a: "b" },
      },
    },
    {
      name: "efs",
      efsVolumeConfiguration: {
        fileSystemId: "fs-1",
        rootDirectory: "/data",
        transitEncryption: "ENABLED",
        transitEncryptionPort: 2049,
        authorizationConfig: { accessPointId: "fsap-1", iam: "ENABLED" },
      },
    },
    {
      name: "s3",
      s3filesVolumeConfiguration: {
        fileSystemArn: "arn:aws:s3files:::x",
        rootDirectory: "/",
        transitEncryptionPort: 2049,
        accessPointArn: "arn:aws:s3files:::y",
      },
    },
    {
      name: "fsx",
      fsxWindowsFileServerVolumeConfiguration: {
        fileSystemId: "fs-2",
        rootDirectory: "share",
        authorizationConfig: { credentialsParameter: "arn:c", domain: "example.com" },
      },
    },
    { name: "ebs", configuredAtLaunch: true },
  ],
  containerDefinitions: [
    {
      name: "web",
      image: "nginx:1.27",
      repositoryCredentials: { credentialsParameter: "arn:aws:secretsmanager:::secret:pull" },
      cpu: 512,
      memory: 512,
      memoryReservation: 256,
      links: ["db:database"],
      portMappings: [
        { containerPort: 80, hostPort: 8080, protocol: "tcp", name: "http", appProtocol: "http" },
        { containerPortRange: "9000-9002", protocol: "udp" },
      ],
      essential: true,
      restartPolicy: { enabled: true, ignoredExitCodes: [3], restartAttemptPeriod: 60 },
      entryPoint: ["/entry"],
      command: ["serve", "--all"],
      environment: [{ name: "MODE", value: "prod" }],
      environmentFiles: [{ value: "arn:aws:s3:::bucket/web.env", type: "s3" }],
      mountPoints: [
        { sourceVolume: "scratch", containerPath: "/scratch", readOnly: true },
        { sourceVolume: "efs", containerPath: "/efs" },
      ],
      volumesFrom: [{ sourceContainer: "db", readOnly: true }],
      linuxParameters: {
        capabilities: { add: ["NET_ADMIN"], drop: ["MKNOD"] },
        devices: [{ hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: ["read"] }],
        initProcessEnabled: true,
        sharedMemorySize: 64,
        tmpfs: [{ containerPath: "/run", size: 16, mountOptions: ["noexec"] }],
        maxSwap: 128,
        swappiness: 10,
      },
      secrets: [{ name: "PASSWORD", valueFrom: "/prod/db" }],
      dependsOn: [{ containerName: "db", condition: "HEALTHY" }],
      startTimeout: 30,
      stopTimeout: 60,
      versionConsistency: "enabled",
      hostname: "web",
      user: "1000:1000",
      workingDirectory: "/srv",
      disableNetworking: true,
      privileged: true,
      readonlyRootFilesystem: true,
      dnsServers: ["10.0.0.2"],
      dnsSearchDomains: ["example.com"],
      extraHosts: [{ hostname: "legacy", ipAddress: "10.0.0.9" }],
      dockerSecurityOptions: ["apparmor:custom"],
      interactive: true,
      pseudoTerminal: true,
      dockerLabels: { "com.example.team": "shop" },
      ulimits: [{ name: "nofile", softLimit: 1024, hardLimit: 4096 }],
      logConfiguration: {
        logDriver: "awslogs",
        options: { "awslogs-group": "web" },
        secretOptions: [{ name: "token", valueFrom: "/prod/token" }],
      },
      healthCheck: {
        command: ["CMD-SHELL", "curl -f localhost || exit 1"],
        interval: 10,
        timeout: 3,
        retries: 4,
        startPeriod: 20,
      },
      systemControls: [{ namespace: "net.core.somaxconn", value: "1024" }],
      resourceRequirements: [{ type: "GPU", value: "1", sharingStrategy: "x" }],
      firelensConfiguration: { type: "fluentbit", options: { a: "b" } },
      credentialSpecs: ["credentialspec:arn:aws:s3:::x"],
    },
    {
      name: "db",
      image: "mysql:8",
      memory: 1024,
      mountPoints: [{ sourceVolume: "ebs", containerPath: "/var/lib/mysql" }],
      healthCheck: { command: ["CMD", "mysqladmin", "ping"] },
    },
  ],
};

/** The same for CreateService. */
export const wholeService: ServiceDefinition = {
  serviceName: "shop",
  cluster: "prod",
  taskDefinition: "whole:3",
  availabilityZoneRebalancing: "ENABLED",
  loadBalancers: [
    {
      targetGroupArn: "arn:aws:elasticloadbalancing:::targetgroup/x/1",
      loadBalancerName: "classic",
      containerName: "web",
      containerPort: 80,
      advancedConfiguration: {
        alternateTargetGroupArn: "arn:2",
        productionListenerRule: "arn:3",
        testListenerRule: "arn:4",
        roleArn: "arn:5",
      },
    },
  ],
  serviceRegistries: [
    {
      registryArn: "arn:aws:servicediscovery:::service/srv-1",
      port: 9001,
      containerName: "web",
      containerPort: 9001,
    },
  ],
  desiredCount: 2,
  clientToken: "token",
  launchType: "EC2",
  capacityProviderStrategy: [{ capacityProvider: "spot", weight: 1, base: 0 }],
  platformVersion: "LATEST",
  role: "ecsServiceRole",
  deploymentConfiguration: {
    deploymentCircuitBreaker: {
      enable: true,
      rollback: true,
      resetOnHealthyTask: true,
      thresholdConfiguration: { type: "COUNT", value: 3 },
    },
    maximumPercent: 150,
    minimumHealthyPercent: 50,
    alarms: { alarmNames: ["high"], rollback: true, enable: true },
    strategy: "BLUE_GREEN",
    bakeTimeInMinutes: 5,
    lifecycleHooks: [
      {
        targetType: "LAMBDA",
        hookTargetArn: "arn:6",
        roleArn: "arn:7",
        lifecycleStages: ["PRE_SCALE_UP"],
        hookDetails: { a: 1 },
        timeoutConfiguration: { timeoutInMinutes: 5, action: "ROLLBACK" },
      },
    ],
    linearConfiguration: { stepPercent: 10, stepBakeTimeInMinutes: 1 },
    canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 1 },
    earlySuccessCriteria: {
      enable: true,
      healthyPercent: 80,
      sourceServiceRevisionCleanup: "x",
    },
  },
  placementConstraints: [{ type: "distinctInstance", expression: "" }],
  placementStrategy: [{ type: "spread", field: "attribute:ecs.availability-zone" }],
  networkConfiguration: {
    awsvpcConfiguration: {
      subnets: ["subnet-1"],
      securityGroups: ["sg-1"],
      assignPublicIp: "DISABLED",
    },
  },
  healthCheckGracePeriodSeconds: 45,
  schedulingStrategy: "REPLICA",
  deploymentController: { type: "CODE_DEPLOY" },
  tags: [{ key: "stage", value: "prod" }],
  enableECSManagedTags: true,
  propagateTags: "SERVICE",
  enableExecuteCommand: true,
  serviceConnectConfiguration: {
    enabled: true,
    namespace: "shop.local",
    services: [
      {
        portName: "http",
        discoveryName: "shop-web",
        clientAliases: [
          {
            port: 8000,
            dnsName: "store",
            testTrafficRules: { header: { name: "x-test", value: { exact: "1" } } },
          },
        ],
        ingressPortOverride: 15_000,
        timeout: { idleTimeoutSeconds: 60, perRequestTimeoutSeconds: 15 },
        tls: {
          issuerCertificateAuthority: { awsPcaAuthorityArn: "arn:8" },
          kmsKey: "arn:9",
          roleArn: "arn:10",
        },
      },
    ],
    logConfiguration: {
      logDriver: "awslogs",
      options: { a: "b" },
      secretOptions: [{ name: "n", valueFrom: "v" }],
    },
    accessLogConfiguration: { format: "JSON", includeQueryParameters: "DISABLED" },
  },
  volumeConfigurations: [
    {
      name: "ebs",
      managedEBSVolume: {
        roleArn: "arn:11",
        encrypted: true,
        kmsKeyId: "key",
        volumeType: "gp3",
        sizeInGiB: 20,
        snapshotId: "snap-1",
        volumeInitializationRate: 100,
        iops: 3000,
        throughput: 125,
        tagSpecifications: [
          { resourceType: "volume", tags: [{ key: "a", value: "b" }], propagateTags: "SERVICE" },
        ],
        filesystemType: "xfs",
      },
    },
  ],
  vpcLatticeConfigurations: [
    {
      roleArn: "arn:12",
      targetGroupArn: "arn:13",
      portName: "http",
      advancedConfiguration: {
        alternateTargetGroupArn: "arn:14",
        productionListenerRule: "arn:15",
        testListenerRule: "arn:16",
      },
    },
  ],
  monitoring: { metricConfigurations: [{ metricNames: ["CPU"], resolutionSeconds: 60 }] },
};

/** A member of a definition that holds no other, by its path: `containerDefinitions[0].image`. */
export interface Leaf {
  readonly path: string;
  readonly pattern: string;
  readonly value: unknown;
  /** The definition with another value there. */
  readonly with: (value: unknown) => unknown;
}

/** Every leaf of a definition, those of free maps and the items of plain lists included. */
export function leavesOf(root: unknown, path = "", put = (value: unknown) => value): Leaf[] {
  if (Array.isArray(root)) {
    return root.flatMap((item: unknown, index) =>
      leavesOf(item, `${path}[${index}]`, (value) => put(root.with(index, value))),
    );
  }
  if (typeof root === "object" && root !== null) {
    return Object.entries(root).flatMap(([name, item]) =>
      leavesOf(item, path === "" ? name : `${path}.${name}`, (value) =>
        put({ ...root, [name]: value }),
      ),
    );
  }
  return [{ path, pattern: path.replace(/\[\d+\]/g, "[]"), value: root, with: put }];
}

/** Another value of the same kind. */
export function other(value: unknown): unknown {
  // Far enough for what is rounded.
  if (typeof value === "number") return value * (value < 100 ? 20 : 2) + 1;
  if (typeof value === "boolean") return !value;
  return `${String(value)}x`;
}
