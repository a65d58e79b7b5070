import { backoffMs } from "../../kit/backoff.ts";
import { causes } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { doorbell } from "../../kit/flow/doorbell.ts";
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

export interface CertificatePorts {
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

/**
 * Keeps a certificate for each name that wants one: from the authority, renewed at two thirds of its life; from the
 * operator's file, read again when it changes; a self-signed one until then. One order at a time.
 */
export function certificateKeeper({
  ports,
  clock,
  unixMs,
  random,
  onChange,
  report,
}: {
  readonly ports: CertificatePorts;
  readonly clock: Clock;
  /** The time of day. */
  readonly unixMs: () => number;
  readonly random: Random;
  readonly onChange: () => void;
  readonly report: (name: string, what: string, isGood: boolean) => void;
}): CertificateKeeper {
  const bell = doorbell();
  const acme = new Map<string, Entry>();
  const own = new Map<string, Entry>();
  let wanted = new Map<string, string>();
  let fallback: Certificate | undefined;

  const good = (entry: Entry | undefined): boolean =>
    entry?.pem !== undefined && (entry.facts?.untilMs ?? 0) > unixMs();

  const take = (entry: Entry, pem: string, name: string | undefined): boolean => {
    const tidy = tidyPem(pem);
    const facts = readCertificate(tidy);
    if (typeof facts === "string") entry.problem = facts;
    else if (name !== undefined && !facts.isFor(name))
      entry.problem = `the certificate is not for ${name}`;
    else {
      delete entry.problem;
      const isNew = entry.pem !== tidy;
      entry.pem = tidy;
      entry.facts = facts;
      return isNew;
    }
    return false;
  };

  const readOwn = async (): Promise<boolean> => {
    let isChanged = false;
    const names = new Set([...wanted.values()].filter((tls) => !KINDS.has(tls)));
    for (const name of own.keys()) if (!names.has(name)) own.delete(name);
    for (const name of names) {
      const entry = own.get(name) ?? newEntry();
      own.set(name, entry);
      const pem = await ports.own(name);
      if (pem === undefined)
        entry.problem = `there is no certificate ${name} among your own (--certificates)`;
      else isChanged = take(entry, pem, undefined) || isChanged;
    }
    return isChanged;
  };

  const readStored = async (): Promise<boolean> => {
    let isChanged = false;
    for (const [name, tls] of wanted) {
      if (tls !== "acme" || acme.has(name)) continue;
      const entry = newEntry();
      acme.set(name, entry);
      const pem = await ports.stored(certificateFile("acme", name));
      if (pem !== undefined) isChanged = take(entry, pem, name) || isChanged;
      if (ports.issue === undefined && entry.pem === undefined)
        entry.problem = "proxy.tls=acme needs --acme";
    }
    for (const name of acme.keys()) if (wanted.get(name) !== "acme") acme.delete(name);
    return isChanged;
  };

  /** The name whose certificate is to be got now; the one that waits longest first. */
  const dueName = (): string | undefined => {
    if (ports.issue === undefined) return undefined;
    const nowMs = unixMs();
    const due = [...acme].filter(
      ([, { facts, notBeforeMs }]) =>
        nowMs >= notBeforeMs && (facts === undefined || nowMs >= renewalMs(facts)),
    );
    return due.toSorted(([, a], [, b]) => a.notBeforeMs - b.notBeforeMs)[0]?.[0];
  };

  const order = async (name: string): Promise<void> => {
    const entry = acme.get(name);
    if (entry === undefined || ports.issue === undefined) return;
    try {
      const pem = await ports.issue(name);
      if (!take(entry, pem, name))
        throw new Error(entry.problem ?? "the authority gave the same certificate again");
      entry.misses = 0;
      await ports.store(certificateFile("acme", name), entry.pem ?? pem);
      report(name, "has a new certificate", true);
      onChange();
    } catch (error) {
      entry.misses += 1;
      entry.notBeforeMs =
        unixMs() + Math.max(AGAIN.baseMs, backoffMs(entry.misses + 1, AGAIN, random()));
      entry.problem = causes(error);
      report(name, `got no certificate: ${entry.problem}`, false);
    }
  };

  const step = async (): Promise<number> => {
    const changes = [await readOwn(), await readStored()];
    if (changes.includes(true)) onChange();
    const name = dueName();
    if (name !== undefined) {
      await order(name);
      return 0;
    }
    const nowMs = unixMs();
    const nextMs = [...acme.values()].flatMap(({ facts, notBeforeMs }) =>
      ports.issue === undefined
        ? []
        : [Math.max(notBeforeMs, facts === undefined ? nowMs : renewalMs(facts)) - nowMs],
    );
    return Math.max(100, Math.min(LOOK_MS, ...nextMs));
  };

  return {
    list() {
      const named = Map.groupBy(
        [...wanted].flatMap(([name, tls]) => {
          if (tls === "acme") {
            const entry = acme.get(name);
            return good(entry)
              ? [{ file: certificateFile("acme", name), pem: entry?.pem ?? "", name }]
              : [];
          }
          const entry = own.get(tls);
          return entry?.pem === undefined
            ? []
            : [{ file: certificateFile("own", tls), pem: entry.pem, name }];
        }),
        ({ file }) => file,
      );
      const certificates = [...named].map(
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
          .filter(
            ({ listen, options }) =>
              listen === TLS_PORT && options.tls !== "off" && options.tls !== "self",
          )
          .map(({ name, options }) => [name, options.tls]),
      );
      if (JSON.stringify([...next]) === JSON.stringify([...wanted])) return;
      wanted = next;
      bell.ring();
    },
    async run(stop) {
      fallback = {
        file: certificateFile("self", "default"),
        pem: await ports.selfSigned(),
        names: [],
      };
      onChange();
      while (!stop.aborted) {
        const waitMs = await step();
        if (waitMs === 0) continue;
        const woken = new AbortController();
        clock.sleep(waitMs, AbortSignal.any([woken.signal, stop])).then(bell.ring, () => {});
        await bell.rung(stop);
        woken.abort();
      }
    },
    standing: () =>
      [...wanted].map(([name, tls]) => {
        const entry = tls === "acme" ? acme.get(name) : own.get(tls);
        const isGood = entry?.pem !== undefined;
        return {
          name,
          from: !isGood ? "self-signed" : tls === "acme" ? "acme" : "own",
          untilMs: entry?.facts?.untilMs ?? 0,
          ...(tls === "acme" && entry?.facts && { renewalMs: renewalMs(entry.facts) }),
          ...(entry?.problem !== undefined && { problem: entry.problem }),
        };
      }),
  };
}

const KINDS = new Set(["acme", "self", "off"]);
const newEntry = (): Entry => ({ misses: 0, notBeforeMs: 0 });
