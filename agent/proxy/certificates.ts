import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { certificateFile } from "../../lib/web/certificates.ts";
import {
  type CertificateKeeper,
  certificateKeeper,
} from "../../lib/web/flow/certificate-keeper.ts";
import { newSelfSigned } from "../../lib/web/io/self-signed-key.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { ProxyConfig } from "./config.ts";
import type { Dns } from "./dns/zones.ts";
import type { Edges } from "./edges.ts";

/** A key and a chain are some kilobytes. */
const MAX_FILE = 65_536;

/** The certificates as the flags have them got: a wildcard, and any name with `--route53`, by DNS; others by HTTP. */
export async function certificatesOf(
  config: ProxyConfig,
  {
    edges,
    surroundings,
    onChange,
    answer,
    dns,
    say,
  }: {
    readonly edges: Edges;
    readonly surroundings: Pick<Surroundings, "clock" | "random" | "log">;
    readonly onChange: () => void;
    readonly answer: (token: string, body: string | undefined) => Promise<void>;
    readonly dns: () => Dns | undefined;
    readonly say: (text: string) => void;
  },
): Promise<CertificateKeeper> {
  const { clock, random, log } = surroundings;
  const read = (path: string): Promise<string | undefined> =>
    readFile(path, "utf8").then(
      (text) => (text.length > MAX_FILE ? undefined : text),
      () => undefined,
    );
  const issue = config.acme ? await issuer() : undefined;
  return certificateKeeper({
    ports: {
      stored: (file) => read(join(edges.folder, file)),
      store: (file, pem) => edges.file(file).write(pem),
      own: async (name) =>
        config.certificates === undefined
          ? undefined
          : read(join(config.certificates, `${name}.pem`)),
      async selfSigned() {
        const file = certificateFile("self", "default");
        const kept = await read(join(edges.folder, file));
        if (kept !== undefined) return kept;
        const pem = newSelfSigned("localhost");
        await edges.file(file).write(pem);
        return pem;
      },
      ...(issue && { issue }),
    },
    clock,
    unixMs: () => Date.now(),
    random,
    onChange,
    report(name, what, isGood) {
      say(`${name} ${what}`);
      log[isGood ? "info" : "warn"](`${name} ${what}`, { name });
    },
  });

  /** Loaded only where it is wanted. */
  async function issuer() {
    const { authority } = await import("../../lib/web/io/acme.ts");
    const known = await authority({
      directoryUrl: config.acmeDirectory,
      email: config.acmeEmail,
      accountFile: join(edges.folder, "acme-account.pem"),
      answers: {
        http: answer,
        dns: config.route53
          ? async (name, value, isThere) => {
              const zones = dns();
              if (zones === undefined) throw new Error("Route 53 is not known yet");
              await zones.challenge(name, value, isThere);
            }
          : undefined,
      },
    });
    return (name: string) => known.issue(name);
  }
}
