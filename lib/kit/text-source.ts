/** A text that somebody else may change, read again and again. */
export interface TextSource {
  /**
   * The text as it is now. `unchanged` when it is the one that the last reading gave. `problem` is one sentence that says
   * what to do. Throws `Unavailable` when trying again may help.
   */
  read(): Promise<TextRead>;
  close(): void;
}

export type TextRead =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "unchanged" }
  | { readonly kind: "problem"; readonly problem: string };

/** Far more than thousands of services take. */
export const MOST_TEXT_BYTES = 4 * 1_048_576;
