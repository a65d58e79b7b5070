import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { httpStandIn } from "../http-stand-in.ts";
import { requestLog } from "../request-log.ts";

export interface MetadataStandIn {
  readonly url: string;
  /** Method and path, in order of arrival; the oldest are forgotten. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** The seconds of a token (EC2 User Guide, instance metadata service version 2). */
const MOST_TTL = 21_600;
const MOST_TOKENS = 100;

/**
 * EC2's instance metadata on the loopback address, version 2 alone: a token by PUT, with its time to live in a header,
 * then the values by GET with the token; 401 without one, 400 for a PUT without a time, 403 for one that came through a
 * proxy, 404 for a path that has no value (EC2 User Guide). `values` maps `instance-id` and the like.
 */
export async function metadataStandIn(
  values: Readonly<Record<string, string>>,
): Promise<MetadataStandIn> {
  const log = requestLog<string>();
  const tokens = new Map<string, number>();
  const answer = ({ method, url = "/", headers }: IncomingMessage): readonly [number, string?] => {
    if (method === "PUT" && url === "/latest/api/token") {
      if (headers["x-forwarded-for"] !== undefined) return [403];
      const ttl = Number(headers["x-aws-ec2-metadata-token-ttl-seconds"]);
      if (!Number.isInteger(ttl) || ttl < 1 || ttl > MOST_TTL) return [400];
      const token = randomBytes(32).toString("base64url");
      tokens.set(token, Date.now() + ttl * 1000);
      for (const [oldest] of tokens) if (tokens.size > MOST_TOKENS) tokens.delete(oldest);
      return [200, token];
    }
    if (method !== "GET") return [405];
    const until = tokens.get(String(headers["x-aws-ec2-metadata-token"])) ?? 0;
    if (until <= Date.now()) return [401];
    const [, name = ""] = /^\/latest\/meta-data\/(.+)$/.exec(url) ?? [];
    return Object.hasOwn(values, name) ? [200, values[name] ?? ""] : [404];
  };
  const { url, close } = await httpStandIn({
    serve(message, response) {
      log.note(`${message.method} ${message.url}`);
      const [status, body = ""] = answer(message);
      response.writeHead(status).end(body);
    },
  });
  return { url, requests: log.requests, close };
}
