import type { TaskDefinition } from "../../ecs/definition.ts";
import { quote } from "../../kit/quote.ts";
import type { Context, NamedContainer } from "./context.ts";
import { type Fields, type Manifest, present } from "./fields.ts";
import { dnsLabel, legalNames } from "./names.ts";
import { gibibytes, mebibytes } from "./quantity.ts";

export interface PodVolumes {
  /** The pod's volumes. */
  readonly volumes: readonly Fields[];
  readonly mounts: (container: NamedContainer) => readonly Fields[];
  /** PersistentVolumes with the claims that bind them, for file systems that are there already. */
  readonly claims: readonly Manifest[];
}

type Volume = NonNullable<TaskDefinition["volumes"]>[number];

/** The volumes of a task, those that its containers bring themselves (shared memory, tmpfs), and where they are mounted. */
export function volumesOf(context: Context): PodVolumes {
  const { task, report } = context;
  const declared = task.volumes ?? [];
  const names = legalNames(declared.map(({ name }) => name ?? ""));
  const claims: Manifest[] = [];
  const volumes: Fields[] = [];
  const seen = new Set<string>();
  for (const [index, volume] of declared.entries()) {
    const at = `volumes[${index}]`;
    const original = volume.name ?? "";
    if (original === "" || seen.has(original)) {
      const got = original === "" ? "nothing" : `${quote(original)} twice`;
      report.refuse(`${at}.name`, `expected a name of its own, got ${got}`);
      continue;
    }
    seen.add(original);
    const name = names.get(original) ?? "";
    if (name !== original) {
      report.note(`${at}.name`, `the volume is called ${quote(name)}`, "nothing is to be done");
    }
    const made = sourceOf(volume, name, at, context);
    volumes.push({ name, ...made.source });
    claims.push(...made.claims);
  }
  reportConfigurations(declared, context);
  const mounted = context.containers.map((container) => {
    const own = memoryVolumes(container, context);
    const mounts = [...mountsOf(container, names, context), ...own.mounts];
    return { container, volumes: own.volumes, mounts: withoutClashes(mounts, container, context) };
  });
  return {
    volumes: [...volumes, ...mounted.flatMap((one) => one.volumes)],
    mounts: (container) => mounted.find((one) => one.container === container)?.mounts ?? [],
    claims,
  };
}

/** A service may configure only what the task leaves open. */
function reportConfigurations(declared: readonly Volume[], { service, report }: Context): void {
  for (const [index, { name = "" }] of (service?.volumeConfigurations ?? []).entries()) {
    const isAsked = declared.some((one) => one.name === name && one.configuredAtLaunch === true);
    if (isAsked) continue;
    report.unmapped(
      `volumeConfigurations[${index}]`,
      `no volume of the task that is configured at launch is called ${quote(name)}`,
      "give the task's volume configuredAtLaunch, or take this away",
    );
  }
}

interface Source {
  readonly source: Fields;
  readonly claims: readonly Manifest[];
}

const scratch: Source = { source: { emptyDir: {} }, claims: [] };

