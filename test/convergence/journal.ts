import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { JournalStore } from "../../lib/route53/flow/journal.ts";
import type { Faults } from "./faults.ts";
import type { Life } from "./zone.ts";

/** No start has met the disk yet. */
const UNMET = Number.POSITIVE_INFINITY;
/** For so long after a start has read an old journal its disk stays as it is. */
const MET_MS = 1_000;

/** The disk of one host, as far as the journal is on it. */
export interface Disk {
  /** The journal as one life of an agent reaches it. */
  store(name: string, life: Life): JournalStore;
  names(): Promise<readonly string[]>;
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
   * Files that could not be replaced, with the moment until which they still can't be. A disk that becomes writable again
   * just while the agent is dead would let the next start believe one: it stays read-only until a start has met that.
   */
  const stale = new Map<string, number>();
  const isStuck = (name: string): boolean => {
    const untilMs = stale.get(name) ?? UNMET;
    return untilMs !== UNMET && untilMs > clock.now();
  };
  /** As one file differs from the next in its place. */
  let file = 0;
  const newest = new Map<string, number>();
  const put = (name: string, text: string | undefined): void => {
    files.set(name, [...(files.get(name) ?? []), text].slice(-8));
    file += 1;
    newest.set(name, file);
  };
  /** Who shows each journal's sign of life. */
  const shown = new Map<string, Life>();
  const storeOf = (name: string, life: Life): JournalStore => {
    let ours: number | undefined;
    return {
      async isOurs() {
        await clock.sleep(1);
        return ours !== undefined && newest.get(name) === ours;
      },
      async read() {
        await clock.sleep(1);
        if (stale.has(name)) stale.set(name, clock.now() + MET_MS);
        return files.get(name)?.at(-1);
      },
      async write(text) {
        const fault = faults.befall(["journal: disk full", "journal: read-only"], host);
        await clock.sleep(1);
        if (isStuck(name)) throw new Error("EROFS: read-only file system");
        if (fault === "journal: disk full") throw new Error("ENOSPC: no space left on device");
        if (fault === "journal: read-only") throw new Error("EROFS: read-only file system");
        stale.delete(name);
        put(name, text);
        ours = newest.get(name);
      },
      async remove() {
        const fault = faults.befall(["journal: read-only"], host);
        await clock.sleep(1);
        if (isStuck(name)) throw new Error("EROFS: read-only file system");
        if (fault !== undefined) {
          stale.set(name, UNMET);
          throw new Error("EROFS: read-only file system");
        }
        stale.delete(name);
        put(name, undefined);
      },
      sign: {
        async show() {
          if (shown.get(name) === life) return;
          await clock.sleep(1);
          if (isStuck(name)) throw new Error("EROFS: read-only file system");
          shown.set(name, life);
        },
        async see() {
          await clock.sleep(1);
          const last = shown.get(name);
          if (last === undefined) return "unknown";
          return last.deadForMs() > 0 ? "dead" : "lives";
        },
        async remove() {
          await clock.sleep(1);
          shown.delete(name);
        },
      },
    };
  };

  return {
    store: storeOf,
    async names() {
      await clock.sleep(1);
      return [...files].flatMap(([name, texts]) => (texts.at(-1) === undefined ? [] : name));
    },
    spoil(text) {
      for (const name of files.keys()) put(name, text);
    },
    forget(writes) {
      for (const [name, texts] of files) {
        files.set(name, texts.slice(0, -writes));
        file += 1;
        newest.set(name, file);
      }
    },
  };
}
