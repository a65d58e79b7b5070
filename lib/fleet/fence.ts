import { fitsDns } from "../route53/service-name.ts";

/**
 * What stands between two writers of one zone: a TXT record that names the one whose turn it is. Every batch deletes the
 * value that its writer has written last and creates the next one, and Route 53 takes a batch whole or not at all: so the
 * batch of a writer whose turn is over changes nothing.
 */
export interface Fence {
  readonly writer: string;
  /** Grows with each batch, and goes on from one writer to the next. */
  readonly count: number;
  /**
   * No set that was sent to the queue later than this, in SQS's Unix ms, has ever landed: what was sent later is newer
   * than what the zone holds.
   */
  readonly horizonMs: number;
  /** When it was written, in Unix ms by the writer's clock. */
  readonly atMs: number;
}

/** From one value to the next; `before` is undefined for the first ever. */
export interface FenceMove {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string;
  readonly ttlSeconds: number;
}

/** No label of a container can name it: service names hold no underscore. */
export const fenceName = (zoneName: string): string => {
  const name = `_writer.${zoneName}`;
  if (!fitsDns(name)) throw new RangeError(`the zone ${zoneName} has no room for ${name}`);
  return name;
};

const FORMAT = "ecs-discovery-writer-1";
const FENCE_TTL_SECONDS = 5;

/** As a TXT record's text, without the quotation marks. */
const formatFence = ({ writer, count, horizonMs, atMs }: Fence): string =>
  `${FORMAT} ${writer} ${count} ${horizonMs} ${atMs}`;

/** The step from one fence to the next. */
export const moveOf = (name: string, before: Fence | undefined, after: Fence): FenceMove => ({
  name,
  before: before === undefined ? undefined : formatFence(before),
  after: formatFence(after),
  ttlSeconds: FENCE_TTL_SECONDS,
});

const FENCE = new RegExp(`^${FORMAT} ([0-9a-f]{8,32}) (\\d{1,15}) (\\d{1,15}) (\\d{1,15})$`);

/** The exact inverse; undefined for any other text. Quotation marks around it, as Route 53 lists it, do not count. */
export function parseFence(text: string): Fence | undefined {
  const [, writer, count, horizonMs, atMs] = FENCE.exec(text.replace(/^"(.*)"$/, "$1")) ?? [];
  if (writer === undefined) return undefined;
  return { writer, count: Number(count), horizonMs: Number(horizonMs), atMs: Number(atMs) };
}

/** True for a refusal that is about the fence and nothing else of the batch. */
export const isFenceRefusal = (message: string, name: string): boolean =>
  new RegExp(`(?<![\\w.-])${name.replaceAll(".", "\\.")}\\.`).test(message);

/** What of a request the fence's move takes, at most; see `BatchLimits`. */
export const FENCE_COST = { records: 2, characters: 240 } as const;
