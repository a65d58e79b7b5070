import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { SignatureV4 } from "@smithy/signature-v4";
import { XMLParser } from "fast-xml-parser";
import * as z from "zod";
import { causes, Fatal, Unavailable } from "../../kit/failure.ts";
import { shapeProblem } from "../../kit/io/shape.ts";

/** The addresses of something in EC2, in text form. */
interface Addresses {
  readonly private?: string;
  readonly public?: string;
}

/**
 * Two operations of EC2, read only, by a client of a hundred lines: the SDK's own would cost 50 MB of memory. `ids` are at
 * most 200; whoever EC2 does not know is not in the map. Both throw `Unavailable` when trying again may help, and `Fatal`
 * when only an operator can.
 */
export interface Ec2 {
  /** DescribeInstances, by `i-…`. */
  instances(ids: readonly string[]): Promise<ReadonlyMap<string, Addresses>>;
  /** DescribeNetworkInterfaces, by `eni-…`. */
  interfaces(ids: readonly string[]): Promise<ReadonlyMap<string, Addresses>>;
}

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const VERSION = "2016-11-15";
const LIMIT_MS = 10_000;
const MAX_BODY = 16 * 1_048_576;

/** A missing element is an empty text to XML; EC2 leaves out what there is not. */
const Text = z
  .string()
  .optional()
  .transform((text) => text || undefined);
const Instances = z.object({
  DescribeInstancesResponse: z.object({
    reservationSet: setOf(
      z.object({
        instancesSet: setOf(
          z.object({ instanceId: z.string(), privateIpAddress: Text, ipAddress: Text }),
        ),
      }),
    ),
    nextToken: Text,
  }),
});
const Interfaces = z.object({
  DescribeNetworkInterfacesResponse: z.object({
    networkInterfaceSet: setOf(
      z.object({
        networkInterfaceId: z.string(),
        privateIpAddress: Text,
        association: z.object({ publicIp: Text }).optional(),
      }),
    ),
    nextToken: Text,
  }),
});
const Refusal = z.object({
  Response: z.object({
    Errors: z.object({ Error: z.object({ Code: z.string(), Message: z.string().catch("") }) }),
  }),
});

/** `<set><item>…</item></set>`, or `<set/>` for none. */
function setOf<T>(item: z.ZodType<T>) {
  return z
    .union([z.literal(""), z.object({ item: z.array(item) })])
    .optional()
    .transform((set) => (set === undefined || set === "" ? [] : set.item));
}

/**
 * AWS_ENDPOINT_URL_EC2, or AWS_ENDPOINT_URL, leads elsewhere, as in the AWS SDKs. Credentials are asked for at each request.
 */
