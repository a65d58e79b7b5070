import { ListHostedZonesByNameCommand, Route53Client } from "@aws-sdk/client-route-53";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { awsFailure } from "../../aws/io/failure.ts";
import { inTime, REQUEST_LIMIT_MS, readWhole } from "../../aws/io/whole-answers.ts";
import { Fatal } from "../../kit/failure.ts";
import { zoneOfName } from "../zone-name.ts";

/**
 * The id of the account's hosted zone of this name, which is in lower case and without a trailing dot. Throws
 * `Unavailable` when trying again may help, and `Fatal` when only an operator can, as where several have the name.
 */
export async function idOfZone(
  name: string,
  { region }: { readonly region: string },
): Promise<string> {
  const client = new Route53Client({ region, ...clientDefaults() });
  readWhole(client);
  try {
    // The list begins with the zones of this name (API reference): one page of 100 holds more of them than can be told apart.
    const command = new ListHostedZonesByNameCommand({ DNSName: name });
    const { HostedZones: zones = [] } = await inTime(REQUEST_LIMIT_MS, (limit) =>
      client.send(command, limit),
    );
    const found = zoneOfName(
      name,
      zones.map(({ Id = "", Name = "", Config }) => ({
        id: Id.replace(/^\/hostedzone\//, ""),
        name: Name.toLowerCase().replace(/\.$/, ""),
        isPrivate: Config?.PrivateZone === true,
      })),
    );
    if ("problem" in found) throw new Fatal(found.problem);
    return found.id;
  } catch (error) {
    if (error instanceof Fatal) throw error;
    throw awsFailure("Route 53", "ListHostedZonesByName", error, {
      permission: "route53:ListHostedZonesByName",
    });
  } finally {
    client.destroy();
  }
}
