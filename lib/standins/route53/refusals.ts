export interface RuleError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export interface Refused {
  readonly ok: false;
  readonly error: RuleError;
}

export const invalidInput = (message: string): Refused => ({
  ok: false,
  error: { status: 400, code: "InvalidInput", message },
});

// All problems of a batch travel in one bracketed, comma-joined message [EXP t1,t4].
export const invalidBatch = (messages: readonly string[]): Refused => ({
  ok: false,
  error: { status: 400, code: "InvalidChangeBatch", message: `[${messages.join(", ")}]` },
});
