import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import { causes, Fatal, Unavailable } from "../../kit/failure.ts";
import { redact } from "../../kit/redact.ts";

/** Where to ask, and as whom: what a client of the SDK has found out. */
export interface Account {
  readonly region: () => Promise<string>;
  readonly credentials: () => Promise<{
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  }>;
}

type System = "EC2" | "EFS" | "the tagging API";

const LIMIT_MS = 10_000;
const MAX_BODY = 16 * 1_048_576;

interface Sent {
  readonly system: System;
  /** As requests are signed for it, and as its hosts are called. */
  readonly service: string;
  /** As in AWS_ENDPOINT_URL_<name>. */
  readonly endpointName: string;
  readonly operation: string;
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * One signed request to a service for which three calls do not need a client of their own. Comes back with the answer's
 * text. AWS_ENDPOINT_URL_… and AWS_ENDPOINT_URL lead elsewhere, as in the AWS SDKs.
 * Throws `Unavailable` when trying again may help, `Denied` without the permission, and `Fatal` for any other refusal.
 */
export async function ask(account: Account, sent: Sent, env: Environment): Promise<string> {
  const { system, operation } = sent;
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await send(account, sent, env);
  } catch (error) {
    throw new Unavailable(system, `did not take ${operation}`, { cause: redact(causes(error)) });
  }
  const { status, text } = answer;
  if (status >= 200 && status < 300) return text;
  if (status >= 500 || /Throttl|RequestLimitExceeded|TooManyRequests/.test(text)) {
    throw new Unavailable(system, `did not take ${operation}`, {
      cause: `status ${status}`,
      mayHaveLanded: status >= 500,
    });
  }
  if (/AccessDenied|UnauthorizedOperation|not authorized/.test(text)) {
    const prefix = sent.service === "tagging" ? "tag" : sent.service;
    throw new Denied(
      `${system} denied ${operation}: allow ${prefix}:${operation} to whoever runs this`,
    );
  }
  const words = text.replaceAll(/<[^>]*>/g, " ").trim();
  throw new Fatal(`${system} refused ${operation} (status ${status})`, {
    cause: redact(words.slice(0, 300)),
  });
}

async function send(
  { region, credentials }: Account,
  { service, endpointName, method = "POST", path = "/", query = {}, headers = {}, body = "" }: Sent,
  env: Environment,
): Promise<{ readonly status: number; readonly text: string }> {
  const at = await region();
  const suffix = at.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const url = new URL(
    env[`AWS_ENDPOINT_URL_${endpointName}`] ||
      env["AWS_ENDPOINT_URL"] ||
      `https://${service}.${at}.${suffix}`,
  );
  const signer = new SignatureV4({ service, region: at, credentials, sha256: Sha256 });
  const signed = await signer.sign({
    ...{ method, protocol: url.protocol, hostname: url.hostname, path, query: { ...query } },
    ...(url.port !== "" && { port: Number(url.port) }),
    headers: { host: url.host, ...headers },
    ...(body !== "" && { body }),
  });
  const target = new URL(path, url);
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
  const { host: _, ...sent } = signed.headers;
  const response = await fetch(target, {
    ...{ method, headers: sent, redirect: "error", signal: AbortSignal.timeout(LIMIT_MS) },
    ...(body !== "" && { body }),
  });
  const text = await response.text();
  if (text.length > MAX_BODY) throw new Error(`more than ${MAX_BODY} bytes`);
  return { status: response.status, text };
}

/** A missing permission, which some callers can do without. */
export class Denied extends Fatal {}

/** What the signer asks of a hash. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash("sha256")
        : createHmac("sha256", typeof secret === "string" ? secret : bytes(secret));
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === "string" ? data : bytes(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

const bytes = (data: ArrayBuffer | ArrayBufferView): Uint8Array =>
  ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
