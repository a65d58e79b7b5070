import type { Clock } from "../../lib/flow/clock.ts";
import type { JournalStore } from "../../lib/flow/journal.ts";
import type { Faults } from "./faults.ts";

/** The disk of one host, as far as the journal is on it. */
export interface Disk {
  store(name: string): JournalStore;
  /** Something else writes into every file, or they are lost. */
  spoil(text: string | undefined): void;
  /** The power goes: the files are as they were some writes ago. */
  forget(writes: number): void;
}

export function disk({
  host,
  clock,
  faults,
}: {
  readonly host: number;
  readonly clock: Clock;
  readonly faults: Faults;
}): Disk {
  /** Each file's texts, the newest last. */
  const files = new Map<string, readonly (string | undefined)[]>();
  /**
   * Files that a write and a removal could not replace. A disk that becomes writable again just while the agent is dead
   * would let the next start believe one: such a disk stays read-only until a start has met that.
   */
  const stale = new Map<string, "unread" | "read">();
  const put = (name: string, text: string | undefined): void =>
    void files.set(name, [...(files.get(name) ?? []), text].slice(-8));

  return {
    store: (name) => ({
      async read() {
        await clock.sleep(1);
        if (stale.has(name)) stale.set(name, "read");
        return files.get(name)?.at(-1);
      },
      async write(text) {
        const fault = faults.befall(["journal: disk full", "journal: read-only"], host);
        await clock.sleep(1);
        const wasStale = stale.get(name);
        stale.delete(name);
        if (wasStale === "read") throw new Error("EROFS: read-only file system");
        if (fault === "journal: disk full") throw new Error("ENOSPC: no space left on device");
        if (fault === "journal: read-only") throw new Error("EROFS: read-only file system");
        put(name, text);
      },
      async remove() {
        const fault = faults.befall(["journal: read-only"], host);
        await clock.sleep(1);
        if (fault !== undefined) {
          stale.set(name, "unread");
          throw new Error("EROFS: read-only file system");
        }
        put(name, undefined);
      },
    }),
    spoil(text) {
      for (const name of files.keys()) put(name, text);
    },
    forget(writes) {
      for (const [name, texts] of files) files.set(name, texts.slice(0, -writes));
    },
  };
}
