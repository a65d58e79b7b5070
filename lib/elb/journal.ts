import { createHash } from "node:crypto";
import type { Listener, ListenerState } from "./load-balancer.ts";

/** A move that was begun: all that is needed to bring the listener back, whatever happens after the delete. */
export interface Begun {
  readonly loadBalancer: string;
  readonly service: string;
  /** The listener as it was, with its policies. */
  readonly from: ListenerState;
  /** Every instance port that it may have been made anew at, the last one wanted last. */
  readonly to: readonly NewPort[];
  /** Policies of the old instance port. */
  readonly backEnd: readonly string[];
}

interface NewPort {
  readonly port: number;
  /** The policies that the instance port had before. */
  readonly backEnd: readonly string[];
}

/** A target that this process has registered, or was about to. */
export interface OwnTarget {
  readonly targetGroupArn: string;
  readonly id: string;
  readonly port: number;
}

export interface Journal {
  readonly begun: readonly Begun[];
  readonly targets: readonly OwnTarget[];
}

/** Names of load balancers are unique in a region and an account; target groups have an ARN. */
export interface JournalScope {
  readonly region: string;
  /** This host's EC2 instance. */
  readonly instance: string;
}

export const EMPTY_JOURNAL: Journal = { begun: [], targets: [] };

const FORMAT = 1;

export const keyOfBegun = ({ loadBalancer, from }: Begun): string =>
  `${loadBalancer} ${from.listener.lbPort}`;
export const keyOfTarget = ({ targetGroupArn, id, port }: OwnTarget): string =>
  `${targetGroupArn} ${id} ${port}`;

/** One line of JSON, a space, the first half of its SHA-256, and the line's end. */
export function formatJournal(scope: JournalScope, { begun, targets }: Journal): string {
  const { region, instance } = scope;
  const json = JSON.stringify({
    format: FORMAT,
    region,
    instance,
    begun: begun.map(({ loadBalancer, service, from, to, backEnd }) => {
      const { lbPort, protocol, instancePort, instanceProtocol, certificate } = from.listener;
      const listener = { lbPort, protocol, instancePort, instanceProtocol, certificate };
      const state = { listener, policies: from.policies };
      const ports = to.map(({ port, backEnd: there }) => ({ port, backEnd: there }));
      return { loadBalancer, service, from: state, to: ports, backEnd };
    }),
    targets: targets.map(({ targetGroupArn, id, port }) => ({ targetGroupArn, id, port })),
  });
  return `${json} ${sumOf(json)}\n`;
}

const sumOf = (json: string): string =>
  createHash("sha256").update(json).digest("hex").slice(0, 32);

export type JournalText =
  | { readonly kind: "journal"; readonly journal: Journal }
  /** Of another region or instance: true there, and of no use here. */
  | { readonly kind: "foreign"; readonly region: string; readonly instance: string }
  /** Torn, edited or of another format: nothing of it is believed. */
  | { readonly kind: "damaged" };

/** The exact inverse of `formatJournal`: a journal is believed whole or not at all. */
export function parseJournal(text: string, scope: JournalScope): JournalText {
  const end = text.lastIndexOf(" ");
  const json = text.slice(0, Math.max(0, end));
  if (text !== `${json} ${sumOf(json)}\n`) return { kind: "damaged" };
  let fields: Fields;
  try {
    fields = fieldsOf(JSON.parse(json));
  } catch {
    return { kind: "damaged" };
  }
  const { format, region, instance } = fields;
  if (format !== FORMAT || !isText(region) || !isText(instance)) return { kind: "damaged" };
  if (region !== scope.region || instance !== scope.instance) {
    return { kind: "foreign", region, instance };
  }
  const begun = allOf(fields["begun"], readBegun);
  const targets = allOf(fields["targets"], readTarget);
  if (begun === undefined || targets === undefined) return { kind: "damaged" };
  const journal = { begun, targets };
  return formatJournal(scope, journal) === text
    ? { kind: "journal", journal }
    : { kind: "damaged" };
}

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};
const isText = (value: unknown): value is string => typeof value === "string";
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(isText);
const isPort = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;

function allOf<T>(
  value: unknown,
  read: (fields: Fields) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const all = value.map((one) => read(fieldsOf(one)));
  return all.some((one) => one === undefined) ? undefined : (all as T[]);
}

function readBegun(fields: Fields): Begun | undefined {
  const { loadBalancer, service, backEnd } = fields;
  const from = fieldsOf(fields["from"]);
  const listener = readListener(fieldsOf(from["listener"]));
  const { policies } = from;
  const to = allOf(fields["to"], readNewPort);
  if (!isText(loadBalancer) || !isText(service) || !isTexts(backEnd)) return undefined;
  if (listener === undefined || !isTexts(policies) || to === undefined) return undefined;
  return { loadBalancer, service, from: { listener, policies }, to, backEnd };
}

const readNewPort = ({ port, backEnd }: Fields): NewPort | undefined =>
  isPort(port) && isTexts(backEnd) ? { port, backEnd } : undefined;

function readListener(fields: Fields): Listener | undefined {
  const { lbPort, protocol, instancePort, instanceProtocol, certificate } = fields;
  if (!isPort(lbPort) || !isPort(instancePort)) return undefined;
  if (!isText(protocol) || !isText(instanceProtocol)) return undefined;
  if (certificate !== undefined && !isText(certificate)) return undefined;
  return {
    lbPort,
    protocol,
    instancePort,
    instanceProtocol,
    ...(certificate !== undefined && { certificate }),
  };
}

function readTarget({ targetGroupArn, id, port }: Fields): OwnTarget | undefined {
  if (!isText(targetGroupArn) || !isText(id) || !isPort(port)) return undefined;
  return { targetGroupArn, id, port };
}
