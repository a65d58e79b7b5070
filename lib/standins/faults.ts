/** What a stand-in is told to do wrong with the requests for a path. */
export interface Fault<Kind> {
  /** Tried on the path and query; default: every request. */
  readonly path?: RegExp;
  /** Default: until faults are cleared. */
  readonly times?: number;
  readonly kind: Kind;
}

/** Tells the faults that fit a request for this path and query. */
export const fitsPath =
  (target: string) =>
  ({ path }: Pick<Fault<unknown>, "path">): boolean =>
    path === undefined || target.search(path) >= 0;

/**
 * The faults of one stand-in, in the order in which they were added. A fault that names no `times` happens `times` times:
 * for ever unless the stand-in says otherwise. One that has happened as often as it was to is forgotten.
 */
export function faultList<One extends { readonly times?: number }>({
  times = Number.POSITIVE_INFINITY,
}: {
  readonly times?: number;
} = {}) {
  const faults = new Set<{ readonly fault: One; left: number }>();
  return {
    add: (fault: One): void => void faults.add({ fault, left: fault.times ?? times }),
    clear: (): void => faults.clear(),
    /** The first fault that fits a request, used once; undefined where the request goes well. */
    next(fits: (fault: One) => boolean): One | undefined {
      for (const one of faults) {
        if (!fits(one.fault)) continue;
        one.left -= 1;
        if (one.left <= 0) faults.delete(one);
        return one.fault;
      }
      return undefined;
    },
  };
}
