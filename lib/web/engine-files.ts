import { type EngineText, engine, engineLines, joined } from "./engine-text.ts";
import {
  ACME_MAP,
  type Layout,
  type MapEntries,
  type MapName,
  type Member,
  mapsOf,
  portMap,
  protoWords,
  type Slot,
  serverId,
} from "./layout.ts";
import { TLS_PORT } from "./ports.ts";

/** How the engine is set up besides what it serves. */
export interface EngineSettings {
  /** `0.0.0.0`, `::`, or one address of this host. */
  readonly listenAddress: string;
  /** Bytes; 0 for any. */
  readonly maxUploadBytes: number;
  readonly maxConnections: number;
  readonly threads: number;
}

/** What the engine reads when it starts, by name within its folder. */
export interface EngineFiles {
  readonly config: string;
  readonly maps: ReadonlyMap<MapName, string>;
  readonly list: string;
  readonly certificates: readonly { readonly file: string; readonly pem: string }[];
}

/** Names within the engine's folder, which it takes for its own working directory: no path ever has to be quoted. */
export const CONFIG_FILE = "haproxy.cfg";
export const CERTIFICATE_LIST = "certificates.list";
export const ADMIN_SOCKET = "admin.sock";
export const MASTER_SOCKET = "master.sock";
export const INDEX_SOCKET = "index.sock";

/** No body is longer: a tebibyte. */
const ANY_SIZE = 1_099_511_627_776;
/** What a container may take to answer where its label says nothing. */
const ANSWER_MS = 60_000;

/** The whole configuration for a layout. The same layout gives the same text. */
export const configFile = (layout: Layout, settings: EngineSettings): string =>
  engineLines([
    ...globalSection(settings),
    ...layout.ports.flatMap((port) => frontend(port, settings)),
    engine`backend index`,
    engine`  server agent unix@${INDEX_SOCKET}`,
    ...(["s", "r", "k"] as const).flatMap((kind) =>
      Array.from({ length: layout.counts[kind] }, (_, number) => {
        const slot: Slot = `${kind}${number}`;
        return backend(slot, [...(layout.members.get(slot)?.values() ?? [])]);
      }).flat(),
    ),
  ]);

/** The map files of a layout, by name. */
export function mapFiles(layout: Layout, challenges: MapEntries): ReadonlyMap<MapName, string> {
  const maps = new Map([...layout.maps, [ACME_MAP, challenges] as const]);
  return new Map(
    mapsOf(layout.ports).map((name) => {
      const lines = [...(maps.get(name) ?? [])].map(([key, value]) => engine`${key} ${value}`);
      return [name, engineLines(lines)];
    }),
  );
}

/** The list of certificates, by file and the names that each is for; the first is for all others. */
export const certificateList = (
  certificates: readonly { readonly file: string; readonly names: readonly string[] }[],
): string => engineLines(certificates.map(certificateLine));

export const certificateLine = ({
  file,
  names,
}: {
  readonly file: string;
  readonly names: readonly string[];
}): EngineText => joined(engine`${file}`, ...names.map((name) => engine` ${name}`));

const globalSection = ({ maxConnections, threads }: EngineSettings): readonly EngineText[] => [
  engine`global`,
  engine`  maxconn ${maxConnections}`,
  engine`  nbthread ${threads}`,
  engine`  hard-stop-after 1h`,
  engine`  stats socket unix@${ADMIN_SOCKET} mode 600 level admin expose-fd listeners`,
  engine`  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets`,
  engine`defaults`,
  engine`  mode http`,
  // Also the pause before a retry: keep it short.
  engine`  timeout connect 300ms`,
  engine`  timeout client 60s`,
  engine`  timeout server ${ANSWER_MS}ms`,
  engine`  timeout http-keep-alive 60s`,
  engine`  timeout http-request 15s`,
  // All that a WebSocket needs.
  engine`  timeout tunnel 1h`,
  engine`  retries 4`,
  engine`  option redispatch 1`,
  engine`  retry-on conn-failure empty-response`,
  engine`  option http-restrict-req-hdr-names delete`,
  // A reload must not close a connection under its client's next request.
  engine`  option idle-close-on-response`,
];

