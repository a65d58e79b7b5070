import { type Configuration, readConfiguration } from "../../lib/elb/files/configuration.ts";
import { type FileProblem, problemText } from "../../lib/elb/files/members.ts";
import { readServices } from "../../lib/elb/files/services-file.ts";
import type { Service } from "../../lib/elb/service.ts";
import { causes, Unavailable } from "../../lib/kit/failure.ts";
import type { TextSource } from "../../lib/kit/text-source.ts";

/** One of the operator's files: where it is, and how it is read. */
export interface OneFile {
  /** As the operator has written it. */
  readonly where: string;
  readonly source: TextSource;
}

/** Why a file could not be read or understood. */
interface FileTrouble {
  readonly why: string;
  /** It was read before, and what it said then still counts. */
  readonly isKept: boolean;
}

interface BrokenEntry {
  readonly name: string;
  readonly problem: string;
}

/** What the two files say, as of the last reading that could be understood. */
export interface Files {
  readonly configuration: Configuration | undefined;
  /** Undefined as long as the file was never read. */
  readonly services: readonly Service[] | undefined;
  readonly problems: readonly FileTrouble[];
  /** Why the configuration file was not given, where it may be given a moment later. */
  readonly away: Unavailable | undefined;
  /** Entries of the services file that can't be understood. */
  readonly broken: readonly BrokenEntry[];
  /** What was passed over, or put right. */
  readonly notes: readonly string[];
}

interface Understood<T> {
  readonly value: T | undefined;
  readonly problem?: string;
  readonly away?: Unavailable;
  readonly notes: readonly string[];
}

/**
 * Reads both files, each time once. A file that can't be read or understood keeps what it said last. While an entry of
 * the services file is broken, no service that is missing from the rest is let go: it may be the broken one.
 */
export function followFiles(files: {
  readonly configuration: OneFile;
  readonly services: OneFile;
}): () => Promise<Files> {
  const configuration = follow(files.configuration, (text) => {
    const { where } = files.configuration;
    const read = readConfiguration(text);
    return read.ok
      ? { value: read.value, notes: read.notes.map((one) => `${where}: ${problemText(one)}`) }
      : { value: undefined, problem: problemsText(where, read.problems), notes: [] };
  });
  let before: readonly Service[] = [];
  const services = follow(files.services, (text) => {
    const { where } = files.services;
    const read = readServices(text);
    if (!read.ok)
      return { value: undefined, problem: problemsText(where, read.problems), notes: [] };
    const keys = new Set(read.services.map(({ key }) => key));
    const kept = read.broken.length === 0 ? [] : before.filter(({ key }) => !keys.has(key));
    before = [...read.services, ...kept];
    const broken = read.broken.map(({ name, problems }) => ({
      name,
      problem: problemsText(where, problems),
    }));
    return {
      value: { services: before, broken },
      notes: read.notes.map((one) => `${where}: ${problemText(one)}`),
    };
  });
  return async () => {
    const [first, second] = await Promise.all([configuration(), services()]);
    return {
      configuration: first.value,
      services: second.value?.services,
      away: first.away,
      problems: [first, second].flatMap(({ problem, value }) =>
        problem === undefined ? [] : [{ why: problem, isKept: value !== undefined }],
      ),
      broken: second.value?.broken ?? [],
      notes: [...first.notes, ...second.notes],
    };
  };
}

const problemsText = (where: string, problems: readonly FileProblem[]): string =>
  `${where}: ${problems.map(problemText).join("; ")}`;

function follow<T>(
  { source }: OneFile,
  understand: (text: string) => Understood<T>,
): () => Promise<Understood<T>> {
  let last: Understood<T> = { value: undefined, notes: [] };
  return async () => {
    const read = await source.read().catch((error: unknown) => {
      if (!(error instanceof Unavailable)) throw error;
      return { kind: "away" as const, away: error };
    });
    if (read.kind === "text") {
      const now = understand(read.text);
      last = { ...now, value: now.value ?? last.value };
    }
    // What was wrong with the text stays wrong until it is another one; what was in the way of it goes.
    if (read.kind === "away") return { ...last, problem: causes(read.away), away: read.away };
    return read.kind === "problem" ? { ...last, problem: read.problem } : last;
  };
}
