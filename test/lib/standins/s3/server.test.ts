import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type S3StandIn, s3StandIn } from "../../../../lib/standins/s3/server.ts";

let s3: S3StandIn;
beforeAll(async () => {
  s3 = await s3StandIn();
  s3.put("bkt", "key", "text");
});
afterAll(() => s3.close());

test.each([
  ["GET", "/bkt/key", 200, "text"],
  ["GET", "/bkt/key?x-id=GetObject", 200, "text"],
  ["GET", "/bkt//key", 404, "NoSuchKey"],
  ["GET", "/bkt/key/", 404, "NoSuchKey"],
  ["GET", "/other/key", 404, "NoSuchBucket"],
  // What it does not know it refuses.
  ["GET", "/bkt", 501, "NotImplemented"],
  ["GET", "/bkt/key?versionId=1", 501, "NotImplemented"],
  ["PUT", "/bkt/key", 501, "NotImplemented"],
  ["DELETE", "/bkt/key", 501, "NotImplemented"],
])("%s %s is answered with %i %s", async (method, path, status, said) => {
  const answer = await fetch(`${s3.url}${path}`, { method });
  expect(answer.status).toBe(status);
  expect(await answer.text()).toContain(said);
});
