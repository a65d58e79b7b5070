import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { causes, Fatal } from "../../kit/failure.ts";
import { splitLines } from "../../kit/io/lines.ts";
import { KubeError, type Query } from "../api.ts";

/** Where the API server is, and how to be known there: of a kubeconfig, or of the pod we run in. */
export interface KubeConnection {
  readonly server: string;
  /** The context's namespace, or the pod's. */
  readonly namespace: string;
  readonly isInCluster: boolean;
  /** A proxy leads there, and the connections are its client's. */
  readonly isProxied: boolean;
  /** What a request needs at this moment: credentials may change from one to the next. */
  options(): Promise<RequestOptions>;
  /** The credentials were refused: asks for new ones before the next request. */
  renew(): void;
}

/** Credentials are asked for again after this; a service account's token is read anew by then (client-node: a minute). */
const OPTIONS_MS = 10_000;
const LIMIT_MS = 30_000;
/** Requests at once to one server; watches have connections of their own. */
const MAX_SOCKETS = 64;

function load(kubeconfig: string | undefined): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
    else config.loadFromDefault();
  } catch (error) {
    throw new Fatal(`the kubeconfig can't be read: ${causes(error)}`, { cause: error });
  }
  return config;
}

/**
 * The connection of `--kubeconfig`, of KUBECONFIG, of ~/.kube/config, or of the pod. Tokens, certificates, exec plugins
 * and proxies are the official client's work. Throws `Fatal` where there is none.
 */
export function kubeConnection(kubeconfig: string | undefined): KubeConnection {
  let config = load(kubeconfig);
  const cluster = config.getCurrentCluster();
  if (cluster === null || cluster.server === "http://localhost:8080") {
    throw new Fatal(
      "found no Kubernetes cluster: give --kubeconfig, set KUBECONFIG, or run in a pod of the cluster",
    );
  }
  const context = config.getContextObject(config.getCurrentContext());
  const agents = new Map<string, Agent>();
  let known: { readonly untilMs: number; readonly options: Promise<RequestOptions> } | undefined;

  async function fresh(): Promise<RequestOptions> {
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options as never);
    if (cluster?.proxyUrl !== undefined || cluster?.server.startsWith("http:")) return options;
    // The client's own agent would keep the first certificate for ever, and no connection.
    const { ca, cert, key } = options;
    const identity = [ca, cert, key].map((part) => String(part as string | undefined)).join("\n");
    let agent = agents.get(identity);
    if (agent === undefined) {
      agents.clear();
      agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, ca, cert, key });
      agents.set(identity, agent);
    }
    return { ...options, agent };
  }

  return {
    server: cluster.server,
    namespace: context?.namespace ?? "default",
    isInCluster: cluster.name === "inCluster",
    isProxied: cluster.proxyUrl !== undefined,
    options() {
      const nowMs = performance.now();
      if (known === undefined || known.untilMs < nowMs) {
        const options = fresh();
        known = { untilMs: nowMs + OPTIONS_MS, options };
        options.catch(() => {
          known = undefined;
        });
      }
      return known.options;
    },
    renew() {
      known = undefined;
      // The official client keeps what an exec plugin gave until it expires, refused or not.
      try {
        config = load(kubeconfig);
      } catch {
        // Somebody is writing it: the old one is no worse.
      }
    },
  };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly patch?: "apply" | "merge";
}

const PATCH_TYPES = {
  apply: "application/apply-patch+yaml",
  merge: "application/merge-patch+json",
} as const;

type OnAnswer = (method: string, status: number) => void;
type Send = (call: Call, signal: AbortSignal, extra?: RequestOptions) => Promise<IncomingMessage>;

