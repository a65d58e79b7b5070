/** All pages of a list, from its beginning to its end; each is insisted on. */
export async function everyPage<Cursor, Page extends { readonly next?: Cursor }>(
  read: (cursor: Cursor | undefined) => Promise<Page>,
  insist: (act: () => Promise<Page>) => Promise<Page>,
): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let cursor: Cursor | undefined;
  do {
    const from = cursor;
    const page = await insist(() => read(from));
    pages.push(page);
    cursor = page.next;
  } while (cursor !== undefined);
  return pages;
}
