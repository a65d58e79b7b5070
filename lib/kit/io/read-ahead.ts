/**
 * The items of `source`, read from now on, whether or not somebody takes them already. At most `limit` wait beside those
 * that are being taken; past that all that wait become one `instead`. It ends or throws as the source does, after what
 * was read before. Whoever stops taking closes the source, by `close`.
 */
export function readAhead<T>(
  source: AsyncIterable<T>,
  { limit, instead, close }: { readonly limit: number; readonly instead: T; close(): void },
): AsyncIterable<T> {
  let waiting: T[] = [];
  let ended: { readonly failure?: { readonly cause: unknown } } | undefined;
  let wake = () => {};

  const read = async (): Promise<void> => {
    try {
      for await (const item of source) {
        if (waiting.length === limit) waiting = [instead];
        else waiting.push(item);
        wake();
      }
      ended = {};
    } catch (cause) {
      ended = { failure: { cause } };
    }
    wake();
  };
  void read();

  return {
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          const taken = waiting;
          waiting = [];
          yield* taken;
          if (waiting.length > 0) continue;
          if (ended?.failure !== undefined) throw ended.failure.cause;
          if (ended !== undefined) return;
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          await promise;
        }
      } finally {
        close();
      }
    },
  };
}
