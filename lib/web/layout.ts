import { type EngineText, engine, joined } from "./engine-text.ts";
import { TLS_PORT } from "./ports.ts";
import type { Hosts, Server, VirtualHost } from "./virtual-hosts.ts";

/**
 * A backend of the engine, written into its configuration before anybody needs it: `s` is sticky by address, `r` takes
 * turns, `k` is sticky by cookie and can't be changed while the engine runs.
 */
type SlotKind = "s" | "r" | "k";
export type Slot = `${SlotKind}${number}`;

/** `maint`: it gets nothing, and is deleted once its last connection has ended. */
export interface Member extends Omit<Server, "state" | "container"> {
  readonly state: "ready" | "drain" | "maint";
}

/** A file of keys and values; the name is also how the engine calls it. */
export type MapName = string;
export type MapEntries = ReadonlyMap<string, string>;

/** What the engine holds, or is to hold: what its files say, and what its commands made of it since. */
export interface Layout {
  /** What it listens on, in order. */
  readonly ports: readonly number[];
  /** How many backends of each kind there are. */
  readonly counts: Readonly<Record<SlotKind, number>>;
  /** The backend of each virtual host, by its key. */
  readonly slots: ReadonlyMap<string, Slot>;
  readonly members: ReadonlyMap<Slot, ReadonlyMap<string, Member>>;
  readonly maps: ReadonlyMap<MapName, MapEntries>;
  /** How often each ordered map was replaced since the engine has read its files: its versions are numbered. */
  readonly versions: ReadonlyMap<MapName, number>;
}

const FEWEST: Readonly<Record<SlotKind, number>> = { s: 64, r: 16, k: 0 };

export const EMPTY: Layout = {
  ports: [],
  counts: FEWEST,
  slots: new Map(),
  members: new Map(),
  maps: new Map(),
  versions: new Map(),
};

/** Maps that hold for all ports. `acme.map` belongs to whoever answers challenges. */
const SLOT_MAPS = ["max.map", "timeout.map", "https.map"] as const;
export const ACME_MAP = "acme.map";
const PORT_MAPS = ["plain", "hosts", "wild", "paths", "short"] as const;
export const portMap = (kind: (typeof PORT_MAPS)[number], port: number): MapName =>
  `${kind}-${port}.map`;
/** Matched in their order, the longest first, so it is only ever replaced whole. */
const isOrdered = (map: MapName): boolean => map.startsWith("wild-");

export const mapsOf = (ports: readonly number[]): readonly MapName[] => [
  ...SLOT_MAPS,
  ACME_MAP,
  ...ports.flatMap((port) => PORT_MAPS.map((kind) => portMap(kind, port))),
];

const kindOf = ({ options }: VirtualHost): SlotKind =>
  options.sticky === "ip" ? "s" : options.sticky === "off" ? "r" : "k";

/** Why the engine must read its files anew. */
type ReloadReason = "another listen port" | "no free backend" | "sticky by cookie";

export interface NextLayout {
  readonly layout: Layout;
  /** Undefined when commands are enough. */
  readonly reload?: ReloadReason;
}

/**
 * The layout that serves these hosts on these ports, as near to the one before as can be: a host keeps its backend, a new
 * one takes a free one. A backend is free when nobody has it and its last server is deleted. When there is none, there
 * are to be twice as many.
 *
 * With a reload the layout is what the files are to say: servers that only wait for their end are left out, because the
 * process that holds their connections ends them.
 */
export function nextLayout(
  before: Layout,
  { hosts, shorts }: Hosts,
  ports: readonly number[],
): NextLayout {
  const served = hosts.filter(({ listen }) => ports.includes(listen));
  const placed = place(before, served);
  const base = placed ?? place({ ...before, members: new Map() }, served, true);
  if (base === undefined) throw new RangeError("no room for the virtual hosts in a new layout");
  const { slots, counts } = base;
  const desired = new Map(
    served.map((host) => [
      slots.get(host.key) as Slot,
      new Map(host.servers.map((server) => [server.name, memberOf(server)])),
    ]),
  );
  const maps = mapEntries(
    served,
    shorts.filter(({ listen }) => ports.includes(listen)),
    slots,
    ports,
  );
  const fresh: Layout = { ports, counts, slots, members: desired, maps, versions: new Map() };
  const reload = reloadReason(before, fresh, placed === undefined);
  if (reload !== undefined) return { layout: fresh, reload };
  const versions = new Map(before.versions);
  for (const [map, entries] of maps) {
    if (isOrdered(map) && !sameOrder(before.maps.get(map), entries)) {
      versions.set(map, (versions.get(map) ?? 0) + 1);
    }
  }
  return { layout: { ...fresh, members: withLeavers(before, desired), versions } };
}

const sameOrder = (a: MapEntries = new Map(), b: MapEntries): boolean =>
  JSON.stringify([...a]) === JSON.stringify([...b]);

