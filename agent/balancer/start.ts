import type { Configuration } from "../../lib/elb/files/configuration.ts";
import { type KeptJournal, openJournal } from "../../lib/elb/flow/journal.ts";
import { causes, Fatal, Unavailable } from "../../lib/kit/failure.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { Edges } from "./edges.ts";
import type { Files } from "./files.ts";
import { type HostIdentity, hostIn, type LocalIdentity } from "./identity.ts";

/** The configuration as it is read at the start; nothing can be done without one. Throws `Fatal` and `Unavailable`. */
function configurationOf({ configuration, problems, away }: Files): Configuration {
  if (configuration !== undefined) return configuration;
  if (away !== undefined) throw away;
  throw new Fatal(problems.map(({ why }) => why).join("; "));
}

/**
 * This host in its cluster. Comes back once the files, the ECS agent or the metadata, and ECS have answered, within the
 * patience. `early` is called once when the first attempt fails: what a crash has left must not wait for it.
 */
export async function findHost({
  local,
  readFiles,
  api,
  insist,
  early,
}: {
  readonly local: LocalIdentity;
  readonly readFiles: () => Promise<Files>;
  readonly api: Parameters<typeof hostIn>[2];
  readonly insist: <T>(act: () => Promise<T>) => Promise<T>;
  readonly early: () => Promise<void>;
}): Promise<HostIdentity> {
  const attempt = async (): Promise<HostIdentity> => {
    const { cluster } = configurationOf(await readFiles());
    return hostIn(cluster, local, api);
  };
  try {
    return await attempt();
  } catch (error) {
    await early();
    if (!(error instanceof Unavailable)) throw error;
    return insist(attempt);
  }
}

export interface OpenedJournal {
  readonly journal: KeptJournal | undefined;
  readonly problem: string | undefined;
}

/** The same journal, and nothing of it is ever changed. */
const readOnly = (store: ReturnType<Edges["journal"]>): ReturnType<Edges["journal"]> => ({
  path: store.path,
  read: () => store.read(),
  write: async () => {},
  setAside: async () => {},
});

/**
 * The journal of this host; where it can't be read or written, with the reason. With `isRead` it is only read, and what is
 * written into it is forgotten.
 */
export async function journalOf(
  edges: Pick<Edges, "journal">,
  scope: { readonly region: string; readonly instance: string },
  { log }: Pick<Surroundings, "log">,
  isRead: boolean,
): Promise<OpenedJournal> {
  const store = isRead ? readOnly(edges.journal()) : edges.journal();
  try {
    const journal = await openJournal(store, scope, (problem) =>
      log.warn(problem, { file: store.path }),
    );
    const problem = await journal.own([]).then(
      () => undefined,
      (error: unknown) => causes(error),
    );
    if (problem !== undefined)
      log.warn("the journal can't be written: no listener is moved until it can", {
        cause: problem,
      });
    return { journal, problem };
  } catch (error) {
    const problem = causes(error);
    log.warn("the journal can't be read: no listener is moved until it can", { cause: problem });
    return { journal: undefined, problem };
  }
}
