import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import { axios, Client, crypto } from "acme-client";

/** How a challenge is answered, until its end is told. */
export interface Answers {
  /** The path's last part and the body that is to be there. */
  readonly http: (token: string, body: string | undefined) => Promise<void>;
  /** The value of the name's TXT record; undefined where HTTP has to do. */
  readonly dns: ((name: string, value: string, isThere: boolean) => Promise<void>) | undefined;
}

export interface Authority {
  /** A new key and the chain for this name, as PEM. Rejects with what the authority says. */
  issue(name: string): Promise<string>;
}

const REQUEST_LIMIT_MS = 30_000;

/**
 * A certificate authority that speaks ACME (RFC 8555). The account's key is kept in the file. Whoever uses it agrees to
 * its terms.
 */
export async function authority({
  directoryUrl,
  email,
  accountFile,
  answers,
}: {
  readonly directoryUrl: string;
  readonly email: string | undefined;
  readonly accountFile: string;
  readonly answers: Answers;
}): Promise<Authority> {
  axios.defaults.timeout = REQUEST_LIMIT_MS;
  const client = new Client({
    directoryUrl,
    accountKey: await accountKey(accountFile),
    backoffAttempts: 20,
    backoffMin: 250,
    backoffMax: 15_000,
  });
  const { http, dns } = answers;
  return {
    async issue(name) {
      const [key, csr] = await crypto.createCsr(
        { commonName: name, altNames: [name] },
        await crypto.createPrivateEcdsaKey(),
      );
      const chain = await client.auto({
        csr,
        ...(email !== undefined && { email }),
        termsOfServiceAgreed: true,
        // The authority asks; that this host can reach itself under the name says little.
        skipChallengeVerification: true,
        challengePriority: dns === undefined ? ["http-01"] : ["dns-01"],
        async challengeCreateFn(_, { type, token }, answer) {
          if (type === "http-01") await http(token, answer);
          else if (type === "dns-01" && dns !== undefined) await dns(name, answer, true);
          else
            throw new Error(`the authority offers no challenge that can be answered for ${name}`);
        },
        async challengeRemoveFn(_, { type, token }, answer) {
          if (type === "http-01") await http(token, undefined);
          else await dns?.(name, answer, false);
        },
      });
      return `${String(key)}\n${chain}`;
    },
  };
}

async function accountKey(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const key = await crypto.createPrivateEcdsaKey();
    await writeFile(`${file}.new`, key, { mode: 0o600 });
    await chmod(`${file}.new`, 0o600);
    await rename(`${file}.new`, file);
    return key;
  }
}
