/**
 * Of the names the one that is most like what was written, capitals and hyphens aside; undefined when none is near: more
 * than a third of its letters would have to be changed, left out or added.
 */
export function nearest(written: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.replace(/[-_]/g, "").toLowerCase();
  // A hostile word must not cost more than a name can be like.
  const word = plain(written).slice(0, 64);
  const rated = names.map((name) => ({ name, edits: distance(word, plain(name)) }));
  const [best] = rated.toSorted((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= Math.floor(plain(best.name).length / 3)
    ? best.name
    : undefined;
}

/** How many letters must be changed, left out or added to make one of the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let above = 0; above < a.length; above += 1) {
    const next = [above + 1];
    for (let at = 0; at < b.length; at += 1) {
      const replaced = (row[at] ?? 0) + (a[above] === b[at] ? 0 : 1);
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
