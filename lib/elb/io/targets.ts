import {
  DeregisterTargetsCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { inTime, REQUEST_LIMIT_MS, readWhole } from "../../aws/io/whole-answers.ts";
import type { TargetsApi } from "../ports.ts";
import type { Target } from "../target-plan.ts";
import { present, refusalOf } from "./failure.ts";

const descriptions = (targets: readonly Target[]) =>
  targets.map(({ id, port }) => ({ Id: id, Port: port }));

/** Credentials and, when set, the endpoint (AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2) come from where the SDK finds them. */
export function targetsApi({
  region,
}: {
  readonly region: string;
}): TargetsApi & { close(): void } {
  const client = new ElasticLoadBalancingV2Client({ region, ...clientDefaults() });
  readWhole(client);
  return {
    async group(arn) {
      try {
        const { TargetGroups } = await inTime(REQUEST_LIMIT_MS, (limit) =>
          client.send(new DescribeTargetGroupsCommand({ TargetGroupArns: [arn] }), limit),
        );
        const [seen] = TargetGroups ?? [];
        if (seen === undefined) {
          return { kind: "refused", code: "TargetGroupNotFound", message: "no such target group" };
        }
        return { kind: "group", group: { arn, targetType: seen.TargetType ?? "instance" } };
      } catch (error) {
        return refusalOf("DescribeTargetGroups", error);
      }
    },
    async targets(arn) {
      try {
        const { TargetHealthDescriptions } = await inTime(REQUEST_LIMIT_MS, (limit) =>
          client.send(new DescribeTargetHealthCommand({ TargetGroupArn: arn }), limit),
        );
        return {
          kind: "targets",
          targets: present(
            "DescribeTargetHealth",
            "TargetHealthDescriptions",
            TargetHealthDescriptions,
          ).flatMap(({ Target: seen, TargetHealth }) =>
            seen?.Id === undefined || seen.Port === undefined
              ? []
              : [
                  {
                    id: seen.Id,
                    port: seen.Port,
                    state: TargetHealth?.State ?? "unknown",
                    reason: TargetHealth?.Description ?? "",
                  },
                ],
          ),
        };
      } catch (error) {
        return refusalOf("DescribeTargetHealth", error);
      }
    },
    async register(arn, targets) {
      try {
        await inTime(REQUEST_LIMIT_MS, (limit) =>
          client.send(
            new RegisterTargetsCommand({ TargetGroupArn: arn, Targets: descriptions(targets) }),
            limit,
          ),
        );
        return { kind: "done" };
      } catch (error) {
        return refusalOf("RegisterTargets", error);
      }
    },
    async deregister(arn, targets) {
      try {
        await inTime(REQUEST_LIMIT_MS, (limit) =>
          client.send(
            new DeregisterTargetsCommand({ TargetGroupArn: arn, Targets: descriptions(targets) }),
            limit,
          ),
        );
        return { kind: "done" };
      } catch (error) {
        return refusalOf("DeregisterTargets", error);
      }
    },
    close: () => client.destroy(),
  };
}