function sourceOf(volume: Volume, name: string, at: string, context: Context): Source {
  const { report } = context;
  const instead = (member: string, why: string) => {
    report.unmapped(
      `${at}.${member}`,
      `${why}; the volume is an empty folder instead, lost with the pod`,
      "put a volume of your own in its place: a PersistentVolumeClaim of a driver that your cluster has",
    );
    return scratch;
  };
  if (volume.efsVolumeConfiguration !== undefined) return efs(volume, name, at, context);
  if (volume.s3filesVolumeConfiguration !== undefined) {
    return instead("s3filesVolumeConfiguration", "Kubernetes has no driver for S3 Files");
  }
  if (volume.fsxWindowsFileServerVolumeConfiguration !== undefined) {
    return instead(
      "fsxWindowsFileServerVolumeConfiguration",
      "a share of FSx for Windows needs an SMB driver and its own Secret",
    );
  }
  if (volume.configuredAtLaunch === true) return configuredAtLaunch(volume, context, instead);
  const docker = volume.dockerVolumeConfiguration;
  if (docker !== undefined) {
    const { scope = "task", driver = "local" } = docker;
    if (scope !== "task" || driver !== "local") {
      return instead(
        "dockerVolumeConfiguration",
        `a Docker volume of scope ${quote(scope)} and driver ${quote(driver)} is the node's engine's`,
      );
    }
    for (const member of ["autoprovision", "driverOpts", "labels"] as const) {
      if (docker[member] === undefined || docker[member] === false) continue;
      report.unmapped(
        `${at}.dockerVolumeConfiguration.${member}`,
        "an emptyDir has no such setting",
        "nothing is to be done where the volume is scratch space",
      );
    }
    return scratch;
  }
  const path = volume.host?.sourcePath;
  if (path === undefined || path === "") return scratch;
  if (!/^(?:\/|[A-Za-z]:\\|\$\{)/.test(path) || path.split(/[\\/]/).includes("..")) {
    report.refuse(
      `${at}.host.sourcePath`,
      `expected an absolute path without "..", got ${quote(path)}`,
    );
  }
  return { source: { hostPath: { path } }, claims: [] };
}

/** An EFS file system is there already: a static volume and the claim that binds it (aws-efs-csi-driver, static provisioning). */
function efs(volume: Volume, name: string, at: string, context: Context): Source {
  const { report } = context;
  const config = volume.efsVolumeConfiguration ?? {};
  const { fileSystemId, rootDirectory = "/", authorizationConfig = {} } = config;
  if (fileSystemId === undefined) {
    report.refuse(
      `${at}.efsVolumeConfiguration.fileSystemId`,
      "expected the id of a file system, got nothing",
    );
  }
  const root = rootDirectory === "/" ? "" : rootDirectory;
  const { accessPointId, iam = "" } = authorizationConfig;
  const handle =
    accessPointId === undefined
      ? [fileSystemId, ...(root === "" ? [] : [root])]
      : [fileSystemId, root, accessPointId];
  const isEncrypted = config.transitEncryption?.toUpperCase() === "ENABLED";
  const mountOptions = [
    ...(isEncrypted ? ["tls"] : []),
    ...(config.transitEncryptionPort === undefined
      ? []
      : [`tlsport=${config.transitEncryptionPort}`]),
    ...(iam.toUpperCase() === "ENABLED" ? ["iam"] : []),
  ];
  const claim = dnsLabel(`${context.name}-${name}`);
  // EFS has no size, but a volume must have one (aws-efs-csi-driver, examples).
  const accessModes = ["ReadWriteMany"];
  const claims: readonly Manifest[] = [
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: claim },
      spec: present({
        accessModes,
        capacity: { storage: gibibytes(1024) },
        persistentVolumeReclaimPolicy: "Retain",
        mountOptions,
        csi: {
          driver: "efs.csi.aws.com",
          volumeHandle: handle.join(":"),
          ...(!isEncrypted && { volumeAttributes: { encryptInTransit: "false" } }),
        },
      }),
    },
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: claim },
      spec: {
        accessModes,
        // No class: nothing is to be made for the claim, the volume is there.
        storageClassName: "",
        volumeName: claim,
        resources: { requests: { storage: gibibytes(1024) } },
      },
    },
  ];
  report.note(
    `${at}.efsVolumeConfiguration`,
    `a PersistentVolume ${quote(claim)} of the driver efs.csi.aws.com`,
    "install the Amazon EFS CSI driver in the cluster",
  );
  return { source: { persistentVolumeClaim: { claimName: claim } }, claims };
}

function configuredAtLaunch(
  volume: Volume,
  { service, report }: Context,
  instead: (member: string, why: string) => Source,
): Source {
  const index = (service?.volumeConfigurations ?? []).findIndex(({ name }) => name === volume.name);
  const ebs = service?.volumeConfigurations?.[index]?.managedEBSVolume;
  if (ebs === undefined) {
    return instead("configuredAtLaunch", "no service among the files says what the volume is");
  }
  const member = `volumeConfigurations[${index}].managedEBSVolume`;
  const { sizeInGiB = 10, volumeType, ...rest } = ebs;
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || value === false) continue;
    report.unmapped(
      `${member}.${name}`,
      "a claim names a storage class, which decides that",
      "make a StorageClass of the driver ebs.csi.aws.com with that setting",
    );
  }
  report.note(
    `${member}.volumeType`,
    `the storage class ${quote(volumeType ?? "gp3")} is asked for`,
    "make a StorageClass of that name with the driver ebs.csi.aws.com",
  );
  return {
    source: {
      ephemeral: {
        volumeClaimTemplate: {
          spec: {
            accessModes: ["ReadWriteOnce"],
            storageClassName: dnsLabel(volumeType ?? "gp3"),
            resources: { requests: { storage: gibibytes(sizeInGiB) } },
          },
        },
      },
    },
    claims: [],
  };
}

