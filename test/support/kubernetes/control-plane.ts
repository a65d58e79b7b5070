import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes, randomInt } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request as httpsRequest } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../../lib/kubernetes/object.ts";
import { AUDIT_POLICY, writesIn } from "./audit.ts";
import { builtBinary } from "./build.ts";
import { wholeChain } from "./chain.ts";

const HOST = "127.0.0.1";
/** Less than a test may take: a wait that gives up tells what it has waited for. */
const LIMIT_MS = 90_000;

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of the API server is whatever the test looks for.
  readonly body: any;
}

type Component = "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "nodes";

/** A real Kubernetes control plane on loopback: every component a process of one binary. No container runs. */
export interface ControlPlane {
  readonly server: string;
  /** Kubeconfig of an administrator. */
  readonly kubeconfig: string;
  /** A kubeconfig of a service account, so that the roles under test are in force. */
  serviceAccount(namespace: string, name: string): Promise<string>;
  /** One request as an administrator. */
  ask(method: string, path: string, body?: unknown, type?: string): Promise<Answer>;
  /** What `look` finds at this path, as soon as it finds something. */
  until<T>(
    path: string,
    look: (body: Answer["body"], status: number) => T | undefined | false,
  ): Promise<T>;
  /** Applies the manifests of a file. */
  apply(file: URL): Promise<void>;
  /** What this user has written after this moment, leases aside: `patch deployments/web`. */
  writes(user: string, sinceMs?: number): readonly string[];
  /** The component's process, while it runs. */
  pid(component: Component): number;
  /** Ends a component as a crash does; it is started again by `restart`. */
  crash(component: Component): Promise<void>;
  restart(component: Component): Promise<void>;
  stop(): Promise<void>;
}

