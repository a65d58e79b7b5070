import { causes, Fatal, Unavailable } from "../../lib/kit/failure.ts";
import { byZoneId, type ZoneConfig } from "../host/zone-id.ts";
import type { Answer } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { fail, notChecked } from "./finding.ts";
import { answer } from "./report.ts";

/**
 * Doctor for a zone that was given by its name. Where the name does not lead to a zone, that is the finding, and what
 * would need the zone was not tried.
 */
export const zoneExamined =
  <C extends ZoneConfig & { readonly json: boolean }>(
    run: (config: C, surroundings: Surroundings) => Promise<Answer>,
  ) =>
  async (config: C, surroundings: Surroundings): Promise<Answer> => {
    let isFound = false;
    try {
      return await byZoneId((found: C, around) => {
        isFound = true;
        return run(found, around);
      })(config, surroundings);
    } catch (error) {
      const isTold = error instanceof Fatal || error instanceof Unavailable;
      if (isFound || !isTold || surroundings.stop.signal.aborted) throw error;
      return answer(
        [
          fail(
            "zone",
            causes(error),
            "with the zone's id in --hostedZoneId nothing has to be looked up; a name needs route53:ListHostedZonesByName",
          ),
          notChecked("all else", "zone"),
        ],
        config,
      );
    }
  };
