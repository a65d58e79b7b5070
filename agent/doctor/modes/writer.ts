import type { InstanceId } from "../../../lib/ecs/arn.ts";
import { ecsControl } from "../../../lib/ecs/io/control.ts";
import { causes } from "../../../lib/kit/failure.ts";
import { hostedZone } from "../../../lib/route53/io/zone.ts";
import { messageQueue } from "../../../lib/sqs/io/queue.ts";
import { queueUrlOf } from "../../../lib/sqs/queue-url.ts";
import type { StatusAddress } from "../../page/status-address.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { askStatus, outcomes } from "../asking.ts";
import { warn } from "../finding.ts";
import { answer } from "../report.ts";
import { askAws, type Call } from "./aws.ts";

interface Config {
  readonly queueUrl: string;
  readonly hostedZoneId: readonly string[];
  readonly senders: "ecs" | "anyone";
  readonly statusAddress: StatusAddress | undefined;
  readonly json: boolean;
}

const ANY_CLUSTER = "default";
const NOBODY = "0".repeat(32) as InstanceId;

/** The queue with its dead-letter queue, the zones, and ECS, who knows the senders. No message is taken or sent. */
export async function writer(config: Config, surroundings: Surroundings): Promise<Answer> {
  const { env } = surroundings;
  const ask = outcomes(surroundings);
  const region = queueUrlOf(config.queueUrl)?.region ?? env["AWS_REGION"];
  const names = calls(config, "").map(({ check }) => check);
  const [aws, status] = await Promise.all([
    askAws(
      {
        ask,
        env: { ...env, ...(region && { AWS_REGION: region }) },
        policy: "deploy/writer/writer.yaml",
      },
      names,
      (found) => calls(config, found),
    ),
    askStatus(ask, config.statusAddress),
  ]);
  return answer([...aws, status], config);
}

const calls = ({ queueUrl, hostedZoneId, senders }: Config, region: string): readonly Call[] => [
  {
    check: "queue",
    permission: "sqs:GetQueueAttributes",
    async asks() {
      const queue = messageQueue({ url: queueUrl, region });
      const facts = await queue.facts().finally(() => queue.close());
      const what = `about ${facts.waiting} messages wait, ${facts.inFlight} are given out`;
      return facts.deadLetterUrl === undefined
        ? warn(
            "queue",
            `${what}; there is no dead-letter queue (sqs:GetQueueAttributes)`,
            "give it a redrive policy, so that a message that can't be read is kept for you (deploy/writer/writer.yaml has one)",
          )
        : what;
    },
  },
  ...hostedZoneId.flatMap((zoneId): readonly Call[] => [
    {
      check: `zone ${zoneId}`,
      permission: "route53:GetHostedZone",
      async asks() {
        const zone = hostedZone({ zoneId, region });
        const { name, size } = await zone.facts().finally(() => zone.close());
        return `${name}, ${size} record sets`;
      },
    },
    {
      check: `read ${zoneId}`,
      permission: "route53:ListResourceRecordSets",
      async asks() {
        const zone = hostedZone({ zoneId, region });
        await zone.list(undefined).finally(() => zone.close());
        return "its record sets can be read";
      },
    },
  ]),
  ...(senders === "anyone"
    ? []
    : [
        {
          check: "senders",
          permission: "ecs:DescribeContainerInstances",
          async asks() {
            const ecs = ecsControl({ region });
            try {
              await ecs.describeInstances(ANY_CLUSTER, [NOBODY]);
            } catch (error) {
              // That there is no such cluster is an answer, too: the question was allowed.
              if (!/no such cluster|ClusterNotFound|not found/i.test(causes(error))) throw error;
            } finally {
              ecs.close();
            }
            return "ECS can be asked about senders";
          },
        },
      ]),
];
