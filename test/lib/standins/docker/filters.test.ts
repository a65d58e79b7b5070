import { describe, expect, it, test } from "@jest/globals";
import {
  checkEventFilters,
  checkListFilters,
  containerMatches,
  eventMatches,
  type FilterableEvent,
  parseFilters,
  RefusedParameter,
} from "../../../../lib/standins/docker/filters.ts";

const filtersOf = (wanted: unknown) => parseFilters(JSON.stringify(wanted), 52);

const refusalOf = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    if (error instanceof RefusedParameter) return [error.status, error.message];
    throw error;
  }
  return "accepted";
};

const event = (
  Action: string,
  labels: Record<string, string> = {},
  Type = "container",
): FilterableEvent => ({
  Type,
  Action,
  Actor: {
    ID: "c0ffee",
    Attributes: { ...labels, image: "docker.io/library/web:1.2", name: "web-1" },
  },
});

const web = { "discovery.service.name": "web", team: "a" };

describe("parseFilters", () => {
  it("reads lists and maps alike", () => {
    const expected = new Map([["type", new Set(["container", "network"])]]);
    expect(parseFilters('{"type":["container","network"]}', 52)).toEqual(expected);
    expect(parseFilters('{"type":{"container":true,"network":true}}', 52)).toEqual(expected);
    expect(parseFilters("", 52)).toEqual(new Map());
  });

  test.each([
    ["xx"],
    ["[]"],
    ["null"],
    ['{"type":"container"}'],
    ['{"type":[1]}'],
    ['{"type":{"container":1}}'],
  ])("refuses %s", (parameter) => {
    expect(refusalOf(() => parseFilters(parameter, 52))).toEqual([400, "invalid filter"]);
    expect(refusalOf(() => parseFilters(parameter, 41))).toEqual([
      500,
      `invalid filters: ${parameter}`,
    ]);
  });
});

describe("eventMatches", () => {
  test.each<[boolean, string, unknown, FilterableEvent]>([
    [true, "no filter", {}, event("start")],
    [true, "a key without values", { event: [] }, event("start")],
    [true, "one of several events", { event: ["start", "die"] }, event("die")],
    [false, "none of several events", { event: ["start", "die"] }, event("kill")],
    [false, "an event's prefix", { event: ["sta"] }, event("start")],
    [
      true,
      "health_status, both kinds",
      { event: ["health_status"] },
      event("health_status: healthy"),
    ],
    [
      true,
      "a whole health_status",
      { event: ["health_status: healthy"] },
      event("health_status: healthy"),
    ],
    [
      false,
      "the other health_status",
      { event: ["health_status: healthy"] },
      event("health_status: unhealthy"),
    ],
    [
      true,
      "prefixes, once health_status is asked",
      { event: ["health_status", "sta"] },
      event("start"),
    ],
    [true, "exec_start", { event: ["exec_start"] }, event("exec_start: /bin/sh -c true")],
    [true, "the type", { type: ["container"] }, event("start")],
    [false, "another type", { type: ["network"] }, event("start")],
    [true, "a label's key", { label: ["discovery.service.name"] }, event("start", web)],
    [true, "an empty label", { label: ["a"] }, event("start", { a: "" })],
    [true, "a label's value", { label: ["team=a"] }, event("start", web)],
    [false, "a label's other value", { label: ["team=b"] }, event("start", web)],
    [true, "an empty value", { label: ["a="] }, event("start", { a: "" })],
    [false, "an empty value of a full label", { label: ["team="] }, event("start", web)],
    [true, "a value with =", { label: ["a=b=c"] }, event("start", { a: "b=c" })],
    [
      true,
      "all of several labels",
      { label: ["team", "discovery.service.name=web"] },
      event("start", web),
    ],
    [false, "one of several labels", { label: ["team", "other"] }, event("start", web)],
    [false, "a label of the prototype", { label: ["constructor"] }, event("start", web)],
    [false, "one key of two", { label: ["team"], event: ["die"] }, event("start", web)],
    [true, "a prefix of the id", { container: ["c0f"] }, event("start")],
    [true, "a prefix of the name", { container: ["web"] }, event("start")],
    [false, "another container", { container: ["other"] }, event("start")],
    [true, "the image", { image: ["docker.io/library/web:1.2"] }, event("start")],
    [true, "the image without tag", { image: ["web"] }, event("start")],
    [false, "another image", { image: ["we"] }, event("start")],
    [true, "the scope", { scope: ["local"] }, event("start")],
    [false, "another scope", { scope: ["swarm"] }, event("start")],
    [true, "an unknown key", { lable: ["nowhere"] }, event("start")],
  ])("%p for %s", (expected, _, wanted, given) => {
    expect(eventMatches(filtersOf(wanted), given)).toBe(expected);
  });
});

