/** What the API server said instead of doing it; status 0 means that it did not answer. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly status: number;
  /** The machine's word for it, such as `Expired`; empty without an answer. */
  readonly reason: string;

  constructor(
    what: string,
    status: number,
    reason: string,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(`Kubernetes did not take ${what}: ${message}`, options);
    this.status = status;
    this.reason = reason;
  }
}

/** True when trying again may help by itself: no answer, too many requests, a failure of the server, a lost race. */
export const mayPass = (error: unknown): boolean =>
  error instanceof KubeError &&
  (error.status === 0 || error.status === 409 || error.status === 429 || error.status >= 500);

export const isStatus = (error: unknown, status: number): boolean =>
  error instanceof KubeError && error.status === status;

/** The list or watch is older than what the server remembers: list again. */
export const isExpired = (error: unknown): boolean =>
  error instanceof KubeError && (error.status === 410 || error.reason === "Expired");

export type Query = Readonly<Record<string, string>>;
