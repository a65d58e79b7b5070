import type { Container, ContainerId } from "../../lib/docker/container.ts";
import type { DockerEngine, EngineEvent } from "../../lib/docker/io/engine.ts";
import { type ContainerEvent, DEFAULT_STOP_SIGNAL, type Health } from "../../lib/docker/life.ts";
import { Unavailable } from "../../lib/kit/failure.ts";
import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
import type { Faults } from "./faults.ts";

/** A container as the engine itself knows it. */
export interface Box {
  readonly id: ContainerId;
  readonly labels: ReadonlyMap<string, string>;
  readonly networkMode: string;
  readonly hasCheck: boolean;
  running: boolean;
  paused: boolean;
  health: Health;
  /** Whether its health check would pass. */
  isWell: boolean;
  /** Which start of it this is: what was planned for an earlier one must not happen to this one. */
  starts: number;
}

/** What became of the containers; told as it happens, and as the agent hears of it. */
interface EngineHooks {
  changed(box: Box): void;
  heard(id: ContainerId, event: ContainerEvent): void;
}

/** The Docker engine of one host, in memory: what is running is what inspect says. */
export interface Engine extends DockerEngine {
  readonly boxes: ReadonlyMap<ContainerId, Box>;
  create(box: Pick<Box, "id" | "labels" | "networkMode" | "hasCheck" | "isWell">): void;
  start(id: ContainerId): void;
  /** Its process ends, by itself. */
  die(id: ContainerId): void;
  remove(id: ContainerId): void;
  /** Sends a signal; what the process makes of it is another matter. */
  signal(id: ContainerId, signal: number): void;
  pause(id: ContainerId): void;
  unpause(id: ContainerId): void;
  /** Its health check fails from now on, or passes again. */
  turn(id: ContainerId, isWell: boolean): void;
  /** Every stream breaks. */
  cut(): void;
  /** The daemon stops and starts: every stream breaks, and all containers end without a word. */
  restart(): void;
  /** The same, and it has lost them: it knows of no container any more. */
  comeBackEmpty(): void;
}

const PROBE_AFTER_MS = 4_000;
const LIMIT_MS = 10_000;

interface Stream {
  readonly waiting: EngineEvent[];
  isCut: boolean;
  wake: () => void;
}