function reloadReason(before: Layout, next: Layout, isFull: boolean): ReloadReason | undefined {
  if (next.ports.join() !== before.ports.join()) return "another listen port";
  if (isFull) return "no free backend";
  return cookieServers(before) === cookieServers(next) ? undefined : "sticky by cookie";
}

/** The servers that clients are bound to by cookie, as one text. */
const cookieServers = ({ members }: Layout): string =>
  [...members]
    .filter(([slot]) => slot.startsWith("k"))
    .flatMap(([slot, of]) =>
      [...of.values()]
        .filter(({ state }) => state === "ready")
        .map(({ name }) => `${slot}/${name}`),
    )
    .toSorted((a, b) => (a < b ? -1 : 1))
    .join();

/** Undefined when there are too few backends of some kind, unless more may be made. */
function place(
  before: Layout,
  hosts: readonly VirtualHost[],
  mayGrow = false,
): Pick<Layout, "slots" | "counts"> | undefined {
  const slots = new Map<string, Slot>();
  for (const host of hosts) {
    const had = before.slots.get(host.key);
    if (had?.startsWith(kindOf(host))) slots.set(host.key, had);
  }
  const isBusy = new Set<Slot>([
    ...slots.values(),
    ...[...before.members].filter(([, members]) => members.size > 0).map(([slot]) => slot),
  ]);
  const counts = { ...before.counts };
  const nextFree: Record<SlotKind, number> = { s: 0, r: 0, k: 0 };
  for (const host of hosts) {
    if (slots.has(host.key)) continue;
    const kind = kindOf(host);
    while (isBusy.has(`${kind}${nextFree[kind]}`)) nextFree[kind] += 1;
    if (nextFree[kind] >= counts[kind]) {
      if (kind !== "k" && !mayGrow) return undefined;
      counts[kind] = Math.max(nextFree[kind] + 1, counts[kind] * (kind === "k" ? 1 : 2));
    }
    const slot: Slot = `${kind}${nextFree[kind]}`;
    nextFree[kind] += 1;
    slots.set(host.key, slot);
  }
  return { slots, counts };
}

const memberOf = ({ name, address, port, state, weight, proto }: Server): Member => ({
  name,
  address,
  port,
  weight,
  proto,
  state: state === "serving" ? "ready" : "drain",
});

/** The desired members, and those that are still to be deleted. */
function withLeavers(
  before: Layout,
  desired: ReadonlyMap<Slot, ReadonlyMap<string, Member>>,
): Layout["members"] {
  const all = new Map<Slot, ReadonlyMap<string, Member>>(desired);
  for (const [slot, members] of before.members) {
    const wanted = desired.get(slot) ?? new Map<string, Member>();
    const leavers = [...members.values()]
      .filter(({ name }) => !wanted.has(name))
      .map((member): [string, Member] => [member.name, { ...member, state: "maint" }]);
    if (leavers.length + wanted.size > 0) all.set(slot, new Map([...wanted, ...leavers]));
  }
  return all;
}

/**
 * What the engine looks up, for each listen port:
 * - `plain`: what clients send as the host → backend, of hosts for which that is all there is to know;
 * - `hosts`: host → full name; of a short name that is served, too;
 * - `wild`: `.x.com` → `*.x.com`, the longest first;
 * - `paths`: full name and path, with a slash behind it → backend; the longest wins;
 * - `short`: short name → where to send its clients.
 */
function mapEntries(
  hosts: readonly VirtualHost[],
  shorts: Hosts["shorts"],
  slots: ReadonlyMap<string, Slot>,
  ports: readonly number[],
): ReadonlyMap<MapName, MapEntries> {
  const maps = new Map<MapName, Map<string, string>>(
    mapsOf(ports).map((name) => [name, new Map()]),
  );
  maps.delete(ACME_MAP);
  const put = (map: MapName, key: string, value: string) => void maps.get(map)?.set(key, value);
  const wildcards = hosts.filter(({ name }) => name.startsWith("*."));
  for (const { listen, name } of wildcards.toSorted((a, b) => b.name.length - a.name.length)) {
    put(portMap("wild", listen), name.slice(1), name);
  }
  for (const host of hosts) {
    const { listen, name, path, key, options } = host;
    const slot = slots.get(key) as Slot;
    if (!name.startsWith("*.")) put(portMap("hosts", listen), name, name);
    put(portMap("paths", listen), `${name}${path}/`, slot);
    if (options.uploadBytes !== undefined) put("max.map", slot, String(options.uploadBytes));
    if (options.timeoutMs !== undefined) put("timeout.map", slot, String(options.timeoutMs));
    if (options.redirect === "https" && listen !== TLS_PORT) put("https.map", slot, "443");
  }
  for (const { listen, name, key } of hosts.filter(isPlainAmong(hosts))) {
    put(portMap("plain", listen), withPort(name, listen), slots.get(key) as Slot);
  }
  for (const { listen, short, name, redirects } of shorts) {
    if (redirects) put(portMap("short", listen), short, withPort(name, listen));
    else put(portMap("hosts", listen), short, name);
  }
  return maps;
}

