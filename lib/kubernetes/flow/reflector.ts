import { backoffMs } from "../../kit/backoff.ts";
import { causes } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { isExpired, KubeError, type Query } from "../api.ts";
import { isNotOlder, type KubeObject, keyOf, pathOf, type Resource, typed } from "../object.ts";
import type { KubeApi } from "./api.ts";

/** Objects on a page of a list (client-go asks for as many). */
const PAGE = 500;
/** The server ends a watch after this; a watch that ended is taken up where it was. */
const WATCH_SECONDS = 600;
/** Bookmarks come about each minute. A connection that says nothing for longer may be half dead. */
export const IDLE_MS = 150_000;
const BACKOFF = { baseMs: 200, capMs: 10_000 };

export interface Reflected {
  get(key: string): KubeObject | undefined;
  all(): Iterable<KubeObject>;
  /** What a write of ours has answered: newer than what the watch has told yet. */
  put(object: KubeObject): void;
  readonly size: number;
  /** True from the first whole list on. */
  readonly isListed: boolean;
  /** Runs until the signal aborts; never rejects. */
  run(stop: AbortSignal): Promise<void>;
}

export interface ReflectorOptions {
  readonly api: KubeApi;
  readonly resource: Resource;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Something about this object changed, its end included. */
  readonly onChange: (object: KubeObject) => void;
  readonly onListed: () => void;
  /** The list or watch failed, and is tried again. */
  readonly onProblem: (problem: string) => void;
}

/**
 * Keeps a copy of all objects of a resource: lists them, then watches from where the list was taken, with bookmarks, and
 * takes up a watch that ended. Where the server has forgotten the place (410) it lists again; what the new list lacks is
 * gone.
 */
export function reflector(options: ReflectorOptions): Reflected {
  const { api, resource, namespace, labelSelector, clock, random } = options;
  const objects = new Map<string, KubeObject>();
  const path = pathOf(resource, namespace);
  const selector: Query = labelSelector === undefined ? {} : { labelSelector };
  let isListed = false;

  const put = (object: KubeObject): boolean => {
    const known = objects.get(keyOf(object));
    if (known !== undefined && !isNotOlder(object, known)) return false;
    objects.set(keyOf(object), object);
    return true;
  };

  async function list(): Promise<string> {
    const seen = new Set<string>();
    let next: string | undefined;
    let version = "";
    do {
      const query = { ...selector, limit: String(PAGE), ...(next && { continue: next }) };
      const page = (await api.call({ method: "GET", path, query })) as Page;
      for (const item of page.items ?? []) {
        const object = typed(item, resource);
        seen.add(keyOf(object));
        if (put(object)) options.onChange(object);
      }
      version = page.metadata.resourceVersion;
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
    for (const [key, object] of objects) {
      if (seen.has(key)) continue;
      objects.delete(key);
      options.onChange(object);
    }
    isListed = true;
    options.onListed();
    return version;
  }

  /** Watches until the stream ends; gives the version up to which everything is known. Throws when it must be listed anew. */
  async function watch(from: string, stop: AbortSignal): Promise<string> {
    let version = from;
    const idle = new AbortController();
    let timer = new AbortController();
    const startTimer = () => {
      timer.abort();
      timer = new AbortController();
      const { signal } = timer;
      clock.sleep(IDLE_MS, signal).then(
        () => idle.abort(),
        () => {},
      );
    };
    const query = {
      ...selector,
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: from,
      timeoutSeconds: String(WATCH_SECONDS),
    };
    startTimer();
    try {
      for await (const line of api.watch(path, query, AbortSignal.any([stop, idle.signal]))) {
        startTimer();
        version = take(JSON.parse(line) as WatchEvent) ?? version;
      }
    } catch (error) {
      if (!idle.signal.aborted || stop.aborted) throw error;
      options.onProblem(`the watch of ${resource.plural} said nothing for ${IDLE_MS / 1000} s`);
    } finally {
      timer.abort();
    }
    return version;
  }

  function take({ type, object }: WatchEvent): string | undefined {
    if (type === "ERROR") {
      const { code = 500, reason = "", message = "" } = object as unknown as WatchError;
      throw new KubeError(`a watch of ${resource.plural}`, code, reason, message);
    }
    const { resourceVersion } = object.metadata;
    if (type === "BOOKMARK") return resourceVersion;
    const known = typed(object, resource);
    if (type === "DELETED") {
      const there = objects.get(keyOf(known));
      if (there !== undefined && there.metadata.uid === known.metadata.uid) {
        objects.delete(keyOf(known));
      }
      options.onChange(known);
    } else if (put(known)) options.onChange(known);
    return resourceVersion;
  }

  return {
    get: (key) => objects.get(key),
    all: () => objects.values(),
    put: (object) => void put(object),
    get size() {
      return objects.size;
    },
    get isListed() {
      return isListed;
    },
    async run(stop) {
      let version: string | undefined;
      let misses = 0;
      while (!stop.aborted) {
        try {
          version ??= await list();
          version = await watch(version, stop);
          misses = 0;
        } catch (error) {
          if (stop.aborted) return;
          if (isExpired(error) || error instanceof SyntaxError) version = undefined;
          if (!isExpired(error)) options.onProblem(causes(error));
          misses += 1;
          await clock.sleep(backoffMs(misses, BACKOFF, random()), stop).catch(() => {});
        }
      }
    },
  };
}

interface Page {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items?: readonly KubeObject[];
}

interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject;
}

interface WatchError {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}
