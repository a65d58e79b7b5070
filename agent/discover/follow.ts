import { SERVICE_NAME_LABEL } from "../../lib/discovery/labels.ts";
import type { ContainerId } from "../../lib/docker/container.ts";
import { strangers } from "../../lib/docker/flow/engine-check.ts";
import { Unavailable } from "../../lib/kit/failure.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { sameInstance } from "../host/former-self.ts";
import { type EventStream, type Host, openStream } from "./connect.ts";
import { times } from "./decision-log.ts";
import type { Looks } from "./looks.ts";
import type { Run } from "./run.ts";

/** After a look at every container, the next one waits so long: it costs a request or two for each of them. */
const LOOK_AT_ALL_GAP_MS = 2_000;
/** Ids that were ever heard of or listed; far more than run on a host at once. */
const MOST_KNOWN = 10_000;

/** The engine's word, as it comes: events mark their containers, and a list marks all of them. */
export interface Follow {
  /** Waits for nothing: what it does not read in time, Docker drops. */
  events(): Promise<void>;
  /** Looks at every container whenever what the stream tells is in doubt. */
  doubts(): Promise<void>;
  /** Doubts the stream from time to time: Docker drops events for a reader that it finds too slow, and tells nobody. */
  resync(): Promise<void>;
}

export function follow(run: Run, host: Host, looks: Looks): Follow {
  const { config, clock, log, observed, end, retry } = run;
  const { docker } = host;
  const { queue, lives, desired, causes } = looks;
  const known = lately(host.running);
  const doubt = doorbell();
  let stream = host.stream;
  /** What the stream holds that can't be read, since every container was looked at. */
  let unreadable: string | undefined;

  const read = async ({ events }: EventStream): Promise<void> => {
    for await (const event of events) {
      if (event.kind === "container") {
        known.add(event.id);
        lives.hear(event.id, event.event);
        causes.heard(event.id);
        observed.heard(event.id);
        queue.mark(event.id);
      } else {
        unreadable ??= event.problem;
        doubt.ring();
      }
    }
  };
  const lookAtAll = async (): Promise<void> => {
    lives.doubt();
    const ids = await retry(() => docker.running(SERVICE_NAME_LABEL));
    observed.listed(ids);
    for (const id of ids) known.add(id);
    for (const id of [...lives.ids(), ...queue.working(), ...ids]) queue.mark(id);
  };
  /** A stream that tells nothing of what starts and ends is replaced, opened before the list that follows. */
  const renewStalled = async (): Promise<void> => {
    const takenToRun = () => desired.ids().filter((id) => !queue.holds(id));
    const list = () => docker.running(SERVICE_NAME_LABEL);
    const told = { running: list, knows: known.has, takenToRun, clock };
    const count = await strangers(told).catch(ignoreUnavailable);
    if (count === 0) return;
    const next = await openStream(run, docker);
    log.warn("Docker's event stream has stalled: opens another, and looks at every container", {
      containers: count,
    });
    const before = stream;
    stream = next;
    before.close();
  };

  return {
    async events() {
      for (let now = stream; ; now = stream) {
        await read(now);
        // It was closed: by the end, or because another is open in its place.
        if (end.aborted || now === stream) return;
      }
    },
    async doubts() {
      for (;;) {
        await doubt.rung(end);
        if (end.aborted) return;
        if (unreadable !== undefined) {
          const problem = `Docker's event stream holds ${unreadable}; looks at every container`;
          run.sumUp(problem, (again) => log.warn(`${problem}${times(again)}`));
          unreadable = undefined;
        }
        await lookAtAll();
        await clock.sleep(LOOK_AT_ALL_GAP_MS, end).catch(() => {});
      }
    },
    async resync() {
      if (config.resync === 0) return;
      for (;;) {
        await clock.sleep(config.resync * 1000 * (0.5 + run.random() / 2), end).catch(() => {});
        if (end.aborted) return;
        await sameInstance(host.agent, host.owner);
        await renewStalled();
        doubt.ring();
      }
    },
  };
}

/** The ids that were added last. */
function lately(ids: readonly ContainerId[]) {
  const known = new Set(ids);
  return {
    has: (id: ContainerId) => known.has(id),
    add(id: ContainerId) {
      known.delete(id);
      known.add(id);
      const [oldest] = known;
      if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
    },
  };
}

/** What can't be asked now shows nothing; the look at every container that follows has the patience's time. */
const ignoreUnavailable = (error: unknown): number => {
  if (error instanceof Unavailable) return 0;
  throw error;
};