/** Whether a request for the host can be sent on whatever its path is, and without a limit of its own. */
function isPlainAmong(hosts: readonly VirtualHost[]): (host: VirtualHost) => boolean {
  const withPaths = new Set(
    hosts.filter(({ path }) => path !== "").map(({ listen, name }) => `${listen} ${name}`),
  );
  return ({ listen, name, path, options }) =>
    path === "" &&
    !name.startsWith("*.") &&
    options.timeoutMs === undefined &&
    (options.redirect !== "https" || listen === TLS_PORT) &&
    !withPaths.has(`${listen} ${name}`);
}

/** As clients write it: the port is left out where the scheme says it. */
const withPort = (name: string, listen: number): string =>
  listen === 80 || listen === TLS_PORT ? name : `${name}:${listen}`;

/** One command, or several that belong together, and what it is for. */
export type Command = EngineText;

/**
 * The commands that lead from one layout to the other, both of the same files. What comes is there before anything leads
 * to it, and nothing leads to what goes before it goes.
 */
export function commandsBetween(before: Layout, after: Layout): readonly Command[] {
  const comes: Command[] = [];
  const goes: Command[] = [];
  for (const [slot, members] of after.members) {
    for (const member of members.values()) {
      const had = before.members.get(slot)?.get(member.name);
      const list = member.state === "ready" ? comes : goes;
      if (had === undefined) comes.push(addServer(slot, member));
      if (had === undefined && member.state === "ready") {
        comes.push(engine`enable server ${slot}/${member.name}`);
      } else if (had !== undefined && had.state !== member.state) {
        list.push(engine`set server ${slot}/${member.name} state ${member.state}`);
        // Files give one that drains no weight.
        if (had.state === "drain" && member.state === "ready") {
          list.push(engine`set server ${slot}/${member.name} weight ${member.weight}`);
        }
      }
    }
  }
  return [...comes, ...mapCommands(before, after), ...goes];
}

function addServer(slot: Slot, { name, address, port, weight, proto }: Member): Command {
  const at = engine`add server ${slot}/${name} ${address}:${port} id ${serverId(name)} weight ${weight}`;
  return protoWords(at, proto);
}

/** How the engine speaks to a server, as the end of a line that names it. */
export function protoWords(line: EngineText, proto: Member["proto"]): EngineText {
  switch (proto) {
    case "http":
      return line;
    case "https":
      return joined(line, engine` ssl verify none`);
    case "h2":
    case "grpc":
      return joined(line, engine` proto h2`);
  }
}

/**
 * The number by which clients are bound to a server, from its name: so the same server is the same number before and
 * after a reload. FNV-1a, 31 bits, never 0.
 */
export function serverId(name: string): number {
  let sum = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1)
    sum = Math.imul(sum ^ name.charCodeAt(at), 0x01000193);
  return sum >>> 1 || 1;
}

function mapCommands(before: Layout, after: Layout): readonly Command[] {
  const adds: Command[] = [];
  const dels: Command[] = [];
  for (const [map, entries] of after.maps) {
    const had = before.maps.get(map) ?? new Map<string, string>();
    if (isOrdered(map)) {
      if (!sameOrder(had, entries)) adds.push(...replaceMap(map, entries, after.versions.get(map)));
      continue;
    }
    for (const [key, value] of entries) {
      const old = had.get(key);
      if (old === undefined) adds.push(engine`add map ${map} ${key} ${value}`);
      else if (old !== value) adds.push(engine`set map ${map} ${key} ${value}`);
    }
    for (const key of had.keys()) if (!entries.has(key)) dels.push(engine`del map ${map} ${key}`);
  }
  return [...adds, ...dels];
}

/** All at once: until the new version is committed the old one holds. */
const replaceMap = (map: MapName, entries: MapEntries, version = 1): readonly Command[] => [
  engine`prepare map ${map}`,
  ...[...entries].map(([key, value]) => engine`add map @${version} ${map} ${key} ${value}`),
  engine`commit map @${version} ${map}`,
];

/** The commands that delete the servers which only wait for it. Each is refused while it has connections. */
export const deletionsIn = ({
  members,
}: Layout): readonly (Leaver & { readonly command: Command })[] =>
  [...members].flatMap(([slot, of]) =>
    [...of.values()]
      .filter(({ state }) => state === "maint")
      .map(({ name }) => ({ slot, name, command: engine`del server ${slot}/${name}` })),
  );

export interface Leaver {
  readonly slot: Slot;
  readonly name: string;
}

/** The layout without servers that are deleted. */
export function without(layout: Layout, deleted: readonly Leaver[]): Layout {
  const members = new Map(layout.members);
  for (const { slot, name } of deleted) {
    const left = new Map(members.get(slot));
    left.delete(name);
    if (left.size === 0) members.delete(slot);
    else members.set(slot, left);
  }
  return { ...layout, members };
}
