import { backoffMs } from "../../kit/backoff.ts";
import { causes } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { isExpired, type Query } from "../api.ts";
import { type KubeObject, keyOf, pathOf, type Resource, typed } from "../object.ts";
import type { KubeApi } from "./api.ts";
import { type Store, store, type WatchEvent } from "./store.ts";

/** Objects on a page of a list (client-go asks for as many). */
const PAGE = 500;
/** The server ends a watch after this; a watch that ended is taken up where it was. */
const WATCH_SECONDS = 600;
/** Bookmarks come about each minute. A connection that says nothing for longer may be half dead. */
export const IDLE_MS = 150_000;
/** A watch that ends sooner, and has told nothing, is one that the server does not want. */
const SHORT_MS = 1_000;
const BACKOFF = { baseMs: 200, capMs: 10_000 };

export interface Reflected {
  get(key: string): KubeObject | undefined;
  all(): Iterable<KubeObject>;
  /** Those that the object with this uid controls. */
  controlledBy(uid: string): readonly KubeObject[];
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
  const { resource, clock, random, onProblem } = options;
  const copy = store(resource);
  let isListed = false;

  return {
    get: (key) => copy.objects.get(key),
    all: () => copy.objects.values(),
    controlledBy: copy.controlledBy,
    put: (object) => void copy.put(object),
    get size() {
      return copy.objects.size;
    },
    get isListed() {
      return isListed;
    },
    async run(stop) {
      const place: Place = {};
      let misses = 0;
      while (!stop.aborted) {
        const [before, beganMs] = [place.version, clock.now()];
        let isBroken = false;
        try {
          if (place.version === undefined) {
            place.version = await list(options, copy);
            isListed = true;
            options.onListed();
          }
          await watch(options, copy, place, stop);
        } catch (error) {
          if (stop.aborted) return;
          isBroken = true;
          if (!isExpired(error)) onProblem(causes(error));
          // A line that is no JSON says nothing of how far it went.
          if (isExpired(error) || error instanceof SyntaxError) place.version = undefined;
        }
        const hasTold = place.version !== undefined && place.version !== before;
        const isOfUse = hasTold || clock.now() - beganMs >= SHORT_MS;
        if (isOfUse) misses = 0;
        if (isOfUse && !isBroken) continue;
        misses += 1;
        await clock.sleep(backoffMs(misses, BACKOFF, random()), stop).catch(() => {});
      }
    },
  };
}

/** How far the copy is known to be whole. */
interface Place {
  version?: string | undefined;
}

const selectorOf = ({ labelSelector }: ReflectorOptions): Query =>
  labelSelector === undefined ? {} : { labelSelector };

interface Page {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items?: readonly KubeObject[];
}

/** Lists everything, page by page; gives the version from which to watch. */
async function list(options: ReflectorOptions, copy: Store): Promise<string> {
  const { api, resource, namespace, onChange } = options;
  const path = pathOf(resource, namespace);
  const seen = new Set<string>();
  let next: string | undefined;
  let version = "";
  do {
    const query = { ...selectorOf(options), limit: String(PAGE), ...(next && { continue: next }) };
    const page = (await api.call({ method: "GET", path, query })) as Page;
    for (const item of page.items ?? []) {
      const object = typed(item, resource);
      seen.add(keyOf(object));
      if (copy.put(object)) onChange(object);
    }
    version = page.metadata.resourceVersion;
    next = page.metadata.continue || undefined;
  } while (next !== undefined);
  for (const object of copy.keep(seen)) onChange(object);
  return version;
}

/** Watches until the stream ends, or says nothing for too long, and moves the place on. Throws where it failed. */
async function watch(
  options: ReflectorOptions,
  copy: Store,
  place: Place,
  stop: AbortSignal,
): Promise<void> {
  const { api, resource, namespace, clock, onChange, onProblem } = options;
  const idle = new AbortController();
  let timer = new AbortController();
  const startTimer = () => {
    timer.abort();
    timer = new AbortController();
    clock.sleep(IDLE_MS, timer.signal).then(
      () => idle.abort(),
      () => {},
    );
  };
  const query = {
    ...selectorOf(options),
    watch: "1",
    allowWatchBookmarks: "true",
    resourceVersion: place.version ?? "",
    timeoutSeconds: String(WATCH_SECONDS),
  };
  const path = pathOf(resource, namespace);
  startTimer();
  try {
    for await (const line of api.watch(path, query, AbortSignal.any([stop, idle.signal]))) {
      startTimer();
      place.version = copy.take(JSON.parse(line) as WatchEvent, onChange);
    }
  } catch (error) {
    if (!idle.signal.aborted || stop.aborted) throw error;
    onProblem(`the watch of ${resource.plural} said nothing for ${IDLE_MS / 1000} s`);
  } finally {
    timer.abort();
  }
}
