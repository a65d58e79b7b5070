import type { IncomingMessage, ServerResponse } from "node:http";
import type { ContainerTable } from "./containers.ts";
import type { EngineEvents } from "./events.ts";
import { checkListFilters, containerMatches, parseFilters, RefusedParameter } from "./filters.ts";
import { inspectOf, summaryOf } from "./shown.ts";
import { isRunning, networkOf } from "./state.ts";

/** Engines 20.10, 25 and 29. From 1.52 on events have no `status`, `id` and `from`. */
export const DOCKER_API_VERSIONS = ["1.41", "1.44", "1.52"] as const;
export type DockerApiVersion = (typeof DOCKER_API_VERSIONS)[number];

/** Release and oldest API version of each: `api/common_unix.go` at v20.10.24, `daemon/config/config.go` since 25. */
const engines: Readonly<Record<DockerApiVersion, { release: string; minimum: number }>> = {
  "1.41": { release: "20.10.24", minimum: 12 },
  "1.44": { release: "25.0.0", minimum: 24 },
  "1.52": { release: "29.0.0", minimum: 44 },
};

/** What the API reads. */
export interface EngineParts {
  readonly apiVersion: DockerApiVersion;
  readonly containers: ContainerTable;
  readonly events: EngineEvents;
  readonly wallMs: () => number;
}

/** Writes the answer to a request for this engine; returns its status. */
export function answerRequest(
  engine: EngineParts,
  request: IncomingMessage,
  response: ServerResponse,
): number {
  try {
    return answer(engine, request, response);
  } catch (error) {
    if (error instanceof RefusedParameter) return refuse(response, error.status, error.message);
    if (error instanceof URIError) return refuse(response, 400, error.message);
    throw error;
  }
}

export const refuse = (response: ServerResponse, status: number, message: string): number => {
  sendJson(response, status, { message });
  return status;
};

/** The newest API that the engine knows: 52 of "1.52". */
export const minorOf = (apiVersion: DockerApiVersion): number => Number(apiVersion.slice(2));

function answer(engine: EngineParts, request: IncomingMessage, response: ServerResponse): number {
  const [pathname = "/", ...search] = (request.url ?? "/").split("?");
  const [, asked, path = "/"] = /^(?:\/v(\d+\.\d+))?(\/.*)$/.exec(pathname) ?? [];
  const method = request.method ?? "";
  const ping = path === "/_ping";
  if (method !== "GET" && !(method === "HEAD" && ping)) {
    return refuse(response, 403, `${method} ${path}: this engine only answers reads`);
  }
  const inspected = /^\/containers\/([^/]+)\/json$/.exec(path)?.[1];
  const known = ["/_ping", "/version", "/events", "/containers/json"].includes(path);
  if (!known && inspected === undefined) return refuse(response, 404, "page not found");

  const { apiVersion } = engine;
  response.setHeader("Api-Version", apiVersion);
  response.setHeader("Ostype", "linux");
  response.setHeader("Server", `Docker/${engines[apiVersion].release} (linux)`);
  const apiMinor = spoken(apiVersion, asked, response);
  if (apiMinor === undefined) return 400;
  response.setHeader("Docker-Experimental", "false");

  const query = new URLSearchParams(search.join("?"));
  switch (path) {
    case "/_ping":
      response.setHeader("Cache-Control", "no-cache, no-store, must-revalidate");
      response.setHeader("Pragma", "no-cache");
      if (minorOf(apiVersion) > 41) {
        response.setHeader("Builder-Version", "2");
        response.setHeader("Swarm", "inactive");
      }
      send(response, 200, "text/plain; charset=utf-8", method === "HEAD" ? "" : "OK");
      return 200;
    case "/version":
      sendJson(response, 200, version(apiVersion));
      return 200;
    case "/containers/json":
      sendJson(response, 200, list(engine, query, apiMinor));
      return 200;
    case "/events":
      engine.events.stream(response, query, apiMinor);
      return 200;
    default: {
      const container = engine.containers.find(decodeURIComponent(inspected ?? ""));
      const engineMinor = minorOf(apiVersion);
      sendJson(response, 200, inspectOf(container, { apiMinor, engineMinor }));
      return 200;
    }
  }
}

/** The minor version that a client speaks; undefined for one that the engine refuses, with status 400. */
function spoken(
  apiVersion: DockerApiVersion,
  asked: string | undefined,
  response: ServerResponse,
): number | undefined {
  const engineMinor = minorOf(apiVersion);
  const { minimum } = engines[apiVersion];
  const [major = 1, apiMinor = engineMinor] = asked?.split(".").map(Number) ?? [];
  if (major > 1 || apiMinor > engineMinor) {
    const most = `Maximum supported API version is ${apiVersion}`;
    refuse(response, 400, `client version ${asked} is too new. ${most}`);
    return undefined;
  }
  if (major === 1 && apiMinor >= minimum) return apiMinor;
  const least = `Minimum supported API version is 1.${minimum}, please upgrade your client to a newer version`;
  const message = `client version ${asked} is too old. ${least}`;
  // An engine speaks to clients older than 1.24 in plain text.
  if (apiMinor >= 24) refuse(response, 400, message);
  else send(response, 400, "text/plain; charset=utf-8", `${message}\n`);
  return undefined;
}

/** Newest first. A limit shows stopped containers too, and so does a status filter. */
const list = (
  { containers, apiVersion, wallMs }: EngineParts,
  query: URLSearchParams,
  apiMinor: number,
) => {
  const engineMinor = minorOf(apiVersion);
  const filters = parseFilters(query.get("filters") ?? "", engineMinor);
  checkListFilters(filters, engineMinor);
  const limit = parseLimit(query.get("limit"));
  const all = isTrue(query.get("all")) || limit > 0 || filters.has("status");
  const shown = [...containers.all()].reverse().filter((container) => {
    if (!all && !isRunning(container)) return false;
    const network = networkOf(container);
    return containerMatches(filters, {
      id: container.id,
      name: container.name,
      labels: container.labels,
      status: container.status,
      health: container.health ?? "none",
      ...(network === undefined ? {} : { network }),
    });
  });
  return (limit > 0 ? shown.slice(0, limit) : shown).map((container) =>
    summaryOf(container, wallMs(), { apiMinor, engineMinor }),
  );
};

const version = (apiVersion: DockerApiVersion) => ({
  Platform: { Name: "" },
  Components: [
    {
      Name: "Engine",
      Version: engines[apiVersion].release,
      Details: {
        ApiVersion: apiVersion,
        MinAPIVersion: `1.${engines[apiVersion].minimum}`,
        Os: "linux",
      },
    },
  ],
  Version: engines[apiVersion].release,
  ApiVersion: apiVersion,
  MinAPIVersion: `1.${engines[apiVersion].minimum}`,
  Os: "linux",
  Arch: "amd64",
});

const parseLimit = (parameter: string | null): number => {
  if (parameter === null || parameter === "") return 0;
  if (/^[+-]?\d+$/.test(parameter)) return Number(parameter);
  throw new RefusedParameter(500, `strconv.Atoi: parsing "${parameter}": invalid syntax`);
};

/** moby `httputils.BoolValue`. */
const isTrue = (parameter: string | null): boolean =>
  !["", "0", "no", "false", "none"].includes((parameter ?? "").trim().toLowerCase());

const send = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
};

const sendJson = (response: ServerResponse, status: number, body: unknown): void =>
  send(response, status, "application/json", `${JSON.stringify(body)}\n`);
