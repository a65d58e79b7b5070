import { matchesGlob } from "../kit/glob.ts";
import { quote } from "../kit/quote.ts";
import { nameProblem } from "../net/host-name.ts";
import { type HostWord, hostWord, pathWord } from "./host-name.ts";
import { OPTIONS, type Options, type Redirect } from "./options.ts";
import {
  defaultPort,
  isPort,
  listenProblem,
  type PortPair,
  type PortRules,
  portPair,
  TLS_PORT,
} from "./ports.ts";

export const PROXY_HOST_LABEL = "proxy.host";
export const DNS_HOSTNAME_LABEL = "dns.hostname";
export const NOTIFY_LABEL = "proxy.notify";

/** So many names, and so many ports, of one container; the rest is dropped, and that is said. */
const MOST = 16;
/** Of a label with thousands of bad words a few tell enough. */
const MOST_PROBLEMS = 8;

export interface LabelRules {
  /** Put behind short names; "" for none. */
  readonly domain: string;
  readonly ports: PortRules;
  /** Globs of the full names that labels may claim. */
  readonly allowedNames: readonly string[];
  /** How a name is redirected where its container does not say. */
  readonly redirect: Redirect;
}

/** What a container's labels ask for. Whatever is wrong with them is in `problems`, and costs only what it concerns. */
export interface Ask {
  readonly hosts: readonly HostWord[];
  readonly ports: readonly PortPair[];
  readonly options: Options;
  /** Names for DNS alone: of `dns.hostname`. */
  readonly dnsNames: readonly string[];
  readonly problems: readonly string[];
}

/** Reads the labels of one container: nothing that another container has is touched by what is wrong with them. */
export function readLabels(labels: ReadonlyMap<string, string>, rules: LabelRules): Ask {
  const problems: string[] = [];
  const say = (label: string, problem: string) => void problems.push(`${label}: ${problem}`);
  const options = readOptions(labels, rules, say);
  const hosts = readHosts(labels, rules, say);
  const ports = hosts.length === 0 ? [] : readPorts(labels, rules, options, say);
  const dnsNames = readDnsNames(labels, rules, say);
  for (const label of labels.keys()) {
    if (label.startsWith("proxy.") && !isKnown(label)) say(quote(label), "no such label");
  }
  return { hosts, ports, options, dnsNames, problems: few(problems) };
}

const isKnown = (label: string): boolean =>
  label === PROXY_HOST_LABEL ||
  label === NOTIFY_LABEL ||
  label === "proxy.ports" ||
  label === "proxy.path" ||
  label === "proxy.network" ||
  /^proxy\.port\.\d{1,5}$/.test(label) ||
  Object.hasOwn(OPTIONS, label);

type Say = (label: string, problem: string) => void;

function readHosts(
  labels: ReadonlyMap<string, string>,
  { domain, allowedNames }: LabelRules,
  say: Say,
): readonly HostWord[] {
  const path = pathWord(labels.get("proxy.path") ?? "/");
  if (typeof path !== "string") {
    // Without its path it would take what belongs to others of its name.
    say("proxy.path", path.problem);
    return [];
  }
  const found = new Map<string, HostWord>();
  const words = wordsOf(labels.get(PROXY_HOST_LABEL) ?? "");
  if (labels.has(PROXY_HOST_LABEL) && words.length === 0) {
    say(PROXY_HOST_LABEL, "expected a name such as web.example.com, got an empty value");
  }
  for (const word of words) {
    const host = hostWord(word, domain);
    if (typeof host === "string") say(PROXY_HOST_LABEL, host);
    else if (!allowedNames.some((glob) => matchesGlob(glob, host.name))) {
      say(PROXY_HOST_LABEL, `${host.name} is not among the names of --allowedNames`);
    } else {
      const whole = { name: host.name, path: host.path === "" ? path : host.path };
      found.set(whole.name + whole.path, whole);
    }
  }
  return first(MOST, [...found.values()], (dropped) =>
    say(PROXY_HOST_LABEL, `expected at most ${MOST} names, got ${dropped} more, which are dropped`),
  );
}