describe("checkEventFilters", () => {
  it("lets an unknown key through below API 1.52, and refuses it from there on", () => {
    const misspelt = filtersOf({ lable: ["x"] });
    expect(refusalOf(() => checkEventFilters(misspelt, 41))).toBe("accepted");
    expect(refusalOf(() => checkEventFilters(misspelt, 44))).toBe("accepted");
    expect(refusalOf(() => checkEventFilters(misspelt, 52))).toEqual([
      400,
      "invalid filter 'lable'",
    ]);
  });

  it("accepts every key of the engine", () => {
    const known = filtersOf({
      type: [],
      event: [],
      label: [],
      container: [],
      image: [],
      scope: [],
    });
    expect(refusalOf(() => checkEventFilters(known, 52))).toBe("accepted");
  });
});

describe("checkListFilters", () => {
  const every = (result: unknown) => [result, result, result];
  test.each<[unknown, readonly unknown[]]>([
    [{ label: ["a"], status: ["running"], health: ["none"], id: ["0"] }, every("accepted")],
    [
      { nokey: ["a"] },
      [
        [400, "Invalid filter 'nokey'"],
        [400, "invalid filter 'nokey'"],
        [400, "invalid filter 'nokey'"],
      ],
    ],
    [
      { status: ["bogus"] },
      [
        [400, "Invalid filter 'status=bogus'"],
        [400, "invalid filter 'status=bogus'"],
        [
          400,
          "invalid filter 'status=bogus': invalid value for state (bogus): must be one of created, running, paused, restarting, removing, exited, dead",
        ],
      ],
    ],
    [
      { health: ["bogus"] },
      [
        [400, "Unrecognised filter value for health: bogus"],
        [400, "unrecognized filter value for health: bogus"],
        [
          400,
          "invalid filter 'health=bogus': invalid value for health (bogus): must be one of none, starting, healthy, unhealthy",
        ],
      ],
    ],
    [{ ancestor: ["web"] }, every([501, "filter 'ancestor' is not part of this stand-in"])],
  ])("%j", (wanted, answers) => {
    const answer = (minor: number) => refusalOf(() => checkListFilters(filtersOf(wanted), minor));
    expect([41, 44, 52].map(answer)).toEqual(answers);
  });
});

describe("containerMatches", () => {
  const container = {
    id: "abc123",
    name: "web-1",
    labels: web,
    status: "running",
    health: "healthy",
    network: "bridge",
  };
  test.each<[boolean, string, unknown]>([
    [true, "no filter", {}],
    [true, "the label", { label: ["discovery.service.name"] }],
    [false, "two labels, one missing", { label: ["discovery.service.name", "other"] }],
    [true, "a part of the name", { name: ["eb"] }],
    [true, "the name with its slash", { name: ["^/web-1$"] }],
    [false, "another name", { name: ["api"] }],
    [false, "a broken expression", { name: ["("] }],
    [true, "a part of the id", { id: ["abc"] }],
    [true, "one of several states", { status: ["exited", "running"] }],
    [false, "another state", { status: ["exited"] }],
    [true, "its health", { health: ["healthy"] }],
    [false, "another health", { health: ["unhealthy"] }],
    [true, "its network", { network: ["bridge"] }],
    [false, "another network", { network: ["host"] }],
  ])("%p for %s", (expected, _, wanted) => {
    expect(containerMatches(filtersOf(wanted), container)).toBe(expected);
  });

  it("has no network to match when it lives in another container's", () => {
    const { network: _, ...within } = container;
    expect(containerMatches(filtersOf({ network: ["bridge"] }), within)).toBe(false);
  });
});
