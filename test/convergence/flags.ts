import type { DiscoverConfig } from "../../agent/discover/config.ts";
import { LONGEST_RESTART_MS } from "./agent.ts";

/** The flags of every agent, as far as a scenario does not choose them: shorter times than the defaults, no others. */
export const FLAGS: DiscoverConfig = {
  hostedZoneId: "Z1",
  introspectionUrl: undefined,
  stateDir: "/var/lib/ecs-discovery-agent",
  patience: 20,
  dryRun: false,
  drainTimeout: 25,
  logLevel: "debug",
  logFormat: "text",
  workers: 5,
  ttl: 10,
  weight: 1,
  resync: 90,
  health: "docker",
  allUnhealthy: "keep",
  stopGrace: 15,
  onStop: "keep",
  allowedNames: ["*"],
  addressSource: "auto",
  hostAddress: undefined,
  srv: false,
  srvNames: "plain",
  routing: "weighted",
  once: false,
  force: false,
  ...{ via: undefined, zoneName: undefined, fallback: "none", resolver: undefined },
  statusAddress: undefined,
};

/** Seconds in ms. */
export const ms = (seconds: number): number => seconds * 1000;

/**
 * How long after the last fault the zone may still be wrong. One after the other, at the worst:
 * - what hangs gives up after five tries of 10 s, and once more, when the patience ends: 100 s;
 * - the process drains, and Docker starts it again after no more than a minute;
 * - a container without an address is asked for during the patience, then at the next resync;
 * - a refused change comes again after 5 minutes (`REFUSED_RETRY_MS` in agent/discover/mode.ts);
 * - each name is read again within the resync;
 * - a container that outlives its stop signal comes back after the grace;
 * - a host that was throttled for a minute waits for its turn, a minute at the most.
 */
export const BOUND_MS =
  ms(100) +
  ms(FLAGS.drainTimeout) +
  LONGEST_RESTART_MS +
  ms(FLAGS.patience + FLAGS.resync) +
  ms(300) +
  ms(FLAGS.resync) +
  ms(FLAGS.stopGrace) +
  ms(60);

/** Every container and every name has been looked at again in this time. */
export const QUIET_MS = ms(FLAGS.resync + 10);
