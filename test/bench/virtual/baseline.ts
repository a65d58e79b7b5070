import PQueue from "p-queue";
import { Unavailable } from "../../../lib/kit/failure.ts";
import type { Clock, Random } from "../../../lib/kit/flow/clock.ts";
import type { OwnedZone } from "../../../lib/route53/io/zone.ts";
import type { Keeper } from "./agent.ts";

/**
 * The baseline's way of writing (see ../baseline.ts), for virtual time: five workers, a request for each event, a list
 * before each removal. Its retries are those of the SDK: three attempts, 500 ms doubled, with full jitter; then it begins
 * again. It is spared the SDK's retry quota.
 */
export function virtualBaseline({
  clock,
  random,
  zone,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly zone: Pick<OwnedZone, "submit" | "group">;
}): Keeper {
  const workers = new PQueue({ concurrency: 5 });

  const retry = async <T>(send: () => Promise<T>): Promise<T> => {
    for (let attempt = 0; ; attempt = (attempt + 1) % 3) {
      try {
        return await send();
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        if (attempt < 2) await clock.sleep(random() * 500 * 2 ** attempt);
      }
    }
  };

  return {
    start: (record) =>
      void workers.add(() => retry(() => zone.submit([{ action: "UPSERT", record }]))),
    stop: (record) =>
      void workers.add(async () => {
        await retry(() => zone.group(record.name));
        await retry(() => zone.submit([{ action: "DELETE", record }]));
      }),
  };
}