function frontend(
  port: number,
  { listenAddress, maxUploadBytes }: EngineSettings,
): readonly EngineText[] {
  const isTls = port === TLS_PORT;
  const map = (kind: Parameters<typeof portMap>[0]) => portMap(kind, port);
  const scheme = isTls ? "https" : "http";
  const bind = engine`  bind ${listenAddress}:${port}`;
  const dual = listenAddress === "::" ? joined(bind, engine` v4v6`) : bind;
  const tls = engine` ssl crt-list ${CERTIFICATE_LIST} alpn h2,http/1.1`;
  return [
    engine`frontend p${port}`,
    isTls ? joined(dual, tls) : dual,
    engine`  option forwardfor`,
    engine`  http-request del-header Proxy`,
    engine`  http-request set-header X-Real-IP %[src]`,
    engine`  http-request set-header X-Forwarded-Proto ${scheme}`,
    engine`  http-request set-header X-Forwarded-Port ${port}`,
    // Most requests need nothing but one look-up: what is below is for all others, and costs as much as the rest together.
    engine`  http-request set-var(txn.to) req.hdr(host),map(${map("plain")}) if METH_GET`,
    engine`  http-request allow if { var(txn.to) -m found } !{ req.fhdr(content-length) -m found } !{ path_beg /.well-known/acme-challenge/ }`,
    engine`  http-request set-var(txn.host) req.hdr(host),field(1,:),lower,rtrim(.)`,
    engine`  http-request set-var(txn.path) path`,
    // The answer to an ACME challenge, before anything else could send it elsewhere.
    engine`  http-request set-var(txn.token) path,field(4,/) if { path_beg /.well-known/acme-challenge/ }`,
    engine`  http-request return status 200 content-type application/octet-stream lf-string "%[var(txn.token),map(${ACME_MAP})]" if { var(txn.token),map(${ACME_MAP}) -m found }`,
    engine`  http-request set-var(txn.name) var(txn.host),map(${map("hosts")})`,
    engine`  http-request set-var(txn.at) var(txn.name)`,
    engine`  http-request set-var(txn.name) var(txn.host),map_end(${map("wild")}) unless { var(txn.name) -m found }`,
    engine`  http-request set-var(txn.at) var(txn.host) unless { var(txn.at) -m found }`,
    engine`  http-request redirect code 301 location ${scheme}://%[var(txn.host),map(${map("short")})]%[pathq] if !{ var(txn.name) -m found } { var(txn.host),map(${map("short")}) -m found }`,
    // A slash behind the path: so /api/ as a beginning takes /api and /api/x, but not /apix.
    engine`  http-request set-var(txn.to) var(txn.name),concat(,txn.path,/),map_beg(${map("paths")})`,
    ...(isTls
      ? []
      : [
          engine`  http-request redirect code 301 location https://%[var(txn.at)]%[pathq] if { var(txn.to),map(https.map) -m found }`,
        ]),
    engine`  http-request set-var(txn.max) var(txn.to),map_str_int(max.map,${maxUploadBytes || ANY_SIZE}) if { req.fhdr(content-length) -m found }`,
    engine`  http-request set-var(txn.max) int(${ANY_SIZE}) if { var(txn.max) -m int 0 }`,
    engine`  http-request return status 413 content-type text/plain string "too large\\n" if { var(txn.max) -m found } { req.hdr_val(content-length),sub(txn.max) gt 0 }`,
    // A request that may have had its effect is not sent twice.
    engine`  http-request disable-l7-retry unless METH_GET or { method HEAD OPTIONS }`,
    engine`  http-request set-var(txn.timeout) var(txn.to),map_str_int(timeout.map)`,
    engine`  use_backend %[var(txn.to)] if { var(txn.to) -m found }`,
    engine`  default_backend index`,
  ];
}

function backend(slot: Slot, members: readonly Member[]): readonly EngineText[] {
  const isCookie = slot.startsWith("k");
  return [
    engine`backend ${slot}`,
    // To send a request twice its first copy has to be kept, which costs more than all our rules; alone there is nobody else.
    engine`  http-request disable-l7-retry if { nbsrv lt 2 }`,
    engine`  http-request set-timeout server var(txn.timeout) if { var(txn.timeout) -m found }`,
    ...(slot.startsWith("s")
      ? [engine`  balance source`, engine`  hash-type consistent`]
      : [engine`  balance roundrobin`]),
    ...(isCookie ? [engine`  cookie PROXY insert indirect nocache httponly`] : []),
    ...members
      .filter(({ state }) => state !== "maint")
      .map((member) => serverLine(member, isCookie)),
  ];
}

function serverLine(
  { name, address, port, weight, proto, state }: Member,
  isCookie: boolean,
): EngineText {
  const at = engine`  server ${name} ${address}:${port} id ${serverId(name)} weight ${state === "drain" ? 0 : weight}`;
  const line = protoWords(at, proto);
  return isCookie ? joined(line, engine` cookie ${serverId(name)}`) : line;
}
