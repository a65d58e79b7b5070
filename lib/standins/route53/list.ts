import { canonicalName } from "./names.ts";
import { invalidInput, type Refused } from "./refusals.ts";
import { nameOrder, positionOf, type ZoneRecord, type ZoneState } from "./zone.ts";

/** [SDK d.ts] */
const maxPage = 300;

/** Where a page starts; all three together point inside a weighted group [SDK d.ts]. */
export interface Cursor {
  readonly name?: string;
  readonly type?: string;
  readonly identifier?: string;
}

export interface Page {
  readonly records: readonly ZoneRecord[];
  /** The cap that was in force. */
  readonly maxItems: number;
  /** Absent on the last page. */
  readonly next?: Cursor;
}

/** One page of record sets from the cursor on; 300 at most, and when `maxItems` is left out [SDK d.ts]. */
export const listPage = (
  zone: ZoneState,
  start: Cursor,
  maxItems = maxPage,
): { readonly ok: true; readonly page: Page } | Refused => {
  if (!Number.isSafeInteger(maxItems) || maxItems < 1) {
    return invalidInput(`Invalid request: expected MaxItems >= 1, got ${maxItems}`); // wording ours
  }
  if (start.name === undefined && start.type !== undefined) {
    return invalidInput("Invalid request: StartRecordType needs StartRecordName"); // [SDK d.ts]; wording ours
  }
  if (start.type === undefined && start.identifier !== undefined) {
    return invalidInput("Invalid request: StartRecordIdentifier needs StartRecordType"); // by analogy
  }
  let order = "";
  if (start.name !== undefined) {
    const named = canonicalName(start.name);
    if ("problem" in named) return invalidInput(named.problem); // [GH sorah/acmesmith#65]
    order = nameOrder(named.name);
    if (start.type !== undefined) order += `\0${start.type}\0${start.identifier ?? ""}`;
  }
  const cap = Math.min(maxItems, maxPage);
  const from = positionOf(zone.entries, order);
  const after = zone.entries[from + cap]?.record;
  return {
    ok: true,
    page: {
      records: zone.entries.slice(from, from + cap).map(({ record }) => record),
      maxItems: cap,
      ...(after === undefined
        ? {}
        : {
            next: {
              name: after.name,
              type: after.type,
              ...(after.setIdentifier === undefined ? {} : { identifier: after.setIdentifier }),
            },
          }),
    },
  };
};
