/** Where one of the operator's files lies. */
export type Location =
  | { readonly kind: "s3"; readonly bucket: string; readonly key: string }
  | { readonly kind: "file"; readonly path: string };

export const LOCATION_FORMS = "s3://bucket/key or file:///path";

// 3 to 63 characters (Amazon S3 User Guide, bucket naming rules); buckets from before 2018 may have more and capitals.
const S3_URL = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9])\/(.+)$/s;
const FILE_URL = /^file:\/\/(\/.*[^/])$/s;

/**
 * The location in a URL; undefined for one of another form. The key is all that follows the bucket's slash, to the
 * letter: a key may hold `?`, `#`, `%20` and slashes at its beginning. A file's path is taken in the same way.
 */
export function locationOf(url: string): Location | undefined {
  const [, bucket, key] = S3_URL.exec(url) ?? [];
  // At most 1,024 bytes of UTF-8 (API reference, GetObject); no character has fewer than one.
  if (bucket !== undefined && key !== undefined && key.length <= 1_024) {
    return { kind: "s3", bucket, key };
  }
  const [, path] = FILE_URL.exec(url) ?? [];
  return path === undefined || path.includes("\0") ? undefined : { kind: "file", path };
}

export const locationText = (location: Location): string =>
  location.kind === "s3" ? `s3://${location.bucket}/${location.key}` : `file://${location.path}`;