function readPorts(
  labels: ReadonlyMap<string, string>,
  { ports: rules }: LabelRules,
  { tls }: Options,
  say: Say,
): readonly PortPair[] {
  const found = new Map<number, PortPair>();
  const add = (label: string, pair: PortPair | string): void => {
    const problem = typeof pair === "string" ? pair : listenProblem(pair.listen, rules);
    if (typeof pair === "string" || problem !== undefined) {
      say(label, problem ?? "");
      return;
    }
    const before = found.get(pair.listen);
    if (before === undefined) found.set(pair.listen, pair);
    else if (before.target !== pair.target) {
      say(label, `listen port ${pair.listen} is asked for twice: the first counts`);
    }
  };
  const words = wordsOf(labels.get("proxy.ports") ?? "");
  for (const word of words) add("proxy.ports", portPair(word));
  for (const [label, value] of labels) {
    const [, listen] = /^proxy\.port\.(\d{1,5})$/.exec(label) ?? [];
    if (listen !== undefined) add(label, portPair(`${listen}:${value.trim()}`));
  }
  const asked =
    words.length > 0 || [...labels.keys()].some((label) => label.startsWith("proxy.port."));
  if (!asked) add("proxy.ports", { listen: defaultPort(rules), target: 80 });
  const [one] = found.values();
  if (tls !== "off" && one !== undefined && !found.has(TLS_PORT)) {
    add("proxy.tls", { listen: TLS_PORT, target: one.target });
  }
  return first(MOST, [...found.values()], (dropped) =>
    say("proxy.ports", `expected at most ${MOST} ports, got ${dropped} more, which are dropped`),
  );
}

function readOptions(
  labels: ReadonlyMap<string, string>,
  { redirect }: LabelRules,
  say: Say,
): Options {
  const options: Record<string, unknown> = { redirect };
  for (const [label, { name, read, byDefault, expected }] of Object.entries(OPTIONS)) {
    if (byDefault !== undefined) options[name] = byDefault;
    const text = labels.get(label)?.trim();
    if (text === undefined || text === "") continue;
    const value = read(text);
    if (value === undefined) say(label, `expected ${expected}, got ${quote(text)}`);
    else options[name] = value;
  }
  return options as unknown as Options;
}

function readDnsNames(
  labels: ReadonlyMap<string, string>,
  { allowedNames }: LabelRules,
  say: Say,
): readonly string[] {
  const found = new Set<string>();
  for (const word of wordsOf(labels.get(DNS_HOSTNAME_LABEL) ?? "")) {
    const name = word.toLowerCase().replace(/\.$/, "");
    const problem = nameProblem(name);
    if (problem !== undefined) say(DNS_HOSTNAME_LABEL, `${problem}, got ${quote(word)}`);
    else if (!allowedNames.some((glob) => matchesGlob(glob, name))) {
      say(DNS_HOSTNAME_LABEL, `${name} is not among the names of --allowedNames`);
    } else found.add(name);
  }
  return first(MOST, [...found], (dropped) =>
    say(
      DNS_HOSTNAME_LABEL,
      `expected at most ${MOST} names, got ${dropped} more, which are dropped`,
    ),
  );
}

/** Words by comma or white space; of a label of megabytes the beginning. */
const wordsOf = (text: string): readonly string[] =>
  text
    .slice(0, 16_384)
    .split(/[\s,]+/)
    .filter((word) => word !== "");

function first<T>(most: number, all: readonly T[], tell: (dropped: number) => void): readonly T[] {
  if (all.length > most) tell(all.length - most);
  return all.slice(0, most);
}

const few = (problems: readonly string[]): readonly string[] =>
  problems.length <= MOST_PROBLEMS
    ? problems
    : [...problems.slice(0, MOST_PROBLEMS), `and ${problems.length - MOST_PROBLEMS} more`];

/** A signal for process 1, a command, or why neither. */
export type Notice =
  | { readonly kind: "signal"; readonly signal: string }
  | { readonly kind: "command"; readonly words: readonly string[] }
  | { readonly kind: "problem"; readonly problem: string };

/**
 * What `proxy.notify` asks for: nothing is SIGHUP to process 1, as in the original; `signal:USR1` another signal; anything
 * else a command, by its words, that no shell reads.
 */
export function readNotice(text: string): Notice {
  const words = text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
  const [, name] = /^signal:(.*)$/s.exec(words[0] ?? "signal:HUP") ?? [];
  if (name === undefined) {
    return words.length <= 64 && text.length <= 4_096
      ? { kind: "command", words }
      : { kind: "problem", problem: "expected a command of at most 64 words" };
  }
  const signal = name.toUpperCase().replace(/^SIG/, "");
  return /^(?:HUP|INT|QUIT|USR1|USR2|TERM|WINCH|CONT|ALRM)$/.test(signal) && words.length <= 1
    ? { kind: "signal", signal: `SIG${signal}` }
    : { kind: "problem", problem: `expected a signal such as signal:HUP, got ${quote(text)}` };
}

/** Whether the port is one that a container may be reached at; of one in the host's own network not every port is. */
export const targetProblem = (
  { target }: PortPair,
  address: string,
  { reserved }: PortRules,
): string | undefined =>
  isPort(target) && !(address.startsWith("127.") && reserved.has(target))
    ? undefined
    : `container port ${target} is this host's own`;
