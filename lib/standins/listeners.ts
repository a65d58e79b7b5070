/** Whoever wants to hear of something. */
export interface Listeners<Heard extends readonly unknown[]> {
  /** Returns the way to stop listening. */
  add(listener: (...heard: Heard) => void): () => void;
  tell(...heard: Heard): void;
}

/** Each `add` counts by itself, the same function twice too. A listener may leave while it is told. */
export function listeners<Heard extends readonly unknown[]>(): Listeners<Heard> {
  const all = new Set<(...heard: Heard) => void>();
  return {
    add(listener) {
      const own = (...heard: Heard): void => listener(...heard);
      all.add(own);
      return () => void all.delete(own);
    },
    tell(...heard) {
      for (const listener of [...all]) listener(...heard);
    },
  };
}