/** Sends requests over the connection; an answer of any kind is one. */
const sender =
  (connection: KubeConnection, onAnswer: OnAnswer): Send =>
  async ({ method, path, query = {}, body, patch }, signal, extra = {}) => {
    const what = `${method} ${path}`;
    const options = await optionsOf(connection, what);
    const search = new URLSearchParams(query).toString();
    const url = new URL(path + (search === "" ? "" : `?${search}`), connection.server);
    const request = url.protocol === "http:" ? httpRequest : httpsRequest;
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(options.headers as Record<string, string>),
      accept: "application/json",
      ...(payload !== undefined && {
        "content-type": patch === undefined ? "application/json" : PATCH_TYPES[patch],
        "content-length": Buffer.byteLength(payload),
      }),
    };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = request(url, { ...options, ...extra, method, signal, headers }, resolve);
    sent.on("error", (error) => {
      onAnswer(method, 0);
      reject(new KubeError(what, 0, "", causes(error), { cause: error }));
    });
    sent.end(payload);
    return promise;
  };

const optionsOf = (connection: KubeConnection, what: string): Promise<RequestOptions> =>
  connection.options().catch((error: unknown): never => {
    throw new KubeError(what, 0, "", `no credentials: ${causes(error)}`, { cause: error });
  });

/** The API server over that connection; `onAnswer` counts what it answers, 0 for nothing. */
export function kubeClient(connection: KubeConnection, onAnswer: OnAnswer = () => {}) {
  const send = sender(connection, onAnswer);
  return {
    async call(call: Call): Promise<unknown> {
      const what = `${call.method} ${call.path}`;
      const response = await send(call, AbortSignal.timeout(LIMIT_MS));
      const text = await textOf(response, what);
      const status = response.statusCode ?? 0;
      onAnswer(call.method, status);
      if (status === 401) connection.renew();
      if (status >= 200 && status < 300) return text === "" ? undefined : parsed(text, what);
      throw refusal(what, status, text);
    },
    async *watch(path: string, query: Query, signal: AbortSignal): AsyncGenerator<string> {
      const what = `WATCH ${path}`;
      const { ca, cert, key } = await optionsOf(connection, what);
      const isDirect = connection.server.startsWith("https:") && !connection.isProxied;
      // A watch takes no connection from the requests.
      const agent = isDirect ? new Agent({ ca, cert, key, keepAlive: false }) : undefined;
      const response = await send({ method: "GET", path, query }, signal, agent ? { agent } : {});
      const status = response.statusCode ?? 0;
      onAnswer("WATCH", status);
      if (status !== 200) throw refusal(what, status, await textOf(response, what));
      // TCP's own keep-alive beside the idle timer: the kernel may know of a dead peer first.
      response.socket.setKeepAlive(true, 30_000);
      try {
        for await (const line of splitLines(response)) {
          if (line === undefined) throw new KubeError(what, 410, "Expired", "a line is too long");
          yield line;
        }
      } catch (error) {
        if (error instanceof KubeError) throw error;
        throw new KubeError(what, 0, "", causes(error), { cause: error });
      } finally {
        response.destroy();
      }
    },
  };
}

function refusal(what: string, status: number, text: string): KubeError {
  const { reason = "", message = text.slice(0, 500) } = parsedStatus(text);
  return new KubeError(what, status, reason, message);
}

async function textOf(response: IncomingMessage, what: string): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  try {
    for await (const chunk of response as AsyncIterable<string>) text += chunk;
  } catch (error) {
    throw new KubeError(what, 0, "", causes(error), { cause: error });
  }
  return text;
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new KubeError(what, 0, "", "its answer is no JSON", { cause: error });
  }
}

function parsedStatus(text: string): { readonly reason?: string; readonly message?: string } {
  try {
    const { reason, message } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return {
      ...(typeof reason === "string" && { reason }),
      ...(typeof message === "string" && { message }),
    };
  } catch {
    return {};
  }
}

/** Set in every pod (Kubernetes documentation, accessing the API from a pod). */
const NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/** The namespace of the pod that we run in; undefined outside of a cluster. */
export function podNamespace(): string | undefined {
  try {
    return readFileSync(NAMESPACE_FILE, "utf8").trim();
  } catch {
    return undefined;
  }
}
