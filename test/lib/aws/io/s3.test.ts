import { afterAll, beforeAll, beforeEach, expect, it, test } from "@jest/globals";
import { s3Text } from "../../../../lib/aws/io/s3.ts";
import { Unavailable } from "../../../../lib/kit/failure.ts";
import { type S3StandIn, s3StandIn } from "../../../../lib/standins/s3/server.ts";
import { loopbackAws } from "../../../support/loopback-aws.ts";

loopbackAws();

let s3: S3StandIn;
beforeAll(async () => {
  s3 = await s3StandIn();
  expect(new URL(s3.url).hostname).toBe("127.0.0.1");
  process.env["AWS_ENDPOINT_URL_S3"] = s3.url;
});
beforeEach(() => s3.fail(undefined));
afterAll(() => s3.close());

const at = (key: string, bucket = "bkt") =>
  s3Text({ bucket, key, region: "eu-west-1", pathStyle: true });

test.each(["plain.json", "/led by a slash", "a//b", "a/../b", "ä ü?x=1#y%20+&", "a/./b"])(
  "the key %p is asked for to the letter",
  async (key) => {
    s3.put("bkt", key, `text of ${key}`);
    const source = at(key);
    expect(await source.read()).toEqual({ kind: "text", text: `text of ${key}` });
    source.close();
  },
);

it("an object that did not change is not sent again; one that did is", async () => {
  s3.put("bkt", "k", "one");
  const source = at("k");
  expect(await source.read()).toEqual({ kind: "text", text: "one" });
  expect(await source.read()).toEqual({ kind: "unchanged" });
  expect(s3.requests.at(-1)?.status).toBe(304);
  s3.put("bkt", "k", "two");
  expect(await source.read()).toEqual({ kind: "text", text: "two" });
  source.close();
});

test.each([
  ["an object that is not there", "none", "bkt", "there is no such object"],
  ["a bucket that is not there", "k", "none", "there is no such bucket"],
])("%s is a problem with what to do", async (_, key, bucket, problem) => {
  s3.put("bkt", "k", "text");
  const source = at(key, bucket);
  expect(await source.read()).toEqual({
    kind: "problem",
    problem: expect.stringContaining(`s3://${bucket}/${key}: ${problem}`),
  });
  source.close();
});

it("no permission names the action", async () => {
  s3.fail({ status: 403, code: "AccessDenied" });
  const source = at("k");
  expect(await source.read()).toEqual({
    kind: "problem",
    problem: expect.stringContaining("S3 denied s3:GetObject (AccessDenied)"),
  });
  source.close();
});

it("a failure that passes is no problem of the file", async () => {
  s3.fail({ status: 503, code: "SlowDown" });
  const source = at("k");
  await expect(source.read()).rejects.toThrow(Unavailable);
  source.close();
});
