import { ListHostedZonesCommand, Route53Client } from "@aws-sdk/client-route-53";
import { clientDefaults, errorFacts, TRANSIENT } from "../../aws/io/client-defaults.ts";
import { causes, Fatal, Unavailable } from "../../kit/failure.ts";

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
  const zones: ZoneFacts[] = [];
  try {
    let marker: string | undefined;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const answer = await client.send(
        new ListHostedZonesCommand({ ...(marker !== undefined && { Marker: marker }) }),
      );
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
    const { name, status } = errorFacts(error);
    if (status === undefined || status >= 500 || TRANSIENT.includes(name)) {
      throw new Unavailable("Route 53", "did not take ListHostedZones", {
        cause: `${name}: ${causes(error)}`,
        mayHaveLanded: false,
      });
    }
    throw new Fatal(
      name.startsWith("AccessDenied")
        ? "Route 53 denied ListHostedZones: allow route53:ListHostedZones in the role of this process"
        : "Route 53 refused ListHostedZones",
      { cause: error },
    );
  } finally {
    client.destroy();
  }
}
