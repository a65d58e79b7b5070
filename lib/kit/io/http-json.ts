import { request as httpRequest } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

const MAX_BODY = 16 * 1_048_576;

/**
 * GET over plain HTTP. Throws when the whole answer has not come within `limitMs`, a dropped packet being the usual
 * cause, and when it is longer than 16 MiB.
 * Each request has a connection of its own: the ECS agent closes idle ones after 5 s, and a request on such a
 * connection would fail by chance (its `ReadTimeout`: aws/amazon-ecs-agent, `task_server_setup.go`).
 */
export const get = (url: string, limitMs: number): Promise<HttpAnswer> => request(url, { limitMs });

/** The same with another method, or with headers. */
export function request(
  url: string,
  {
    limitMs,
    method = "GET",
    headers = {},
  }: {
    readonly limitMs: number;
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const options = { agent: false, method, headers, signal: AbortSignal.timeout(limitMs) };
  const sent = httpRequest(url, options, (response) => {
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
    reject(error.name === "AbortError" ? new Error(`no answer within ${limitMs / 1000} s`) : error),
  );
  sent.end();
  return promise;
}
