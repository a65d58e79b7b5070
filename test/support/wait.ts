/** Far beyond what anything in these tests takes: a wait that reaches it fails, and says what there was instead. */
const WAIT_LIMIT_MS = 90_000;

export interface Changes {
  /** Something changed: everybody who waits looks again. */
  tell(): void;
  /**
   * What `look` finds, as soon as it finds something; it looks now and after each change.
   * Rejects after the limit, with what `seen` says at that moment.
   */
  until<T>(look: () => T | undefined | false, seen: () => string): Promise<T>;
}

/** Waiting as a noun: for a condition, never for a time. */
export function changes(): Changes {
  const listeners = new Set<() => void>();
  return {
    tell() {
      for (const listener of [...listeners]) listener();
    },
    async until<T>(look: () => T | undefined | false, seen: () => string): Promise<T> {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const listener = () => {
        try {
          const found = look();
          if (found !== undefined && found !== false) resolve(found);
        } catch (error) {
          reject(error);
        }
      };
      const timer = setTimeout(
        () => reject(new Error(`waited for ${WAIT_LIMIT_MS / 1000} s, in vain; seen:\n${seen()}`)),
        WAIT_LIMIT_MS,
      );
      listeners.add(listener);
      try {
        listener();
        return await promise;
      } finally {
        listeners.delete(listener);
        clearTimeout(timer);
      }
    },
  };
}
