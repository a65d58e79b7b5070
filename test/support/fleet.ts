import { randomBytes } from "node:crypto";
import type { FleetCluster, FleetState, FleetTask } from "../../lib/standins/ecs/service-rules.ts";

/** 32 hex digits, as ECS gives them out. */
export const someId = (): string => randomBytes(16).toString("hex");

export const HOST = { id: "c0".repeat(16), ec2Id: "i-0123456789abcdef0", privateIp: "127.0.0.1" };

/** A task of the service `shop` in network mode bridge, on the host above. */
export const bridgeTask = (
  ports: Readonly<Record<number, number>>,
  over: Partial<FleetTask> = {},
): FleetTask => ({
  id: someId(),
  family: "web",
  service: "shop",
  instance: HOST.id,
  containers: [
    {
      name: "web",
      networkBindings: Object.entries(ports).map(([containerPort, hostPort]) => ({
        bindIP: "0.0.0.0",
        containerPort: Number(containerPort),
        hostPort,
        protocol: "tcp",
      })),
    },
  ],
  ...over,
});

/** The cluster `default` with the service `shop`, and more. */
export const fleet = (
  tasks: readonly FleetTask[],
  over: Partial<FleetCluster> = {},
  more: Partial<FleetState> = {},
): FleetState => ({
  clusters: [{ name: "default", services: ["shop"], instances: [HOST], tasks, ...over }],
  ...more,
});
