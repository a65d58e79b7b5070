import { fleetStandIn } from "../../lib/standins/ecs/service-api.ts";
import type { FleetState } from "../../lib/standins/ecs/service-rules.ts";

// ECS and EC2 in a container that shares the ambassador's network, as the environment says.
const state = JSON.parse(process.env["FLEET_STATE"] ?? "{}") as FleetState;
await fleetStandIn(() => state, { port: Number(process.env["FLEET_PORT"]) });
