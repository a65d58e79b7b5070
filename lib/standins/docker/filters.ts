/**
 * What the `filters` parameter of GET /events and GET /containers/json lets through.
 * Rules: moby `daemon/events/filter.go`, `daemon/list.go`, `daemon/internal/filters/parse.go`;
 * status codes and messages of API 1.41 as observed on dockerd 20.10.24.
 */

/** Key to wanted values. A key without values lets everything through, as the engine does. */
export type Filters = ReadonlyMap<string, ReadonlySet<string>>;

/** The part of an event that filters look at. */
export interface FilterableEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope?: string;
}

/** The part of a container that list filters look at. `name` is without the leading slash. */
export interface ListedContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: string;
  readonly health: string;
  readonly network?: string;
}

/** The engine's answer to a parameter it does not accept. */
export class RefusedParameter extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = "RefusedParameter";
    this.status = status;
  }
}

const eventKeys = new Set(
  "config container daemon event image label network node plugin scope secret service type volume".split(
    " ",
  ),
);

const modelledListKeys = new Set(["health", "id", "label", "name", "network", "status"]);

/** Known to the engine (`acceptedPsFilterTags`), but without a meaning in this stand-in. */
const otherListKeys = new Set(
  "ancestor before exited expose is-task isolation publish since volume".split(" "),
);

const states = new Set("created running paused restarting removing exited dead".split(" "));
const healths = new Set(["none", "starting", "healthy", "unhealthy"]);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

/**
 * Reads both spellings of the engine: lists of values, and maps of value to true.
 * Raises RefusedParameter for anything else: status 500 up to API 1.41, 400 later.
 */
export const parseFilters = (parameter: string, apiMinor: number): Filters => {
  const refused = () =>
    apiMinor <= 41
      ? new RefusedParameter(500, `invalid filters: ${parameter}`)
      : new RefusedParameter(400, "invalid filter");
  if (parameter === "") return new Map();
  let parsed: unknown;
  try {
    parsed = JSON.parse(parameter);
  } catch {
    throw refused();
  }
  if (!isRecord(parsed)) throw refused();
  const values = (wanted: unknown): ReadonlySet<string> => {
    if (isStrings(wanted)) return new Set(wanted);
    if (isRecord(wanted) && Object.values(wanted).every((on) => on === true)) {
      return new Set(Object.keys(wanted));
    }
    throw refused();
  };
  return new Map(Object.entries(parsed).map(([key, wanted]) => [key, values(wanted)]));
};

/**
 * Raises RefusedParameter (400) for a key that events do not have, on an engine of API 1.52 or
 * later. The real engine ignores such a key, and then sends everything; here the ignoring is kept
 * for the older engines only, so that a misspelt key shows in tests against the default one.
 */
export const checkEventFilters = (filters: Filters, apiMinor: number): void => {
  if (apiMinor < 52) return;
  for (const key of filters.keys()) {
    if (!eventKeys.has(key)) throw new RefusedParameter(400, `invalid filter '${key}'`);
  }
};

/** Wordings: moby `daemon/list.go` at v20.10.24, v25.0.0 and docker-v29.0.0. */
const refusedState = (value: string, apiMinor: number): string => {
  if (apiMinor <= 41) return `Invalid filter 'status=${value}'`;
  const why = `invalid value for state (${value}): must be one of ${[...states].join(", ")}`;
  return `invalid filter 'status=${value}'${apiMinor < 52 ? "" : `: ${why}`}`;
};

const refusedHealth = (value: string, apiMinor: number): string => {
  if (apiMinor <= 41) return `Unrecognised filter value for health: ${value}`;
  if (apiMinor < 52) return `unrecognized filter value for health: ${value}`;
  const why = `invalid value for health (${value}): must be one of ${[...healths].join(", ")}`;
  return `invalid filter 'health=${value}': ${why}`;
};

