import type { Clock } from "../../kit/flow/clock.ts";
import { type Certificate, certificateCommands } from "../certificates.ts";
import {
  certificateList,
  configFile,
  type EngineFiles,
  type EngineSettings,
  mapFiles,
} from "../engine-files.ts";
import { type EngineText, engine } from "../engine-text.ts";
import { ACME_MAP, commandsBetween, deletionsIn, EMPTY, type Layout, without } from "../layout.ts";
import { TLS_PORT } from "../ports.ts";

/** How the engine is made to hold something. Each rejects when it was not done. */
export interface ContentPorts {
  /** Writes the files, then has the engine read them: one that runs goes on without a cut, else one is started. */
  readonly load: (files: EngineFiles) => Promise<void>;
  /** Writes the files for whoever starts the engine next. */
  readonly write: (files: EngineFiles) => Promise<void>;
  /** Runs the commands, in order. */
  readonly run: (commands: readonly EngineText[]) => Promise<void>;
  /** Runs commands that may be refused; whether each was done. */
  readonly try: (commands: readonly EngineText[]) => Promise<readonly boolean[]>;
}

const DELETE_RETRY_MS = 1_000;
/** The files follow the commands; nobody reads them before the engine is started again, and then they are written anew. */
const WRITE_MS = 1_000;

const NEVER = Number.POSITIVE_INFINITY;

export interface EngineContent {
  layout(): Layout;
  /** By files. */
  load(layout: Layout): Promise<void>;
  /** By commands; how many, which is none when it is so already. */
  apply(layout: Layout): Promise<number>;
  /** Deletes servers that have no connections any more, and writes files that are behind. */
  tidy(): Promise<void>;
  nextMs(): number;
}

/** What the engine holds, known from what it was given. */
export function engineContent({
  ports,
  settings,
  certificates,
  challenges,
  clock,
}: {
  readonly ports: ContentPorts;
  readonly settings: EngineSettings;
  readonly certificates: () => readonly Certificate[];
  /** Answers to challenges by token. */
  readonly challenges: ReadonlyMap<string, string>;
  readonly clock: Clock;
}): EngineContent {
  let layout: Layout = EMPTY;
  let held: readonly Certificate[] = [];
  let answers: ReadonlyMap<string, string> = new Map();
  let unwrittenSinceMs: number | undefined;
  let deleteAtMs = 0;

  const filesOf = (of: Layout): EngineFiles => ({
    config: configFile(of, settings),
    maps: mapFiles(of, challenges),
    list: certificateList(certificates()),
    certificates: certificates(),
  });

  const deleteLeavers = async (): Promise<void> => {
    const leavers = deletionsIn(layout);
    if (leavers.length === 0 || clock.now() < deleteAtMs) return;
    deleteAtMs = clock.now() + DELETE_RETRY_MS;
    const done = await ports.try(leavers.map(({ command }) => command));
    const deleted = leavers.filter((_, index) => done[index] === true);
    layout = without(layout, deleted);
  };

  return {
    layout: () => layout,
    async load(next) {
      const list = certificates();
      const files = filesOf(next);
      const given = new Map(challenges);
      await ports.load(files);
      layout = next;
      held = list;
      answers = given;
      unwrittenSinceMs = undefined;
    },
    async apply(next) {
      const wanted = certificates();
      const given = new Map(challenges);
      // Without a TLS port the engine has no list of certificates: the next load reads the files.
      const isTls = next.ports.includes(TLS_PORT);
      const commands = [
        ...commandsBetween(layout, next),
        ...challengeCommands(answers, given),
        ...(isTls ? certificateCommands(held, wanted).flat() : []),
      ];
      if (commands.length > 0) {
        await ports.run(commands);
        held = wanted;
        answers = given;
        unwrittenSinceMs ??= clock.now();
      }
      layout = next;
      return commands.length;
    },
    async tidy() {
      await deleteLeavers();
      if (unwrittenSinceMs === undefined || clock.now() - unwrittenSinceMs < WRITE_MS) return;
      await ports.write(filesOf(layout));
      unwrittenSinceMs = undefined;
    },
    nextMs: () =>
      Math.min(
        deletionsIn(layout).length > 0 ? Math.max(deleteAtMs, clock.now() + 1) : NEVER,
        unwrittenSinceMs === undefined ? NEVER : unwrittenSinceMs + WRITE_MS,
      ),
  };
}

function challengeCommands(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly EngineText[] {
  const comes = [...after]
    .filter(([token]) => !before.has(token))
    .map(([token, answer]) => engine`add map ${ACME_MAP} ${token} ${answer}`);
  const goes = [...before.keys()]
    .filter((token) => !after.has(token))
    .map((token) => engine`del map ${ACME_MAP} ${token}`);
  return [...comes, ...goes];
}
