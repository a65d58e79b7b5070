import { join } from "node:path";
import * as z from "zod";
import { causes } from "../../lib/kit/failure.ts";
import { type Auths, mergeDockerConfig, mergeEcsConfig } from "../../lib/registry/auth-files.ts";
import { readIfThere, replaceFile } from "../../lib/registry/io/files.ts";
import type { Proof } from "../../lib/registry/io/registry.ts";
import { isEcr, type Login } from "../../lib/registry/login-lines.ts";
import type { FileLine, Lines } from "./read-lines.ts";
import type { Resolved } from "./resolve.ts";

/** A registry whose login a line asks for, and how it stands. */
export interface Standing {
  readonly registry: string;
  readonly file: string;
  readonly line: number;
  readonly kind: "password" | "secret" | "ecr";
  readonly state: "written" | "refused" | "missing";
  readonly proof?: Proof["kind"];
}

/** What somebody has to see to; it says where, and never what stands there. */
export interface Trouble {
  readonly where: string;
  readonly why: string;
}

/** What one look did. */
export interface Look {
  readonly standings: readonly Standing[];
  readonly troubles: readonly Trouble[];
  readonly notes: readonly string[];
  /** Registries whose login is another one than before, and those that are gone. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly ecsChanged: boolean;
}

interface Paths {
  readonly dockerConfig: string;
  readonly ecsConfig: string | undefined;
}

export interface Keeping {
  /** In the order of the logins. */
  readonly resolve: (logins: readonly Login[]) => Promise<readonly Resolved[]>;
  /** Undefined where nothing is to be proved. */
  readonly prove: ((registry: string, auth: string) => Promise<Proof>) | undefined;
  /** Undefined where it is not allowed. */
  readonly restartEcs: (() => Promise<void>) | undefined;
}

/** Which registries are ours, and whether the ECS agent has still to be restarted: what a killed process leaves to the next. */
const Memory = z.object({
  schemaVersion: z.literal(1),
  registries: z.array(z.string()),
  restartDue: z.boolean(),
});
type Memory = z.infer<typeof Memory>;

const MEMORY = ".ecs-discovery-login.json";

/**
 * Brings Docker's and the ECS agent's files to what the lines ask for. Logins of others stay. One of ours that no line
 * asks for any more goes, unless a line or file could not be read: then nobody knows what it asks for.
 */
export async function keep(
  { lines, unread }: Lines,
  { dockerConfig, ecsConfig }: Paths,
  { resolve, prove, restartEcs }: Keeping,
): Promise<Look> {
  const troubles: Trouble[] = unread.map(({ file, why }) => ({ where: file, why }));
  const readable = lines.filter((line) => "login" in line);
  for (const line of lines) {
    if ("problem" in line) troubles.push({ where: placeOf(line), why: line.problem });
  }
  const { set, standings } = await work(readable, { resolve, prove, troubles });

  const memoryPath = join(dockerConfig, MEMORY);
  const memory = await readMemory(memoryPath);
  const asked = new Set(readable.map(({ login }) => login.registry));
  const isWhole = unread.length === 0 && lines.length === readable.length;
  const remove = new Set(isWhole ? memory.registries.filter((one) => !asked.has(one)) : []);
  const configPath = join(dockerConfig, "config.json");
  const before = await readIfThere(configPath);
  const merged = mergeDockerConfig(before, { set, remove });
  if ("problem" in merged) {
    troubles.push({ where: configPath, why: merged.problem });
    return { standings, troubles, notes: [], changed: [], removed: [], ecsChanged: false };
  }
  // First what is ours, then the logins: killed in between, the next look knows what it may remove.
  const ours = new Set([...memory.registries, ...set.keys()].filter((one) => !remove.has(one)));
  const all = new Set([...ours, ...remove]);
  const remember = (next: Partial<Memory>) =>
    replaceFile(
      memoryPath,
      `${JSON.stringify({ ...memory, registries: [...all].toSorted(), ...next })}\n`,
      { secret: true },
    );
  const isChanged = merged.text !== before;
  if (isChanged && all.size > memory.registries.length) await remember({});
  if (isChanged) await replaceFile(configPath, merged.text, { secret: true });
  const ecs = await keepEcs(ecsConfig, merged.auths, troubles);
  const restartDue = ecs.differs || memory.restartDue;
  if (ecs.differs) {
    await remember({ registries: [...ours].toSorted(), restartDue: restartEcs !== undefined });
    await ecs.write();
  }
  if (restartDue && restartEcs !== undefined) {
    const failure = await restartEcs().then(
      () => undefined,
      (error: unknown) => ({
        where: "the ECS agent",
        why: `it was not restarted: ${causes(error)}`,
      }),
    );
    if (failure === undefined)
      await remember({ registries: [...ours].toSorted(), restartDue: false });
    else troubles.push(failure);
  } else if (remove.size > 0 && !ecs.differs) {
    await remember({ registries: [...ours].toSorted() });
  }
  const old = mergeDockerConfig(before, { set: new Map(), remove: new Set() });
  const oldAuths: Auths = "problem" in old ? new Map() : old.auths;
  return {
    ...{ standings, troubles, notes: merged.notes, removed: [...remove], ecsChanged: ecs.differs },
    changed: [...set]
      .filter(([registry, auth]) => oldAuths.get(registry) !== auth)
      .map(([one]) => one),
  };
}

