import * as z from "zod";
import { routings } from "../../lib/discovery/desired.ts";
import { addressSources } from "../../lib/discovery/endpoint.ts";
import { srvNames } from "../../lib/discovery/records.ts";
import type { Addresses } from "../../lib/net/address.ts";
import { type ConfigOf, type Flag, oneOf, onOff, wholeNumber } from "../cli/flags.ts";

const allowedNames: Flag<readonly string[]> = {
  takes: "globs",
  help: "service names that labels may claim, separated by commas; * stands for any characters",
  expected: "globs of letters, digits, hyphens, dots, * and ?, separated by commas",
  schema: z
    .string()
    .regex(/^[A-Za-z0-9.*?-]+(,[A-Za-z0-9.*?-]+)*$/)
    .transform((text) => text.toLowerCase().split(",")),
  byDefault: "*",
};

const hostAddress: Flag<Addresses | undefined> = {
  takes: "ip",
  optional: true,
  help: "this host's own address, for tasks in bridge and host mode; by instance metadata when not given",
  expected: "an IPv4 or IPv6 address",
  schema: z.union([
    z.ipv4().transform((ipv4) => ({ ipv4 })),
    z.ipv6().transform((ipv6) => ({ ipv6 })),
  ]),
};

/** What decides which records this host's containers have: of discover, and of whatever says what it would do. */
export const recordFlags = {
  workers: wholeNumber({
    min: 1,
    max: 100,
    byDefault: 5,
    help: "how many containers are looked at at once",
  }),
  ttl: wholeNumber({
    takes: "seconds",
    min: 0,
    max: 2_147_483_647,
    byDefault: 10,
    help: "time to live of the records; the same on every host that shares a name",
  }),
  weight: wholeNumber({ min: 0, max: 255, byDefault: 1, help: "weight of this host's records" }),
  health: oneOf(["docker", "off"], {
    byDefault: "docker",
    help: "whether a container with a health check has its record only while that passes",
  }),
  allUnhealthy: oneOf(["keep", "remove"], {
    byDefault: "keep",
    help: "what becomes of a service's records when all of its tasks on this host are unhealthy",
  }),
  stopGrace: wholeNumber({
    takes: "seconds",
    min: 1,
    max: 86_400,
    byDefault: 120,
    help: "a container that still runs so long after its stop signal has its record again",
  }),
  allowedNames,
  addressSource: oneOf(addressSources, {
    byDefault: "auto",
    help: "whose address is registered: the task's own, this host's, Docker's, or what fits the task",
  }),
  hostAddress,
  srv: onOff({ help: "SRV records, too, for the first port that a task tells of" }),
  srvNames: oneOf(srvNames, {
    byDefault: "plain",
    help: "whether SRV records stand under the service's name or under _service._tcp, as RFC 2782 has it",
  }),
  routing: oneOf(routings, {
    byDefault: "weighted",
    help: "whether a name answers with one of its tasks, by weight, or with up to eight",
  }),
  force: onOff({ help: "start even if that deletes most of this host's records at once" }),
};

export type RecordConfig = ConfigOf<typeof recordFlags>;
