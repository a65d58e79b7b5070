import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { type MetadataStandIn, metadataStandIn } from "../../../../lib/standins/metadata/server.ts";

let metadata: MetadataStandIn;
beforeAll(async () => {
  metadata = await metadataStandIn({ "instance-id": "i-1" });
});
afterAll(() => metadata.close());

const TTL = "x-aws-ec2-metadata-token-ttl-seconds";
const ask = (path: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
  fetch(`${metadata.url}/latest/${path}`, { method, headers });

it("gives a value for a token alone, and refuses what it does not know", async () => {
  const put = async (headers: Readonly<Record<string, string>>) =>
    (await ask("api/token", headers, "PUT")).status;
  expect(await put({})).toBe(400);
  expect(await put({ [TTL]: "21601" })).toBe(400);
  expect(await put({ [TTL]: "60", "x-forwarded-for": "10.0.0.1" })).toBe(403);
  const token = await (await ask("api/token", { [TTL]: "60" }, "PUT")).text();
  const by = { "x-aws-ec2-metadata-token": token };
  expect(await (await ask("meta-data/instance-id", by)).text()).toBe("i-1");
  expect((await ask("meta-data/instance-id")).status).toBe(401);
  expect((await ask("meta-data/instance-id", { "x-aws-ec2-metadata-token": "x" })).status).toBe(
    401,
  );
  expect((await ask("meta-data/ami-id", by)).status).toBe(404);
  expect((await ask("user-data", by)).status).toBe(404);
  expect((await ask("meta-data/instance-id", by, "POST")).status).toBe(405);
});
