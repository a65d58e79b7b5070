import { isIPv6 } from "node:net";

/** One place where a service answers: a task's address and port. */
export interface Backend {
  /** Who answers there, for people: a task's id. */
  readonly id: string;
  /** An IP address in text form. */
  readonly address: string;
  readonly port: number;
  /** Its share of the new connections beside the others' weights; a whole number, at least 1. */
  readonly weight: number;
}

/** `10.0.1.5:32768`, `[2001:db8::1]:80`. */
export const endpointOf = ({ address, port }: Pick<Backend, "address" | "port">): string =>
  isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;

/**
 * Tells two backends apart. The task belongs to it: a host gives a port that a task has left to the next one, which must
 * not inherit the first one's counters and failures.
 */
export const backendKey = (backend: Backend): string => `${backend.id} ${endpointOf(backend)}`;
