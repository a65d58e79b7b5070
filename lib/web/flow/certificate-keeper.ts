import { backoffMs } from "../../kit/backoff.ts";
import { causes } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { doorbell } from "../../kit/flow/doorbell.ts";
import { rest } from "../../kit/flow/rest.ts";
import {
  type Certificate,
  type CertificateFacts,
  certificateFile,
  readCertificate,
  renewalMs,
  tidyPem,
} from "../certificates.ts";
import { TLS_PORT } from "../ports.ts";
import type { VirtualHost } from "../virtual-hosts.ts";

interface CertificatePorts {
  /** A certificate that was got before, with its key; undefined where there is none. */
  readonly stored: (file: string) => Promise<string | undefined>;
  readonly store: (file: string, pem: string) => Promise<void>;
  /** The operator's own, by its name; undefined where there is none. */
  readonly own: (name: string) => Promise<string | undefined>;
  /** Self-signed, for whoever asks for no name that is known. */
  readonly selfSigned: () => Promise<string>;
  /** Gets one from the certificate authority: the key and the chain. Undefined when nobody was named. */
  readonly issue?: (name: string) => Promise<string>;
}

export interface CertificateStanding {
  readonly name: string;
  readonly from: "acme" | "own" | "self-signed";
  readonly untilMs: number;
  readonly renewalMs?: number;
  /** Why it is not the one that was asked for, or why it is not renewed. */
  readonly problem?: string;
}

export interface CertificateKeeper {
  /** What the engine is to have: the self-signed one first. */
  list(): readonly Certificate[];
  /** The hosts that may want one have changed. */
  look(hosts: readonly Pick<VirtualHost, "listen" | "name" | "options">[]): void;
  run(stop: AbortSignal): Promise<void>;
  standing(): readonly CertificateStanding[];
}

/** A failed order is repeated after a minute, then after twice that, at most an hour: authorities count failures. */
const AGAIN = { baseMs: 60_000, capMs: 3_600_000 };
/** Files of the operator's own are looked at so often, and every certificate's age at least. */
const LOOK_MS = 30_000;

interface Entry {
  pem?: string;
  facts?: CertificateFacts;
  problem?: string;
  misses: number;
  notBeforeMs: number;
}

interface Options {
  readonly ports: CertificatePorts;
  readonly clock: Clock;
  /** The time of day. */
  readonly unixMs: () => number;
  readonly random: Random;
  readonly onChange: () => void;
  readonly report: (name: string, what: string, isGood: boolean) => void;
}

/**
 * Keeps a certificate for each name that wants one: from the authority, renewed at two thirds of its life; from the
 * operator's file, read again when it changes; a self-signed one until then. One order at a time.
 */
export function certificateKeeper(options: Options): CertificateKeeper {
  const { ports, clock, unixMs, onChange } = options;
  const bell = doorbell();
  let wanted: ReadonlyMap<string, string> = new Map();
  let fallback: Certificate | undefined;
  const own = ownCertificates(options);
  const acme = acmeCertificates(options);

  const ofName = (name: string, tls: string): { file: string; entry: Entry | undefined } =>
    tls === "acme"
      ? { file: certificateFile("acme", name), entry: acme.entry(name) }
      : { file: certificateFile("own", tls), entry: own.entry(tls) };

  /** Returns how long to wait, in ms. */
  const step = async (): Promise<number> => {
    const tls = [...wanted.values()];
    const isNew = await own.read(new Set(tls.filter((one) => one !== "acme")));
    const isFound = await acme.read(
      new Set([...wanted].flatMap(([name, one]) => (one === "acme" ? [name] : []))),
    );
    if (isNew || isFound) onChange();
    const name = acme.due();
    if (name === undefined) return Math.max(100, Math.min(LOOK_MS, acme.nextMs()));
    await acme.order(name);
    return 0;
  };

  return {
    list() {
      const usable = [...wanted].flatMap(([name, tls]) => {
        const { file, entry } = ofName(name, tls);
        const isGood =
          entry?.pem !== undefined && (tls !== "acme" || (entry.facts?.untilMs ?? 0) > unixMs());
        return isGood ? [{ file, pem: entry.pem ?? "", name }] : [];
      });
      const certificates = [...Map.groupBy(usable, ({ file }) => file)].map(
        ([file, of]): Certificate => ({
          file,
          pem: of[0]?.pem ?? "",
          names: of.map(({ name }) => name).toSorted(),
        }),
      );
      return fallback === undefined ? certificates : [fallback, ...certificates];
    },
    look(hosts) {
      const next = new Map(
        hosts
          .filter(({ listen, options }) => listen === TLS_PORT && !NO_CERTIFICATE.has(options.tls))
          .map(({ name, options }) => [name, options.tls]),
      );
      if (JSON.stringify([...next]) === JSON.stringify([...wanted])) return;
      wanted = next;
      bell.ring();
    },
    async run(stop) {
      const pem = await ports.selfSigned();
      fallback = { file: certificateFile("self", "default"), pem: tidyPem(pem), names: [] };
      onChange();
      while (!stop.aborted) {
        const waitMs = await step();
        if (waitMs === 0) continue;
        await rest({ clock, bell }, clock.now() + waitMs, stop);
      }
    },
    standing: () =>
      [...wanted].map(([name, tls]) => standingOf(name, tls, ofName(name, tls).entry)),
  };
}

