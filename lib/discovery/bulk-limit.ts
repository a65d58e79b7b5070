/** A plan that deletes the records of no more tasks than this is never refused: a host's last one may well be gone. */
export const BULK_DELETES_ALLOWED = 2;
/** Of what the host owns. */
const BULK_SHARE_ALLOWED = 0.5;

export interface BulkDeletes {
  /** Records of this host in the zone. */
  readonly owned: number;
  /** Of those, the ones that the plan deletes without a second witness that their task is gone. */
  readonly unconfirmed: number;
  /** And of how many tasks those are: a task can have several records. */
  readonly tasks: number;
}

/** Why a bulk path must not send these deletes, as one sentence; undefined when it may. */
export function bulkRefusal({ owned, unconfirmed, tasks }: BulkDeletes): string | undefined {
  if (tasks <= BULK_DELETES_ALLOWED || unconfirmed <= owned * BULK_SHARE_ALLOWED) {
    return undefined;
  }
  const percent = Math.round((100 * unconfirmed) / owned);
  return (
    `would delete ${unconfirmed} of ${owned} owned records (${percent} %, limit ` +
    `${BULK_SHARE_ALLOWED * 100} %) of tasks that the ECS agent calls running`
  );
}