/** Raises RefusedParameter: 400 for what the engine refuses, 501 for what only the engine knows. */
export const checkListFilters = (filters: Filters, apiMinor: number): void => {
  for (const [key, wanted] of filters) {
    if (otherListKeys.has(key)) {
      throw new RefusedParameter(501, `filter '${key}' is not part of this stand-in`);
    }
    if (!modelledListKeys.has(key)) {
      throw new RefusedParameter(400, `${apiMinor <= 41 ? "I" : "i"}nvalid filter '${key}'`);
    }
    for (const value of wanted) {
      if (key === "status" && !states.has(value)) {
        throw new RefusedParameter(400, refusedState(value, apiMinor));
      }
      if (key === "health" && !healths.has(value)) {
        throw new RefusedParameter(400, refusedHealth(value, apiMinor));
      }
    }
  }
};

const none: ReadonlySet<string> = new Set();
const wantedOf = (filters: Filters, key: string): ReadonlySet<string> => filters.get(key) ?? none;

const exact = (wanted: ReadonlySet<string>, value: string): boolean =>
  wanted.size === 0 || wanted.has(value);

const prefix = (wanted: ReadonlySet<string>, value: string): boolean =>
  exact(wanted, value) || [...wanted].some((start) => value.startsWith(start));

/** The engine reads these values as unanchored regular expressions; a broken one matches nothing. */
const pattern = (wanted: ReadonlySet<string>, value: string): boolean =>
  exact(wanted, value) ||
  [...wanted].some((source) => {
    try {
      return new RegExp(source).test(value);
    } catch {
      return false;
    }
  });

/** Every wanted label must be there: `key` with any value, `key=value` with exactly that value. */
const labelled = (wanted: ReadonlySet<string>, labels: Readonly<Record<string, string>>): boolean =>
  [...wanted].every((label) => {
    const at = label.indexOf("=");
    const key = at === -1 ? label : label.slice(0, at);
    return Object.hasOwn(labels, key) && (at === -1 || labels[key] === label.slice(at + 1));
  });

/** One of these without its detail switches the whole `event` list to prefix matching. */
const openEnded = ["health_status", "exec_create", "exec_start"];

/** An image reference as `docker ps` shows it, without tag and digest. */
const withoutTag = (image: string): string => {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(image)) return image;
  const name = image.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  return name.replace(/^docker\.io\/(library\/)?/, "");
};

const namedKeys = "daemon container plugin volume network node service secret config".split(" ");

/** True when a stream with these filters shows the event. */
export const eventMatches = (filters: Filters, event: FilterableEvent): boolean => {
  const { ID: id, Attributes: attributes } = event.Actor;
  const actions = wantedOf(filters, "event");
  const matchAction = openEnded.some((action) => actions.has(action)) ? prefix : exact;
  const images = wantedOf(filters, "image");
  const image = (event.Type === "image" ? attributes["name"] : attributes["image"]) ?? "";
  return (
    matchAction(actions, event.Action) &&
    exact(wantedOf(filters, "type"), event.Type) &&
    exact(wantedOf(filters, "scope"), event.scope ?? "local") &&
    namedKeys.every((key) => {
      const wanted = wantedOf(filters, key);
      return prefix(wanted, id) || prefix(wanted, attributes["name"] ?? "");
    }) &&
    [id, image, withoutTag(id), withoutTag(image)].some((name) => exact(images, name)) &&
    labelled(wantedOf(filters, "label"), attributes)
  );
};

/** True when a list with these filters shows the container; `all` and `limit` are not its matter. */
export const containerMatches = (filters: Filters, container: ListedContainer): boolean => {
  const names = wantedOf(filters, "name");
  const networks = wantedOf(filters, "network");
  return (
    (pattern(names, `/${container.name}`) || pattern(names, container.name)) &&
    pattern(wantedOf(filters, "id"), container.id) &&
    labelled(wantedOf(filters, "label"), container.labels) &&
    pattern(wantedOf(filters, "status"), container.status) &&
    exact(wantedOf(filters, "health"), container.health) &&
    (networks.size === 0 || (container.network !== undefined && networks.has(container.network)))
  );
};
