/** What a stand-in is told to do wrong. */
export interface Fault<Kind> {
  /** Tried on the path and query; default: every request. */
  readonly path?: RegExp;
  /** Default: until faults are cleared. */
  readonly times?: number;
  readonly kind: Kind;
}

/** The faults of one stand-in: of those that fit a request, the first that is left is used up. */
export function faultList<Kind>() {
  let faults: { readonly fault: Fault<Kind>; left: number }[] = [];
  return {
    add: (fault: Fault<Kind>): void =>
      void faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }),
    clear: (): void => {
      faults = [];
    },
    /** What goes wrong with a request for this path and query. */
    next(target: string): Kind | undefined {
      const found = faults.find(
        ({ fault: { path }, left }) => left > 0 && (path === undefined || target.search(path) >= 0),
      );
      if (found !== undefined) found.left -= 1;
      return found?.fault.kind;
    },
  };
}
