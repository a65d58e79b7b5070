import type { Clock } from "../../lib/kit/flow/clock.ts";

/** So many pages are read at once; longer lists leave the account's requests to the agents that share them. */
const AT_ONCE = 4;
const GAP_MS = 500;

/** All pages of a list, from its beginning to its end; each is retried. With `pace`, a long list takes its time. */
export async function everyPage<Cursor, Page extends { readonly next?: Cursor }>(
  read: (cursor: Cursor | undefined) => Promise<Page>,
  retry: (act: () => Promise<Page>) => Promise<Page>,
  pace?: { readonly clock: Clock; readonly stop: AbortSignal },
): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let cursor: Cursor | undefined;
  do {
    const from = cursor;
    if (pages.length >= AT_ONCE) await pace?.clock.sleep(GAP_MS, pace.stop);
    const page = await retry(() => read(from));
    pages.push(page);
    cursor = page.next;
  } while (cursor !== undefined);
  return pages;
}
