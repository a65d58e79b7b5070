import { Fatal } from "../../kit/failure.ts";
import { type Group, observed } from "../group.ts";
import { accepted, type Change, type Published, uncertain } from "../plan.ts";
import type { RecordKey } from "../record-set.ts";
import type { WriterPorts } from "./writer-ports.ts";

/** What is published, as far as it is known, here and in the journal. */
export interface Ledger {
  table(): ReadonlyMap<RecordKey, Published>;
  accepted(changes: readonly Change[]): void;
  uncertain(changes: readonly Change[]): void;
  /** What a read shows of one name. */
  observed(group: Pick<Group, "name" | "own">): void;
  /** Remembers the table, unless that is done already. */
  remember(): Promise<void>;
  /**
   * Remembers that these changes are in doubt: should the process be killed before the answer, its next start knows.
   * Rejects with `Fatal` when another agent of this host has taken over: then they must not be sent.
   */
  rememberDoubt(changes: readonly Change[]): Promise<void>;
}

export function ledger({
  published,
  zone,
  hosts,
  isKnownWhole,
}: {
  readonly published: ReadonlyMap<RecordKey, Published>;
  readonly zone: Pick<WriterPorts<never>, "remember" | "isReplaced">;
  readonly hosts: () => number;
  /** Not before that anything is remembered: a journal says to the next start that there is nothing to look for. */
  readonly isKnownWhole: () => boolean;
}): Ledger {
  let table = published;
  let remembered = table;
  const remember = async (what: ReadonlyMap<RecordKey, Published>): Promise<void> => {
    if (!isKnownWhole()) return;
    remembered = what;
    await zone.remember(what, hosts());
  };
  return {
    table: () => table,
    accepted(changes) {
      table = accepted(table, changes);
    },
    uncertain(changes) {
      table = uncertain(table, changes);
    },
    observed(group) {
      table = observed(table, group);
    },
    async remember() {
      if (table !== remembered) await remember(table);
    },
    async rememberDoubt(changes) {
      await remember(uncertain(table, changes));
      if (zone.isReplaced?.() !== true) return;
      throw new Fatal(
        "another agent of this host has taken over its records, so this one ends: run one agent a host",
        { mayHaveLanded: false },
      );
    },
  };
}