/** A name with one of these needs none of its own. */
const NO_CERTIFICATE: ReadonlySet<string> = new Set(["off", "self"]);

const newEntry = (): Entry => ({ misses: 0, notBeforeMs: 0 });

function standingOf(name: string, tls: string, entry: Entry | undefined): CertificateStanding {
  const kind = tls === "acme" ? "acme" : "own";
  return {
    name,
    from: entry?.pem === undefined ? "self-signed" : kind,
    untilMs: entry?.facts?.untilMs ?? 0,
    ...(kind === "acme" && entry?.facts && { renewalMs: renewalMs(entry.facts) }),
    ...(entry?.problem !== undefined && { problem: entry.problem }),
  };
}

/** Takes the text over where it is a certificate, and one for the name; whether it is another than before. */
function take(entry: Entry, pem: string, name: string | undefined): boolean {
  const tidy = tidyPem(pem);
  const facts = readCertificate(tidy);
  if (typeof facts === "string") {
    entry.problem = facts;
    return false;
  }
  if (name !== undefined && !facts.isFor(name)) {
    entry.problem = `the certificate is not for ${name}`;
    return false;
  }
  delete entry.problem;
  const isNew = entry.pem !== tidy;
  entry.pem = tidy;
  entry.facts = facts;
  return isNew;
}

/** The operator's own, by their names. One that can't be read any more stays as it was. */
function ownCertificates({ ports }: Pick<Options, "ports">) {
  const entries = new Map<string, Entry>();
  return {
    entry: (name: string) => entries.get(name),
    /** Whether one of them is new or has changed. */
    async read(names: ReadonlySet<string>): Promise<boolean> {
      for (const name of entries.keys()) if (!names.has(name)) entries.delete(name);
      let isChanged = false;
      for (const name of names) {
        const entry = entries.get(name) ?? newEntry();
        entries.set(name, entry);
        const pem = await ports.own(name);
        if (pem === undefined) {
          entry.problem = `there is no certificate ${name} among your own (--certificates)`;
        } else if (take(entry, pem, undefined)) isChanged = true;
      }
      return isChanged;
    },
  };
}

/** Those of the authority, by host name. */
function acmeCertificates({ ports, unixMs, random, onChange, report }: Options) {
  const entries = new Map<string, Entry>();
  const { issue } = ports;
  const dueMs = ({ facts, notBeforeMs }: Entry): number =>
    Math.max(notBeforeMs, facts === undefined ? 0 : renewalMs(facts));

  return {
    entry: (name: string) => entries.get(name),
    /** Whether one was got before, for a name that is new. */
    async read(names: ReadonlySet<string>): Promise<boolean> {
      for (const name of entries.keys()) if (!names.has(name)) entries.delete(name);
      let isFound = false;
      for (const name of names) {
        if (entries.has(name)) continue;
        const entry = newEntry();
        entries.set(name, entry);
        const pem = await ports.stored(certificateFile("acme", name));
        if (pem !== undefined && take(entry, pem, name)) isFound = true;
        if (issue === undefined) entry.problem ??= "proxy.tls=acme needs --acme";
      }
      return isFound;
    },
    /** The name whose certificate is to be got now; the one that waits longest first. */
    due(): string | undefined {
      if (issue === undefined) return undefined;
      const due = [...entries].filter(([, entry]) => dueMs(entry) <= unixMs());
      return due.toSorted(([, a], [, b]) => dueMs(a) - dueMs(b))[0]?.[0];
    },
    /** In how many ms the next one is due. */
    nextMs: (): number =>
      issue === undefined
        ? Number.POSITIVE_INFINITY
        : Math.min(
            Number.POSITIVE_INFINITY,
            ...[...entries.values()].map((entry) => dueMs(entry) - unixMs()),
          ),
    async order(name: string): Promise<void> {
      const entry = entries.get(name);
      if (entry === undefined || issue === undefined) return;
      try {
        const pem = await issue(name);
        if (!take(entry, pem, name)) {
          throw new Error(entry.problem ?? "the authority gave the same certificate again");
        }
        await ports.store(certificateFile("acme", name), entry.pem ?? pem);
        entry.misses = 0;
        report(name, "has a new certificate", true);
        onChange();
      } catch (error) {
        entry.misses += 1;
        const pauseMs = Math.max(AGAIN.baseMs, backoffMs(entry.misses + 1, AGAIN, random()));
        entry.notBeforeMs = unixMs() + pauseMs;
        entry.problem = causes(error);
        report(name, `got no certificate: ${entry.problem}`, false);
      }
    },
  };
}
