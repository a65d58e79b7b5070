/** Members of a Kubernetes object, as they go into its manifest. */
export type Fields = Readonly<Record<string, unknown>>;

/** A Kubernetes object as it is applied: what is sent, and nothing that is empty. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Fields;
  readonly [member: string]: unknown;
}

/**
 * The members that hold something. The API server drops an empty list, so one that is sent would differ from what is
 * there for ever; an empty object (`emptyDir: {}`) means something and stays.
 */
export const present = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  );

/** The object, or undefined when there is nothing in it. */
export const unlessEmpty = (fields: Fields): Fields | undefined => {
  const kept = present(fields);
  return Object.keys(kept).length === 0 ? undefined : kept;
};