export function engine({
  host,
  clock,
  random,
  faults,
  label,
  hooks,
}: {
  readonly host: number;
  readonly clock: Clock & { at(ms: number, act: () => void): void };
  readonly random: Random;
  readonly faults: Faults;
  /** The label that a subscriber asks for. */
  readonly label: string;
  readonly hooks: EngineHooks;
}): Engine {
  const boxes = new Map<ContainerId, Box>();
  const streams = new Set<Stream>();

  const put = (stream: Stream, event: EngineEvent, inMs: number): void =>
    clock.at(clock.now() + inMs, () => {
      if (stream.isCut) return;
      stream.waiting.push(event);
      stream.wake();
    });

  /**
   * One event, to all who listen: with the faults of the stream, and otherwise in its order. An end and the start after
   * it never change places: Docker tells of both while it holds the container's lock.
   */
  const tell = (id: ContainerId, event: ContainerEvent): void => {
    if (!boxes.get(id)?.labels.has(label)) return;
    const isOrdered = event.kind === "start" || event.kind === "die";
    for (const stream of streams) {
      const said: EngineEvent = { kind: "container", id, event };
      const fault = faults.befall(
        [
          "docker: events lost",
          ...(isOrdered ? [] : (["docker: events doubled", "docker: events reordered"] as const)),
          "docker: events unreadable",
        ],
        host,
      );
      switch (fault) {
        case "docker: events lost":
          break;
        case "docker: events unreadable":
          put(stream, { kind: "unreadable", problem: "a line that is not JSON" }, 2);
          break;
        case "docker: events reordered":
          put(stream, said, 2 + random() * 4_000);
          break;
        case "docker: events doubled":
          put(stream, said, 2);
          put(stream, said, 2 + random() * 4_000);
          break;
        case undefined:
          put(stream, said, 2);
      }
    }
  };

  const change = (id: ContainerId, act: (box: Box) => readonly ContainerEvent[]): void => {
    const box = boxes.get(id);
    if (box === undefined) return;
    const events = act(box);
    hooks.changed(box);
    for (const event of events) tell(id, event);
  };

  /** Docker tells only of a health that is another than before. */
  const probe = (box: Box): readonly ContainerEvent[] => {
    const health = box.isWell ? "healthy" : "unhealthy";
    if (!box.hasCheck || !box.running || box.paused || box.health === health) return [];
    box.health = health;
    return [{ kind: "health", health }];
  };
  const probeLater = ({ id, starts }: Box): void =>
    clock.at(clock.now() + PROBE_AFTER_MS, () =>
      change(id, (box) => (box.starts === starts ? probe(box) : [])),
    );

  const ask = async <T>(what: string, answer: () => T): Promise<T> => {
    const fault = faults.befall(["docker: unavailable", "docker: slow"], host);
    if (fault === "docker: unavailable") {
      await clock.sleep(random() < 0.8 ? 1 : LIMIT_MS);
      throw new Unavailable("Docker", `did not answer ${what}`);
    }
    const tookMs = fault === "docker: slow" ? random() * 0.9 * LIMIT_MS : 1 + random() * 20;
    await clock.sleep(tookMs / 2);
    const said = answer();
    await clock.sleep(tookMs / 2);
    return said;
  };

  async function* read(stream: Stream, stop: AbortSignal): AsyncGenerator<EngineEvent> {
    const wake = () => stream.wake();
    stop.addEventListener("abort", wake, { once: true });
    try {
      while (!stop.aborted) {
        const next = stream.waiting.shift();
        if (next !== undefined) {
          if (next.kind === "container") hooks.heard(next.id, next.event);
          yield next;
        } else if (stream.isCut) {
          throw new Unavailable("Docker", "cut its event stream");
        } else {
          await new Promise<void>((resolve) => {
            stream.wake = resolve;
          });
        }
      }
    } finally {
      stop.removeEventListener("abort", wake);
      streams.delete(stream);
    }
  }

  const cut = (): void => {
    for (const stream of streams) {
      stream.isCut = true;
      stream.wake();
    }
    streams.clear();
  };

  const end = (box: Box): void => {
    box.running = false;
    box.paused = false;
    if (box.hasCheck) box.health = "unhealthy";
  };

  const restart = (): void => {
    cut();
    for (const box of boxes.values()) {
      if (!box.running) continue;
      end(box);
      hooks.changed(box);
    }
  };

  return {
    boxes,
    create: (box) =>
      void boxes.set(box.id, { ...box, running: false, paused: false, health: "none", starts: 0 }),
    start: (id) =>
      change(id, (box) => {
        if (box.running) return [];
        box.running = true;
        box.starts += 1;
        box.health = box.hasCheck ? "starting" : "none";
        probeLater(box);
        return [{ kind: "start" }];
      }),
    die: (id) =>
      change(id, (box) => {
        if (!box.running) return [];
        end(box);
        return [{ kind: "die" }];
      }),
    remove(id) {
      const box = boxes.get(id);
      if (box === undefined || box.running) return;
      boxes.delete(id);
      hooks.changed(box);
    },
    signal: (id, signal) => change(id, (box) => (box.running ? [{ kind: "signal", signal }] : [])),
    pause: (id) =>
      change(id, (box) => {
        if (!box.running || box.paused) return [];
        box.paused = true;
        const said: ContainerEvent[] = [{ kind: "pause" }];
        if (box.hasCheck && box.health !== "unhealthy") {
          box.health = "unhealthy";
          said.push({ kind: "health", health: "unhealthy" });
        }
        return said;
      }),
    unpause: (id) =>
      change(id, (box) => {
        if (!box.running || !box.paused) return [];
        box.paused = false;
        probeLater(box);
        return [{ kind: "unpause" }];
      }),
    turn: (id, isWell) =>
      change(id, (box) => {
        box.isWell = isWell;
        return box.health === "starting" ? [] : probe(box);
      }),
    cut,
    restart,
    comeBackEmpty() {
      restart();
      boxes.clear();
    },

    version: () => ask("version", () => ({ engine: "29.0.0", api: "1.52" })),
    async events(wanted, stop) {
      if (wanted !== label) throw new Error(`expected the label ${label}, got ${wanted}`);
      const stream: Stream = { waiting: [], isCut: false, wake: () => {} };
      await ask("events", () => streams.add(stream));
      return read(stream, stop);
    },
    running: (wanted) =>
      ask("container list", () =>
        [...boxes.values()]
          .filter(({ running, labels }) => running && labels.has(wanted))
          .map(({ id }) => id),
      ),
    inspect: (id) =>
      ask("container", (): Container | undefined => {
        const box = boxes.get(id);
        if (box === undefined) return undefined;
        const { labels, running, paused, health, networkMode } = box;
        return {
          id,
          name: `box-${id.slice(-4)}`,
          labels,
          running,
          paused,
          health,
          stopSignal: DEFAULT_STOP_SIGNAL,
          networkMode,
          addresses: [],
          addresses6: [],
        };
      }),
  };
}
