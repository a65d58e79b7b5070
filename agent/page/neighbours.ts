import { get } from "node:http";
import { statusPorts } from "./status-address.ts";

export interface Neighbour {
  readonly mode: string;
  readonly url: string;
  readonly ok: boolean;
}

const LIMIT_MS = 250;

/** The other modes that answer on this host at their default ports, in their fixed order. Never rejects. */
export async function neighbours(self: string): Promise<readonly Neighbour[]> {
  const asked = Object.entries(statusPorts)
    .filter(([mode]) => mode !== self)
    .map(async ([mode, port]): Promise<Neighbour | undefined> => {
      const status = await statusOf(`http://127.0.0.1:${port}/healthz`);
      return status === undefined
        ? undefined
        : { mode, url: `http://127.0.0.1:${port}/`, ok: status === 200 };
    });
  const found = await Promise.all(asked);
  return found.filter((one) => one !== undefined);
}

/** The status of an answer; undefined when nobody answers in time. */
function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: LIMIT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", () => resolve(undefined));
  });
}
