import { s3Text } from "../../aws/io/s3.ts";
import { fileText } from "../../kit/io/file-text.ts";
import type { TextSource } from "../../kit/text-source.ts";
import type { Location } from "../files/location.ts";

/** The operator's file at this location. `env` is the process's, for an S3 endpoint of one's own. */
export function textAt(
  location: Location,
  region: string,
  env: Readonly<Record<string, string | undefined>>,
): TextSource {
  if (location.kind === "file") return fileText(location.path);
  // An endpoint of one's own rarely has a name for each bucket.
  const pathStyle = Boolean(env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"]);
  return s3Text({ ...location, region, pathStyle });
}
