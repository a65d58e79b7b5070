/** How a service fares at its outlet, for log, page and answer. */
export interface Standing {
  /** good: as wanted; wait: under way, or nothing to do yet; bad: somebody must see to it. */
  readonly mark: "good" | "wait" | "bad";
  readonly text: string;
}

/** Something that was done, or went wrong, for a service or a load balancer. */
export interface Told {
  readonly level: "info" | "warn";
  readonly about: string;
  readonly text: string;
}

export type Tell = (told: Told) => void;
