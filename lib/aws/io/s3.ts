import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { causes, Unavailable } from "../../kit/failure.ts";
import { MOST_TEXT_BYTES, type TextRead, type TextSource } from "../../kit/text-source.ts";
import { errorFacts } from "../answer.ts";
import { clientDefaults } from "./client-defaults.ts";
import { inTime, REQUEST_LIMIT_MS } from "./whole-answers.ts";

/**
 * An object as text. Each reading is one GetObject with the last answer's ETag in If-None-Match, so that an object that
 * did not change costs no transfer. The key goes out to the letter.
 * Credentials and, when set, the endpoint (AWS_ENDPOINT_URL_S3) come from where the AWS SDK finds them; `pathStyle` puts
 * the bucket into the path, as emulators behind an endpoint of one's own expect it.
 */
export function s3Text({
  bucket,
  key,
  region,
  pathStyle,
}: {
  readonly bucket: string;
  readonly key: string;
  readonly region: string;
  readonly pathStyle: boolean;
}): TextSource {
  const client = new S3Client({
    region,
    followRegionRedirects: true,
    ...(pathStyle && { forcePathStyle: true }),
    ...clientDefaults(),
  });
  const where = `s3://${bucket}/${key}`;
  let etag: string | undefined;

  const read = async (limit: { readonly abortSignal: AbortSignal }): Promise<TextRead> => {
    const answer = await client.send(
      new GetObjectCommand({ Bucket: bucket, Key: key, IfNoneMatch: etag }),
      limit,
    );
    const length = answer.ContentLength ?? 0;
    if (length > MOST_TEXT_BYTES || answer.Body === undefined) {
      return {
        kind: "problem",
        problem: `${where}: expected a text of at most ${MOST_TEXT_BYTES} bytes, got ${length}`,
      };
    }
    const text = await answer.Body.transformToString("utf-8");
    etag = answer.ETag;
    return { kind: "text", text };
  };
  return {
    read: () => inTime(REQUEST_LIMIT_MS, read).catch((error: unknown) => failed(where, error)),
    close: () => client.destroy(),
  };
}

/** S3 says these of what passes (API reference, error responses); its errors have a form of their own. */
const PASSING = /^(?:SlowDown|Throttl|RequestTime|ExpiredToken|CredentialsProvider|TimeoutError)/;

function failed(where: string, error: unknown): TextRead {
  const { name, status, message } = errorFacts(error);
  if (status === 304) return { kind: "unchanged" };
  if (status === undefined || status >= 500 || PASSING.test(name)) {
    throw new Unavailable("S3", `did not give ${where}`, {
      cause: causes(error).startsWith(name) ? causes(error) : `${name}: ${causes(error)}`,
      mayHaveLanded: false,
    });
  }
  return { kind: "problem", problem: `${where}: ${reason(name, status, message)}` };
}

function reason(name: string, status: number, message: string): string {
  if (name === "NoSuchBucket") return "there is no such bucket";
  if (name === "NoSuchKey" || (status === 404 && name !== "NoSuchBucket")) {
    return "there is no such object: the key is all that follows the bucket's slash, to the letter";
  }
  // Without s3:ListBucket a missing object is denied, too (API reference, GetObject).
  if (status === 403) {
    return `S3 denied s3:GetObject (${name}): allow it in the role of this process, or put the object there`;
  }
  return `S3 refused GetObject (${name}): ${message}`;
}
