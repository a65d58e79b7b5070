import { ListHostedZonesCommand, Route53Client } from "@aws-sdk/client-route-53";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { awsFailure } from "../../aws/io/failure.ts";
import { inTime, REQUEST_LIMIT_MS, readWhole } from "../../aws/io/whole-answers.ts";

export interface ZoneFacts {
  readonly id: string;
  /** Lower case, without the trailing dot. */
  readonly name: string;
  readonly isPrivate: boolean;
  /** How many record sets it holds. */
  readonly size: number;
}

/** An account holds 500 zones unless it was given more; so many pages of 100 are a list without end. */
const MOST_PAGES = 1_000;

/**
 * Every hosted zone of the account, all pages of the list. Throws `Unavailable` when trying again may help, and `Fatal`
 * when only an operator can.
 */
export async function hostedZones({
  region,
}: {
  readonly region: string;
}): Promise<readonly ZoneFacts[]> {
  const client = new Route53Client({ region, ...clientDefaults() });
  readWhole(client);
  const zones: ZoneFacts[] = [];
  try {
    let marker: string | undefined;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const command = new ListHostedZonesCommand({
        ...(marker !== undefined && { Marker: marker }),
      });
      const answer = await inTime(REQUEST_LIMIT_MS, (limit) => client.send(command, limit));
      for (const { Id = "", Name = "", Config, ResourceRecordSetCount = 0 } of answer.HostedZones ??
        []) {
        zones.push({
          id: Id.replace(/^\/hostedzone\//, ""),
          name: Name.toLowerCase().replace(/\.$/, ""),
          isPrivate: Config?.PrivateZone === true,
          size: ResourceRecordSetCount,
        });
      }
      marker = answer.NextMarker;
      if (answer.IsTruncated !== true || marker === undefined) return zones;
    }
    throw new Error("a list without end");
  } catch (error) {
    throw awsFailure("Route 53", "ListHostedZones", error, {
      permission: "route53:ListHostedZones",
    });
  } finally {
    client.destroy();
  }
}