type Readable = Extract<FileLine, { login: unknown }>;

const placeOf = ({ file, line }: FileLine): string => `${file}:${line}`;

/** The logins to write: of two for one registry the later one, as when they were typed one after the other. */
async function work(
  lines: readonly Readable[],
  {
    resolve,
    prove,
    troubles,
  }: Pick<Keeping, "resolve" | "prove"> & { readonly troubles: Trouble[] },
): Promise<{ readonly set: Map<string, string>; readonly standings: readonly Standing[] }> {
  const set = new Map<string, string>();
  const standings = new Map<string, Standing>();
  const resolved = await resolve(lines.map(({ login }) => login));
  for (const [at, one] of lines.entries()) {
    const { login, file, line } = one;
    const { registry } = login;
    const known = { registry, file, line, kind: login.how.kind };
    const { auth, problem } = resolved[at] ?? {};
    if (problem !== undefined) troubles.push({ where: placeOf(one), why: problem });
    if (auth === undefined) {
      standings.set(registry, { ...known, state: "missing" });
      continue;
    }
    const proof = await prove?.(registry, auth);
    if (proof !== undefined && proof.kind !== "accepted") {
      troubles.push({ where: placeOf(one), why: proof.why });
    }
    const isRefused = proof?.kind === "refused";
    if (!isRefused) set.set(registry, auth);
    standings.set(registry, {
      ...known,
      state: isRefused ? "refused" : "written",
      ...(proof && { proof: proof.kind }),
    });
  }
  return { set, standings: [...standings.values()] };
}

async function readMemory(path: string): Promise<Memory> {
  const none: Memory = { schemaVersion: 1, registries: [], restartDue: false };
  const text = await readIfThere(path);
  if (text === undefined) return none;
  try {
    return Memory.parse(JSON.parse(text));
  } catch {
    // Without it nothing is ours, so nothing is removed.
    return none;
  }
}

/** ECR's logins are left out: the ECS agent gets its own, and a restart every six hours would be for nothing. */
async function keepEcs(
  path: string | undefined,
  auths: Auths,
  troubles: Trouble[],
): Promise<{ readonly differs: boolean; readonly write: () => Promise<void> }> {
  const nothing = { differs: false, write: async () => {} };
  if (path === undefined) return nothing;
  const before = await readIfThere(path);
  const text = mergeEcsConfig(before, new Map([...auths].filter(([registry]) => !isEcr(registry))));
  if (text === (before ?? "")) return nothing;
  return {
    differs: true,
    async write() {
      try {
        await replaceFile(path, text, { secret: before === undefined });
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        troubles.push({
          where: path,
          why:
            code === "EBUSY"
              ? "it is mounted as a file, which can't be replaced: mount its folder"
              : `it could not be written (${code ?? "unknown"})`,
        });
      }
    },
  };
}