export async function controlPlane({
  apiServerFlags = [],
  prepare,
}: {
  readonly apiServerFlags?: readonly string[];
  /** What is there before the controllers start: the garbage collector learns of a new kind only every half minute. */
  readonly prepare?: (plane: ControlPlane) => Promise<void>;
} = {}): Promise<ControlPlane> {
  const binary = await builtBinary();
  const folder = mkdtempSync(join(tmpdir(), "kubernetes-"));
  const at = (name: string) => join(folder, name);
  const [api = 0, etcd = 0, peer = 0] = await freePorts(3);
  const server = `https://${HOST}:${api}`;
  const token = randomBytes(16).toString("hex");
  const processes = new Map<Component, ChildProcess>();
  const commands = new Map<Component, readonly string[]>();
  const expected = new WeakSet<ChildProcess>();
  const exits: string[] = [];
  let certificate = "";
  let agent = new Agent({ keepAlive: true });

  const start = (component: Component, args: readonly string[]): void => {
    commands.set(component, args);
    const log = openSync(at(`${component}.log`), "a");
    const child = spawn(binary, [component, ...args], { stdio: ["ignore", log, log], cwd: folder });
    closeSync(log);
    processes.set(component, child);
    child.once("exit", (code, signal) => {
      if (!expected.has(child)) exits.push(`${component} ended with ${code ?? signal}`);
    });
  };
  const end = async (component: Component, signal: NodeJS.Signals): Promise<void> => {
    const child = processes.get(component);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    expected.add(child);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), 2_000);
    await gone;
    clearTimeout(timer);
  };

  const ask: ControlPlane["ask"] = (method, path, body, type = "application/json") => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const sent = httpsRequest(
      server + path,
      {
        method,
        agent,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { "content-type": type }),
        },
      },
      (response) => {
        response.setEncoding("utf8");
        let text = "";
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", reject);
        response.on("end", () => {
          let parsed: unknown = text;
          try {
            parsed = JSON.parse(text);
          } catch {}
          resolve({ status: response.statusCode ?? 0, body: parsed });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  };

  async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
    const untilMs = Date.now() + LIMIT_MS;
    let last: unknown;
    while (Date.now() < untilMs) {
      if (exits.length > 0) throw new Error(`${exits.join("; ")}, see ${folder}`);
      try {
        const found = await look();
        if (found !== undefined && found !== false) return found;
      } catch (error) {
        last = error;
      }
      await sleep(50);
    }
    throw new Error(`${what}: waited in vain for ${LIMIT_MS / 1000} s`, { cause: last });
  }
  const untilReady = () =>
    until("/readyz", async () => (await ask("GET", "/readyz")).status === 200);

  const kubeconfig = (name: string, bearer: string): string => {
    const file = at(`${name}.kubeconfig`);
    writeFileSync(
      file,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "test",
        clusters: [
          {
            name: "test",
            cluster: {
              server,
              "certificate-authority-data": Buffer.from(certificate).toString("base64"),
            },
          },
        ],
        users: [{ name: "user", user: { token: bearer } }],
        contexts: [
          { name: "test", context: { cluster: "test", user: "user", namespace: "default" } },
        ],
      }),
      { mode: 0o600 },
    );
    return file;
  };

  function startComponents(): void {
    writeFileSync(at("tokens.csv"), `${token},admin,admin,system:masters\n`, { mode: 0o600 });
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    writeFileSync(at("sa.key"), privateKey.export({ type: "sec1", format: "pem" }), {
      mode: 0o600,
    });
    writeFileSync(at("audit.json"), JSON.stringify(AUDIT_POLICY));
    start("etcd", [
      `--data-dir=${at("etcd")}`,
      `--listen-client-urls=http://${HOST}:${etcd}`,
      `--advertise-client-urls=http://${HOST}:${etcd}`,
      `--listen-peer-urls=http://${HOST}:${peer}`,
      `--initial-advertise-peer-urls=http://${HOST}:${peer}`,
      `--initial-cluster=default=http://${HOST}:${peer}`,
      "--unsafe-no-fsync",
      "--log-level=warn",
    ]);
    start("kube-apiserver", [
      `--etcd-servers=http://${HOST}:${etcd}`,
      `--bind-address=${HOST}`,
      `--advertise-address=${HOST}`,
      `--secure-port=${api}`,
      `--cert-dir=${at("certs")}`,
      `--service-account-issuer=${server}`,
      `--service-account-key-file=${at("sa.key")}`,
      `--service-account-signing-key-file=${at("sa.key")}`,
      `--token-auth-file=${at("tokens.csv")}`,
      "--authorization-mode=RBAC",
      // A controller must have the right to block the deletion of an owner that it names.
      "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
      "--service-cluster-ip-range=10.96.0.0/16",
      "--allow-privileged=true",
      // Its own Endpoints object would name a loopback address, which the API refuses.
      "--endpoint-reconciler-type=none",
      `--audit-log-path=${at("audit.log")}`,
      `--audit-policy-file=${at("audit.json")}`,
      ...apiServerFlags,
    ]);
  }

  function startControllers(admin: string): void {
    const client = [
      "--leader-elect=false",
      `--kubeconfig=${admin}`,
      `--authentication-kubeconfig=${admin}`,
      `--authorization-kubeconfig=${admin}`,
      "--secure-port=0",
    ];
    start("kube-controller-manager", [
      ...client,
      `--service-account-private-key-file=${at("sa.key")}`,
      "--use-service-account-credentials=false",
      "--kube-api-qps=400",
      "--kube-api-burst=800",
      `--controllers=${CONTROLLERS.join(",")}`,
    ]);
    start("kube-scheduler", client);
    start("nodes", [admin, "12"]);
  }

  const plane: ControlPlane = {
    server,
    get kubeconfig() {
      return at("admin.kubeconfig");
    },
    async serviceAccount(namespace, name) {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
      const { status, body } = await ask("POST", path, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 3_600 },
      });
      if (status !== 201) throw new Error(`no token: ${JSON.stringify(body)}`);
      return kubeconfig(name, (body as { status: { token: string } }).status.token);
    },
    ask,
    until: (path, look) =>
      until(path, async () => {
        const { status, body } = await ask("GET", path);
        return look(body, status);
      }),
    async apply(file) {
      for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
        const object = document.toJS() as KubeObject;
        const { status, body } = await ask(
          "PATCH",
          `${applyPath(object)}?fieldManager=test&force=true&fieldValidation=Strict`,
          object,
          "application/apply-patch+yaml",
        );
        if (status > 201) throw new Error(`${object.kind}: ${JSON.stringify(body)}`);
      }
    },
    writes: (user, sinceMs = 0) => writesIn(readFileSync(at("audit.log"), "utf8"), user, sinceMs),
    pid: (component) => processes.get(component)?.pid ?? Number.NaN,
    crash: (component) => end(component, "SIGKILL"),
    async restart(component) {
      start(component, commands.get(component) ?? []);
      if (component !== "kube-apiserver") return;
      // No request may find a connection to the one that crashed.
      agent.destroy();
      agent = new Agent({ keepAlive: true, ca: certificate });
      await untilReady();
    },
    async stop() {
      agent.destroy();
      for (const one of [...processes.keys()].toReversed()) await end(one, "SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };

  try {
    startComponents();
    certificate = await until("the API server's certificate", async () =>
      wholeChain(readFileSync(at("certs/apiserver.crt"), "utf8")),
    );
    agent = new Agent({ keepAlive: true, ca: certificate });
    await untilReady();
    const admin = kubeconfig("admin", token);
    await prepare?.(plane);
    startControllers(admin);
    // A pod needs the namespace's own account, which the controller manager makes.
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    await plane.until(account, (_, status) => status === 200);
    return plane;
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

const CONTROLLERS = [
  "deployment-controller",
  "replicaset-controller",
  "daemonset-controller",
  "garbage-collector-controller",
  "namespace-controller",
  "serviceaccount-controller",
  "root-ca-certificate-publisher-controller",
  "endpointslice-controller",
];

/** From here on up the kernel gives ports to whoever asks for any (Linux, ip_local_port_range). */
const LEAST_EPHEMERAL = 32_768;

/** Ports that nobody listens on, and that no connection of another test gets meanwhile. */
async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(20_000, LEAST_EPHEMERAL);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer().once("error", () => resolve(false));
  server.listen(port, HOST, () => server.close(() => resolve(true)));
  return promise;
}

const PLURALS: Readonly<Record<string, string>> = {
  PersistentVolume: "persistentvolumes",
  Namespace: "namespaces",
  CustomResourceDefinition: "customresourcedefinitions",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
};

/** Where an object is applied to. */
export function applyPath({
  apiVersion = "v1",
  kind = "",
  metadata,
}: Pick<KubeObject, "apiVersion" | "kind"> & {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}): string {
  const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const ofCluster = PLURALS[kind];
  if (ofCluster !== undefined) return `${base}/${ofCluster}/${metadata.name}`;
  const namespace = metadata.namespace ?? "default";
  return `${base}/namespaces/${namespace}/${kind.toLowerCase()}s/${metadata.name}`;
}
