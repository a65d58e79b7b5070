import { latest } from "../kit/latest.ts";
import { type Listeners, listeners } from "./listeners.ts";

/** How many requests a stand-in remembers at the least: a demo runs for weeks. */
export const MOST_REQUESTS = 50_000;

/** The requests of a stand-in, as a test or a page looks at them. */
export interface RequestLog<Request> {
  /** In order of arrival; the oldest are forgotten. */
  readonly requests: readonly Request[];
  /** How many there ever were. */
  count(): number;
  /** Remembers the request and tells whoever listens. */
  note(request: Request): void;
  /** Puts a request in the place of another, where that is still remembered; tells nobody. */
  replace(before: Request, now: Request): void;
  /** Hears each request that is noted. Returns the way to stop listening. */
  readonly onRequest: Listeners<readonly [Request]>["add"];
}

/** Remembers at least the `most` latest requests, and at most twice as many. */
export function requestLog<Request>(most = MOST_REQUESTS): RequestLog<Request> {
  const kept = latest<Request>(most);
  const hearing = listeners<readonly [Request]>();
  return {
    requests: kept.items,
    count: kept.count,
    note(request) {
      kept.add(request);
      hearing.tell(request);
    },
    replace: kept.replace,
    onRequest: hearing.add,
  };
}
