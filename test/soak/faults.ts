import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../lib/kit/flow/clock.ts";
import type { Route53StandIn } from "../../lib/standins/route53/server.ts";
import type { AgentProcess } from "../support/agent-process.ts";
import type { Host } from "./host.ts";

/** Those that an agent survives befall both hosts; those that end it, only the one whose agent is not measured. */
export interface Fault {
  readonly name: string;
  readonly act: (random: Random) => Promise<void> | void;
}

export function faults({
  route53,
  hosts,
  mortal,
  agent,
}: {
  readonly route53: Route53StandIn;
  readonly hosts: readonly Host[];
  readonly mortal: Host;
  /** The agent that runs on the mortal host now. */
  readonly agent: () => AgentProcess;
}): readonly Fault[] {
  const upTo = (random: Random, most: number) => 1 + Math.floor(random() * most);
  const error = (status: number, code: string, message: string) => ({
    error: { status, code, message },
  });
  const ecsOf = (random: Random) => {
    const chosen = hosts[Math.floor(random() * hosts.length)];
    if (chosen === undefined) throw new Error("expected a host");
    return chosen.ecs;
  };
  return [
    {
      name: "throttled",
      act: (random) =>
        route53.fail({
          kind: error(400, "Throttling", "Rate exceeded"),
          times: upTo(random, 3),
        }),
    },
    {
      name: "busy zone",
      act: () =>
        route53.fail({
          operation: "ChangeResourceRecordSets",
          kind: error(400, "PriorRequestNotComplete", "The request was rejected"),
        }),
    },
    {
      name: "Route 53 down",
      act: (random) =>
        route53.fail({
          kind: error(503, "ServiceUnavailable", "unavailable"),
          times: upTo(random, 8),
        }),
    },
    {
      name: "reset before",
      act: (random) => route53.fail({ kind: "reset-before", times: upTo(random, 8) }),
    },
    {
      name: "reset after",
      act: (random) => route53.fail({ kind: "reset-after", times: upTo(random, 2) }),
    },
    { name: "unanswered", act: () => route53.fail({ kind: "hang" }) },
    { name: "unanswered, done", act: () => route53.fail({ kind: "hang-after" }) },
    {
      name: "ECS agent restarted",
      async act(random) {
        const ecs = ecsOf(random);
        await ecs.close();
        await pause(random() * 5_000);
        await ecs.reopen();
      },
    },
    {
      name: "ECS agent fails",
      act: (random) =>
        ecsOf(random).fail({ kind: { status: 500, body: "" }, times: upTo(random, 5) }),
    },
    {
      name: "ECS agent answers garbage",
      act: (random) =>
        ecsOf(random).fail({ kind: { status: 200, body: "<html>" }, times: upTo(random, 5) }),
    },
    { name: "agent killed", act: () => agent().kill("SIGKILL") },
    { name: "agent stopped", act: () => agent().kill("SIGTERM") },
    { name: "stream reset", act: () => mortal.proxy.cut("reset") },
    { name: "stream ended", act: () => mortal.proxy.cut("end") },
  ];
}