/** A container's own mounts, and those of the containers whose volumes it takes over, theirs included. */
function mountsOf(
  container: NamedContainer,
  names: ReadonlyMap<string, string>,
  context: Context,
  seen: readonly NamedContainer[] = [],
): readonly Fields[] {
  const { report, containers } = context;
  const { at, definition } = container;
  const own = (definition.mountPoints ?? []).flatMap(
    ({ sourceVolume, containerPath, readOnly }, index) => {
      const member = `${at}.mountPoints[${index}]`;
      const name = names.get(sourceVolume ?? "");
      if (name === undefined) {
        const got = sourceVolume === undefined ? "nothing" : quote(sourceVolume);
        report.refuse(`${member}.sourceVolume`, `expected a volume of the task, got ${got}`);
        return [];
      }
      if (containerPath === undefined || containerPath === "" || containerPath.includes(":")) {
        report.refuse(
          `${member}.containerPath`,
          `expected a path without ":", got ${quote(containerPath ?? "")}`,
        );
        return [];
      }
      return [{ name, mountPath: containerPath, ...(readOnly === true && { readOnly: true }) }];
    },
  );
  const taken = (definition.volumesFrom ?? []).flatMap(({ sourceContainer, readOnly }, index) => {
    const source = containers.find(({ original }) => original === sourceContainer);
    if (source === undefined || source === container || seen.includes(source)) {
      report.refuse(
        `${at}.volumesFrom[${index}].sourceContainer`,
        `expected another container of the task, got ${quote(sourceContainer ?? "")}`,
      );
      return [];
    }
    const mounts = mountsOf(source, names, context, [...seen, container]);
    if (mounts.length === 0) {
      report.note(
        `${at}.volumesFrom[${index}]`,
        `${quote(source.original)} has no volumes mounted`,
        "take it away",
      );
    }
    return readOnly === true ? mounts.map((mount) => ({ ...mount, readOnly: true })) : mounts;
  });
  const paths = new Set(own.map(({ mountPath }) => mountPath));
  // What both have, the container's own mount decides, as in Docker.
  return [...own, ...taken.filter(({ mountPath }) => !paths.has(String(mountPath)))];
}

function memoryVolumes(
  { at, name, definition: { linuxParameters = {} } }: NamedContainer,
  { report }: Context,
): { readonly volumes: readonly Fields[]; readonly mounts: readonly Fields[] } {
  const inMemory: (readonly [string, number | undefined, string])[] = (
    linuxParameters.tmpfs ?? []
  ).flatMap(({ containerPath, size }, index) => {
    if (containerPath !== undefined) return [[containerPath, size, `tmpfs-${index}`] as const];
    report.refuse(
      `${at}.linuxParameters.tmpfs[${index}].containerPath`,
      "expected a path, got nothing",
    );
    return [];
  });
  const { sharedMemorySize } = linuxParameters;
  if (sharedMemorySize !== undefined && sharedMemorySize > 0) {
    inMemory.push(["/dev/shm", sharedMemorySize, "shm"]);
  }
  return {
    volumes: inMemory.map(([, size, suffix]) => ({
      name: dnsLabel(`${name}-${suffix}`),
      emptyDir: present({
        medium: "Memory",
        sizeLimit: size === undefined ? undefined : mebibytes(size),
      }),
    })),
    mounts: inMemory.map(([mountPath, , suffix]) => ({
      name: dnsLabel(`${name}-${suffix}`),
      mountPath,
    })),
  };
}

function withoutClashes(
  mounts: readonly Fields[],
  { at }: NamedContainer,
  { report }: Context,
): readonly Fields[] {
  const paths = new Set<unknown>();
  for (const { mountPath } of mounts) {
    if (paths.has(mountPath)) {
      report.refuse(
        `${at}.mountPoints`,
        `expected one mount at ${quote(String(mountPath))}, got two`,
      );
    }
    paths.add(mountPath);
  }
  return mounts;
}
