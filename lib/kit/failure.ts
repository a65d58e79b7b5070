export type OutsideSystem =
  | "Docker"
  | "the ECS agent"
  | "ECS"
  | "EC2"
  | "DNS"
  | "Route 53"
  | "Elastic Load Balancing"
  | "S3";

/**
 * An outside system did not answer, or asked to be left alone for a while. Trying again may help, within the patience.
 */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
  readonly system: OutsideSystem;
  /** False only when it is known that the request had no effect. */
  readonly mayHaveLanded: boolean;
  /** It did answer, and asked for fewer requests, or, being busy with another one, for this one later. */
  readonly demand: "fewer" | "later" | undefined;

  constructor(
    system: OutsideSystem,
    problem: string,
    options: {
      readonly mayHaveLanded?: boolean;
      readonly demand?: "fewer" | "later";
      readonly cause?: unknown;
    } = {},
  ) {
    super(`${system} ${problem}`, { cause: options.cause });
    this.system = system;
    this.demand = options.demand;
    this.mayHaveLanded = options.mayHaveLanded ?? true;
  }
}

/** What only an operator can mend: no permission, no such zone, a refused plan. Ends the process at once. */
export class Fatal extends Error {
  override readonly name = "Fatal";
  /** False only when it is known that the request had no effect. */
  readonly mayHaveLanded: boolean;

  constructor(
    message: string,
    options: { readonly mayHaveLanded?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.mayHaveLanded = options.mayHaveLanded ?? true;
  }
}

/** True only when it is known that the request which ended in this error changed nothing. */
export const hadNoEffect = (error: unknown): boolean =>
  (error instanceof Unavailable || error instanceof Fatal) && !error.mayHaveLanded;

/** The text of an error and of what caused it, outermost first, each text once. */
export function causes(error: unknown): string {
  const texts: string[] = [];
  for (let at: unknown = error; at !== undefined && texts.length < 8; ) {
    const text = textOf(at);
    if (!texts.some((earlier) => earlier.includes(text))) texts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return texts.join(": ");
}

function textOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return typeof error === "string" ? error : (JSON.stringify(error) ?? typeof error);
}
