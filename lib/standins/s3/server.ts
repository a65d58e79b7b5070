import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { httpStandIn } from "../http-stand-in.ts";
import { requestLog } from "../request-log.ts";

interface S3Request {
  /** GetObject, or what else was asked for. */
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
  readonly status: number;
}

export interface S3StandIn {
  readonly url: string;
  /** In order of arrival; the oldest are forgotten. */
  readonly requests: readonly S3Request[];
  put(bucket: string, key: string, body: string): void;
  remove(bucket: string, key: string): void;
  /** Every answer from now on, until it is called with undefined. */
  fail(error: { readonly status: number; readonly code: string } | undefined): void;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * S3 over HTTP on the loopback address, with the bucket in the path, as far as GetObject: exact keys, an ETag, and
 * If-None-Match with 304 (API reference, GetObject). Keys are decoded once and otherwise compared to the letter. It
 * refuses whatever else it is asked.
 */
export async function s3StandIn(): Promise<S3StandIn> {
  const buckets = new Map<string, Map<string, string>>();
  const log = requestLog<S3Request>();
  let failure: { readonly status: number; readonly code: string } | undefined;

  const answer = (operation: string, bucket: string, key: string, known: unknown): Answer => {
    if (failure !== undefined) return refusal(failure.status, failure.code);
    if (operation !== "GetObject") return refusal(501, "NotImplemented");
    const objects = buckets.get(bucket);
    if (objects === undefined) return refusal(404, "NoSuchBucket");
    const body = objects.get(key);
    if (body === undefined) return refusal(404, "NoSuchKey");
    // The MD5 of an object that was put whole (API reference, Object).
    const etag = `"${createHash("md5").update(body).digest("hex")}"`;
    if (known === etag) return { status: 304, headers: { etag }, body: "" };
    return { status: 200, headers: { etag, "content-type": "application/json" }, body };
  };

  const serve = (message: IncomingMessage, response: ServerResponse): void => {
    const { path, bucket, key, query } = asked(message);
    const isGet =
      message.method === "GET" &&
      path.split("/").length > 2 &&
      query.every((one) => one === "x-id");
    const operation = isGet ? "GetObject" : `${message.method} ${message.url}`;
    const { status, headers, body } = answer(
      operation,
      bucket,
      key,
      message.headers["if-none-match"],
    );
    log.note({ operation, bucket, key, status });
    response.writeHead(status, headers).end(body);
  };

  const { url, close } = await httpStandIn({ serve });
  return {
    url,
    requests: log.requests,
    put(bucket, key, body) {
      const objects = buckets.get(bucket) ?? new Map<string, string>();
      buckets.set(bucket, objects.set(key, body));
    },
    remove: (bucket, key) => void buckets.get(bucket)?.delete(key),
    fail(error) {
      failure = error;
    },
    close,
  };
}

/** By hand: a URL class would shorten `/a/../b` and empty segments, which are part of a key. */
function asked({ url = "/" }: IncomingMessage) {
  const [path = "/", search = ""] = url.split("?", 2);
  const [, bucket = "", ...rest] = path.split("/");
  return {
    path,
    bucket: decodeURIComponent(bucket),
    key: decodeURIComponent(rest.join("/")),
    query: [...new URLSearchParams(search).keys()],
  };
}

const refusal = (status: number, code: string): Answer => ({
  status,
  headers: { "content-type": "application/xml" },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`,
});