export function ec2({
  region,
  credentials,
  env,
}: {
  readonly region: string;
  readonly credentials: () => Promise<Credentials>;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Ec2 {
  const signer = new SignatureV4({ service: "ec2", region, credentials, sha256: Sha256 });
  const endpoint = new URL(
    env["AWS_ENDPOINT_URL_EC2"] || env["AWS_ENDPOINT_URL"] || endpointOf(region),
  );
  const ask = (operation: string, filter: string, ids: readonly string[], next?: string) =>
    post(signer, endpoint, operation, {
      "Filter.1.Name": filter,
      ...Object.fromEntries(ids.map((id, at) => [`Filter.1.Value.${at + 1}`, id])),
      ...(next !== undefined && { NextToken: next }),
    });

  return {
    async instances(ids) {
      const all = new Map<string, Addresses>();
      let next: string | undefined;
      do {
        // By a filter: a single id that EC2 does not know would fail the whole request by `InstanceId.n`.
        const xml = await ask("DescribeInstances", "instance-id", ids, next);
        const answer = parsed("DescribeInstances", Instances, xml).DescribeInstancesResponse;
        for (const one of answer.reservationSet.flatMap(({ instancesSet }) => instancesSet)) {
          all.set(one.instanceId, addresses(one.privateIpAddress, one.ipAddress));
        }
        next = answer.nextToken;
      } while (next !== undefined);
      return all;
    },
    async interfaces(ids) {
      const all = new Map<string, Addresses>();
      let next: string | undefined;
      do {
        const xml = await ask("DescribeNetworkInterfaces", "network-interface-id", ids, next);
        const answer = parsed("DescribeNetworkInterfaces", Interfaces, xml);
        const { networkInterfaceSet, nextToken } = answer.DescribeNetworkInterfacesResponse;
        for (const { networkInterfaceId, privateIpAddress, association } of networkInterfaceSet) {
          all.set(networkInterfaceId, addresses(privateIpAddress, association?.publicIp));
        }
        next = nextToken;
      } while (next !== undefined);
      return all;
    },
  };
}

const addresses = (inside: string | undefined, outside: string | undefined): Addresses => ({
  ...(inside !== undefined && { private: inside }),
  ...(outside !== undefined && { public: outside }),
});

const endpointOf = (region: string): string =>
  `https://ec2.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;

type Bytes = string | ArrayBuffer | ArrayBufferView;
const plain = (data: Bytes): string | Uint8Array => {
  if (typeof data === "string") return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
};

/** The hash, in the form that the signer asks for; with a secret, HMAC. */
class Sha256 {
  readonly #hash: Hash | Hmac;
  constructor(secret?: Bytes) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", plain(secret));
  }
  update(data: Bytes): void {
    this.#hash.update(plain(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

async function post(
  signer: SignatureV4,
  endpoint: URL,
  operation: string,
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const body = new URLSearchParams({
    Action: operation,
    Version: VERSION,
    ...parameters,
  }).toString();
  let answer: { readonly status: number; readonly body: string };
  try {
    const { headers } = await signer.sign({
      method: "POST",
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      path: endpoint.pathname,
      headers: {
        host: endpoint.host,
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
      },
      body,
    });
    answer = await send(endpoint, headers, body);
  } catch (error) {
    throw new Unavailable("EC2", `did not take ${operation}`, {
      cause: error,
      mayHaveLanded: false,
    });
  }
  if (answer.status === 200) return answer.body;
  throw refusalOf(operation, answer.status, answer.body);
}

function send(
  endpoint: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<{ readonly status: number; readonly body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number;
    readonly body: string;
  }>();
  const request = endpoint.protocol === "http:" ? httpRequest : httpsRequest;
  const options = { method: "POST", headers, agent: false, signal: AbortSignal.timeout(LIMIT_MS) };
  const sent = request(endpoint, options, (response) => {
    const chunks: Buffer[] = [];
    let length = 0;
    response.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_BODY) response.destroy(new Error(`more than ${MAX_BODY} bytes`));
      else chunks.push(chunk);
    });
    response.on("error", reject);
    response.on("end", () =>
      resolve({
        status: response.statusCode ?? 0,
        body: Buffer.concat(chunks).toString("utf8"),
      }),
    );
  });
  sent.on("error", (error) =>
    reject(
      error.name === "AbortError" ? new Error(`no answer within ${LIMIT_MS / 1000} s`) : error,
    ),
  );
  sent.end(body);
  return promise;
}

/** Nothing of a text is taken for a number. */
const parser = new XMLParser({
  parseTagValue: false,
  ignoreAttributes: true,
  isArray: (name) => name === "item",
});

/** A document that declares entities of its own is refused: EC2 sends none, and they can grow without bounds. */
function documentIn(xml: string): unknown {
  if (xml.includes("<!DOCTYPE")) throw new Error("expected no DOCTYPE");
  return parser.parse(xml);
}

function parsed<T>(operation: string, schema: z.ZodType<T>, xml: string): T {
  let value: unknown;
  try {
    value = documentIn(xml);
  } catch (error) {
    throw new Unavailable("EC2", `answered ${operation} with no XML`, { cause: causes(error) });
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw new Unavailable("EC2", `answered ${operation} with an unknown shape`, {
    cause: shapeProblem(read.error),
  });
}

/** Codes after which trying again may help (EC2 API Reference, error codes). */
const TRANSIENT = [
  "RequestLimitExceeded",
  "ThrottlingException",
  "Throttling",
  "RequestExpired",
  "ServiceUnavailable",
  "InternalError",
];

function refusalOf(operation: string, status: number, body: string): Unavailable | Fatal {
  let read: ReturnType<typeof Refusal.safeParse> | undefined;
  try {
    read = Refusal.safeParse(documentIn(body));
  } catch {
    // An answer of something in between, which speaks no XML.
  }
  const { Code: code, Message: message } = read?.success
    ? read.data.Response.Errors.Error
    : { Code: `status ${status}`, Message: "" };
  const cause = message === "" ? code : `${code}: ${message}`;
  if (status >= 500 || TRANSIENT.includes(code)) {
    const isThrottled = code === "RequestLimitExceeded" || code.startsWith("Throttling");
    return new Unavailable("EC2", `did not take ${operation}`, {
      cause,
      mayHaveLanded: false,
      ...(isThrottled && { demand: "fewer" as const }),
    });
  }
  if (code === "UnauthorizedOperation" || code.startsWith("AccessDenied")) {
    return new Fatal(
      `EC2 denied ${operation}: allow ec2:${operation} in the role of this process`,
      { cause },
    );
  }
  return new Fatal(`EC2 refused ${operation}`, { cause });
}
