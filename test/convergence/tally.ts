/** What a run held, each kind once. */
export interface Tally {
  count(kind: string): void;
  readonly kinds: ReadonlySet<string>;
}

export function tally(): Tally {
  const kinds = new Set<string>();
  return { kinds, count: (kind) => void kinds.add(kind) };
}

/** In how many runs each kind of fault was met, as a table for people. */
export function table(runs: number, held: ReadonlyMap<string, number>): string {
  const rows = [...held].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(0, ...rows.map(([kind]) => kind.length));
  return [
    `${runs} runs; so many of them held`,
    ...rows.map(([kind, count]) => `  ${kind.padEnd(width)}  ${String(count).padStart(6)}`),
  ].join("\n");
}
