import type { Query } from "../api.ts";

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  /** Of a PATCH: `apply`, or a JSON merge patch. */
  readonly patch?: "apply" | "merge";
}

/** The API server, as the controller needs it. Both throw `KubeError` only. */
export interface KubeApi {
  /** The answer's object. */
  call(call: Call): Promise<unknown>;
  /**
   * The lines of a watch from now on, each a JSON object; ends with the server's or the signal. The idle timer aborts it:
   * a half-dead connection would say nothing for ever.
   */
  watch(path: string, query: Query, signal: AbortSignal): AsyncIterable<string>;
}
