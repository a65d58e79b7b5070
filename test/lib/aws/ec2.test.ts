import { createHash, createHmac } from "node:crypto";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it, test } from "@jest/globals";
import { type Ec2, ec2 } from "../../../lib/aws/io/ec2.ts";
import { causes, Fatal, Unavailable } from "../../../lib/kit/failure.ts";

interface Heard {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
type Answer = { readonly status?: number; readonly body: string } | "none";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** EC2 as a list of answers, and what it was asked. */
async function standIn(
  ...answers: readonly Answer[]
): Promise<{ readonly client: Ec2; readonly heard: readonly Heard[] }> {
  const heard: Heard[] = [];
  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = answers[heard.length] ?? "none";
    heard.push({ headers: message.headers, body: await text(message) });
    if (answer === "none") message.socket.destroy();
    else response.writeHead(answer.status ?? 200).end(answer.body);
  };
  const server = createServer((message, response) => void serve(message, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = ec2({
    region: "eu-west-1",
    credentials: async () => ({
      accessKeyId: "AKIDEXAMPLE",
      secretAccessKey: "secret",
      sessionToken: "token",
    }),
    env: { AWS_ENDPOINT_URL_EC2: `http://127.0.0.1:${port}` },
  });
  return { client, heard };
}

const instances = (items: string, more = "") => ({
  body: `<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId><reservationSet>${items}</reservationSet>${more}</DescribeInstancesResponse>`,
});
const instance = (id: string, inside: string) =>
  `<item><instancesSet><item><instanceId>${id}</instanceId>${inside}</item></instancesSet></item>`;

describe("what is asked", () => {
  it("is one filter with all ids, and pages until there are no more", async () => {
    const { client, heard } = await standIn(
      instances(
        instance("i-1", "<privateIpAddress>10.0.0.1</privateIpAddress>"),
        "<nextToken>n</nextToken>",
      ),
      instances(instance("i-2", "<ipAddress>198.51.100.2</ipAddress>")),
    );
    expect(await client.instances(["i-1", "i-2", "i-gone"])).toEqual(
      new Map([
        ["i-1", { private: "10.0.0.1" }],
        ["i-2", { public: "198.51.100.2" }],
      ]),
    );
    expect(heard.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))).toEqual(
      [{}, { NextToken: "n" }].map((next) => ({
        Action: "DescribeInstances",
        Version: "2016-11-15",
        "Filter.1.Name": "instance-id",
        "Filter.1.Value.1": "i-1",
        "Filter.1.Value.2": "i-2",
        "Filter.1.Value.3": "i-gone",
        ...next,
      })),
    );
  });

  it("is signed as AWS asks for: Signature Version 4, computed here once more by hand", async () => {
    const { client, heard } = await standIn(instances(""));
    await client.instances(["i-1"]);
    const [{ headers, body } = { headers: {}, body: "" }] = heard;
    expect(headers["x-amz-security-token"]).toBe("token");
    const date = String(headers["x-amz-date"]);
    const { authorization = "" } = headers;
    const [, names = ""] = /SignedHeaders=([^,]+)/.exec(authorization) ?? [];
    expect(names.split(";")).toEqual(expect.arrayContaining(["host", "x-amz-date"]));
    const hash = (value: string) => createHash("sha256").update(value).digest("hex");
    const scope = `${date.slice(0, 8)}/eu-west-1/ec2/aws4_request`;
    const canonical = [
      ...["POST", "/", ""],
      ...names.split(";").map((name) => `${name}:${String(headers[name]).trim()}`),
      ...["", names, hash(body)],
    ].join("\n");
    const key = scope
      .split("/")
      .reduce<string | Buffer>(
        (secret, part) => createHmac("sha256", secret).update(part).digest(),
        "AWS4secret",
      );
    const signature = createHmac("sha256", key)
      .update(["AWS4-HMAC-SHA256", date, scope, hash(canonical)].join("\n"))
      .digest("hex");
    expect(authorization).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=${names}, Signature=${signature}`,
    );
  });
});

describe("an answer", () => {
  it("without anybody is nobody, in each of EC2's ways to say it", async () => {
    const { client } = await standIn(instances(""), {
      body: "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>",
    });
    expect(await client.instances(["i-1"])).toEqual(new Map());
    expect(await client.instances(["i-1"])).toEqual(new Map());
  });

  it("tells a network interface's addresses, the public one of its association", async () => {
    const item = (id: string, more: string) =>
      `<item><networkInterfaceId>${id}</networkInterfaceId><privateIpAddress>10.0.0.9</privateIpAddress>${more}</item>`;
    const { client, heard } = await standIn({
      body: `<DescribeNetworkInterfacesResponse><networkInterfaceSet>${item("eni-1", "<association><publicIp>198.51.100.9</publicIp></association>")}${item("eni-2", "")}</networkInterfaceSet></DescribeNetworkInterfacesResponse>`,
    });
    expect(await client.interfaces(["eni-1", "eni-2"])).toEqual(
      new Map([
        ["eni-1", { private: "10.0.0.9", public: "198.51.100.9" }],
        ["eni-2", { private: "10.0.0.9" }],
      ]),
    );
    expect(heard[0]?.body).toContain("Filter.1.Name=network-interface-id");
  });

  it("that declares entities of its own is refused", async () => {
    const { body } = instances(instance("i-1", "<privateIpAddress>&x;</privateIpAddress>"));
    const { client } = await standIn({ body: `<!DOCTYPE a [<!ENTITY x "10.0.0.66">]>${body}` });
    const error = await client.instances(["i-1"]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Unavailable);
    expect(causes(error)).toContain("expected no DOCTYPE");
  });

  it("of digits alone is a text", async () => {
    const { client } = await standIn(
      instances(instance("12", "<privateIpAddress>10</privateIpAddress>")),
    );
    expect(await client.instances(["12"])).toEqual(new Map([["12", { private: "10" }]]));
  });
});

const refusal = (code: string, status: number, message = "EC2's own words") => ({
  status,
  body: `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>1</RequestID></Response>`,
});

test.each<[string, Answer, typeof Fatal | typeof Unavailable, string]>([
  [
    "throttling",
    refusal("RequestLimitExceeded", 503),
    Unavailable,
    "RequestLimitExceeded: EC2's own words",
  ],
  ["an old signature", refusal("RequestExpired", 400), Unavailable, "RequestExpired"],
  ["an error of EC2's", refusal("InternalError", 500), Unavailable, "InternalError"],
  ["a proxy's page", { status: 502, body: "<html>Bad Gateway</html>" }, Unavailable, "status 502"],
  ["a broken connection", "none", Unavailable, "EC2 did not take DescribeInstances"],
  ["no XML", { body: "{}" }, Unavailable, "EC2 answered DescribeInstances with"],
  ["another document", { body: "<a><b>1</b></a>" }, Unavailable, "with an unknown shape"],
  [
    "a permission that is missing",
    refusal("UnauthorizedOperation", 403),
    Fatal,
    "allow ec2:DescribeInstances in the role of this process",
  ],
  ["a key that EC2 does not know", refusal("AuthFailure", 401), Fatal, "AuthFailure"],
])("%s is judged", async (_, answer, kind, words) => {
  const { client } = await standIn(answer);
  const error = await client.instances(["i-1"]).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(kind);
  expect(causes(error)).toContain(words);
});

it("throttling asks for fewer requests", async () => {
  const { client } = await standIn(refusal("RequestLimitExceeded", 503));
  await expect(client.instances(["i-1"])).rejects.toMatchObject({ demand: "fewer" });
});
