import type { Readable } from "node:stream";
import { firstText, foreignWords } from "../answer.ts";

/** The longest that a request may take, all of its tries and its answer's last byte included. */
export const REQUEST_LIMIT_MS = 15_000;
/** Longer than any answer of the APIs that are asked this way: a page of 300 record sets has some 200 kB. */
const LARGEST_ANSWER = 16 << 20;

/** As much of a client of the AWS SDK as is needed here; its own types know each client's operations. */
interface SdkClient {
  readonly middlewareStack: { add(middleware: unknown, options: unknown): void };
}
interface Result {
  readonly response: { readonly statusCode: number; body: unknown };
  readonly output: object;
}
type Handler = (args: unknown) => Promise<Result>;

/** What each output was read from, for `foreignAnswer`. */
const answers = new WeakMap<
  object,
  { readonly status: number; readonly body: string | undefined }
>();

/**
 * Has the client read each answer to its end before anybody interprets it, so that one which breaks off is a broken
 * connection, and one that can't be read can still be told. For clients whose answers are small.
 */
export function readWhole(client: { readonly middlewareStack: object }): void {
  const { middlewareStack } = client as SdkClient;
  middlewareStack.add(
    (next: Handler): Handler =>
      async (args) => {
        const result = await next(args);
        result.response.body = await whole(result.response.body as Readable);
        return result;
      },
    // Next to the wire.
    { step: "deserialize", priority: "low", name: "readWhole" },
  );
  middlewareStack.add(
    (next: Handler): Handler =>
      async (args) => {
        const result = await next(args);
        const { statusCode, body } = result.response;
        answers.set(result.output, { status: statusCode, body: firstText(body) });
        return result;
      },
    // Around what makes the output of the answer.
    { step: "deserialize", priority: "high", name: "rememberAnswer" },
  );
}

async function whole(body: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop destroys the stream.
    if (size > LARGEST_ANSWER) throw new Error(`its answer is longer than ${LARGEST_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Of an output that lacks what AWS always says: what came instead, as one sentence. */
export const foreignAnswer = (output: object): string =>
  foreignWords(answers.get(output) ?? { status: 200, body: undefined });

/** What `send` comes to, or a TimeoutError after `limitMs`, whatever it is that hangs; the signal ends its request. */
export async function inTime<T>(
  limitMs: number,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`no whole answer within ${limitMs / 1000} s`);
    error.name = "TimeoutError";
    late.reject(error);
    limit.abort(error);
  }, limitMs);
  try {
    return await Promise.race([send({ abortSignal: limit.signal }), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
