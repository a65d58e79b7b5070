import type { IncomingMessage } from "node:http";
import * as z from "zod";
import { Fatal, Unavailable } from "../../kit/failure.ts";
import { jsonPicker, type Pick } from "../../kit/json-pick.ts";

/** What may be kept of one answer, or of one event. */
const MOST_KEPT = 16 * 1_048_576;

const MOST_ERROR_BYTES = 65_536;

const MOST_ERROR_CHARACTERS = 1_000;

const Problem = z.object({ message: z.string() });

/** What the engine is asked, what that is called in an error, and what is read of the answer. */
export interface Question {
  readonly what: string;
  readonly path: string;
  readonly pick: Pick;
  readonly mostBytes?: number;
  readonly mostKept?: number;
  readonly filters?: Readonly<Record<string, readonly string[]>>;
}

/** There was an answer, and not what was asked for. */
export class NotOk extends Error {
  override readonly name = "NotOk";
  readonly status: number;
  /** The words are the engine's own, not those of a proxy before it. */
  readonly isOwn: boolean;

  constructor(status: number, { words, isOwn }: Said) {
    super(isOwn ? words : `status ${status}: ${words}`);
    this.status = status;
    this.isOwn = isOwn;
  }
}

interface Said {
  readonly words: string;
  readonly isOwn: boolean;
}

export async function saidIn(answer: IncomingMessage): Promise<Said> {
  const { text } = await textOf(answer, MOST_ERROR_BYTES);
  const problem = Problem.safeParse(jsonOf(text));
  const words = problem.success ? problem.data.message : text.trim();
  return { words: words.slice(0, MOST_ERROR_CHARACTERS), isOwn: problem.success };
}

/** What is picked of the answer; undefined for one that is no JSON. Throws a `RangeError` for one that is too long. */
export async function pickedOf(
  answer: IncomingMessage,
  { pick, mostBytes = Number.POSITIVE_INFINITY, mostKept = MOST_KEPT }: Question,
): Promise<unknown> {
  const picker = jsonPicker(pick, { mostKept });
  let bytes = 0;
  try {
    // Leaving the loop closes the connection.
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBytes) throw new RangeError(`more than ${mostBytes / 1_048_576} MiB`);
      picker.write(chunk);
    }
    return picker.end();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The answer's text, or, where it is longer than that, its beginning. */
async function textOf(
  answer: IncomingMessage,
  mostBytes: number,
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop closes the connection.
    if (bytes > mostBytes) break;
  }
  return { text: Buffer.concat(chunks).toString("utf8"), isWhole: bytes <= mostBytes };
}

/** Undefined for what is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Settles within the limit, whatever becomes of the connection. */
export async function within<T>(
  limitMs: number,
  ask: (late: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`no whole answer within ${limitMs / 1000} s`);
    reject(error);
    limit.abort(error);
  }, limitMs);
  try {
    return await Promise.race([ask(limit.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A request that will never do; 408 and 429 say that it may later. */
const isRefusal = (status: number): boolean =>
  status >= 400 && status < 500 && status !== 408 && status !== 429;

export function failure(what: string, error: unknown): Unavailable | Fatal {
  if (error instanceof Error && "code" in error && error.code === "EACCES") {
    return new Fatal(
      "no permission for Docker's socket: run as a member of the group that owns it",
      { cause: error },
    );
  }
  if (error instanceof NotOk && error.isOwn && isRefusal(error.status)) {
    return new Fatal(`Docker refused ${what} with status ${error.status}`, { cause: error });
  }
  return new Unavailable("Docker", `did not answer ${what}`, { cause: error });
}
