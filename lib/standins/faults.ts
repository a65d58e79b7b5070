/** What a stand-in is told to do wrong with the requests for a path. */
export interface Fault<Kind> {
  /** Tried on the path and query; default: every request. */
  readonly path?: RegExp;
  /** Default: until faults are cleared. */
  readonly times?: number;
  readonly kind: Kind;
}

/** True for the faults of a request for this path and query. */
export const fitsPath =
  (target: string) =>
  ({ path }: Pick<Fault<unknown>, "path">): boolean =>
    path === undefined || target.search(path) >= 0;

/** The faults of one stand-in: of those that fit a request, the first that is left is used up. */
export function faultList<One extends { readonly times?: number }>() {
  let faults: { readonly fault: One; left: number }[] = [];
  return {
    add: (fault: One): void =>
      void faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }),
    clear: (): void => {
      faults = [];
    },
    /** What goes wrong with a request that such faults fit. */
    next(fits: (fault: One) => boolean): One | undefined {
      const found = faults.find(({ fault, left }) => left > 0 && fits(fault));
      if (found !== undefined) found.left -= 1;
      return found?.fault;
    },
  };
}

/** How many requests a stand-in remembers at the least: a demo runs for weeks. */
export const MOST_REQUESTS = 50_000;
