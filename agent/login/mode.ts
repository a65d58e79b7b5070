import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { causes, Fatal } from "../../lib/kit/failure.ts";
import { ecrToken } from "../../lib/registry/io/ecr.ts";
import { proveLogin } from "../../lib/registry/io/registry.ts";
import { secretText } from "../../lib/registry/io/secrets.ts";
import { modeStatus } from "../page/mode-status.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { LoginConfig } from "./config.ts";
import { keep, type Look, type Trouble } from "./keeper.ts";
import { metrics } from "./metrics.ts";
import { prover } from "./prove.ts";
import { lineReader } from "./read-lines.ts";
import { resolver, type Sources } from "./resolve.ts";
import { loginView } from "./view.ts";

const POLL_MS = 5_000;
/** Somebody may have changed Docker's or ECS's file: it is looked at again so often. */
const RECHECK_MS = 60_000;

/** All that lies outside of the process, files aside. Tests put others in their place. */
export interface LoginEdges extends Sources {
  readonly prove: typeof proveLogin;
  readonly restartEcs: () => Promise<void>;
}

const systemEdges: LoginEdges = {
  secret: secretText,
  ecr: ecrToken,
  prove: proveLogin,
  async restartEcs() {
    try {
      await promisify(execFile)("systemctl", ["restart", "ecs"], { timeout: 60_000 });
    } catch (error) {
      // What it printed is of no use to anybody but who can look at its log.
      const { code } = error as { readonly code?: string | number };
      throw new Error(
        code === "ENOENT"
          ? "there is no systemctl here: run login on the host, or let the host watch ecs.config"
          : `systemctl restart ecs ended with ${code ?? "a signal"}: see journalctl -u ecs`,
      );
    }
  },
};

/** Keeps Docker's and the ECS agent's logins as the lines of a file say, until it is stopped; with `--once`, once. */
export async function login(
  config: LoginConfig,
  { stop, clock, log }: Surroundings,
  edges: LoginEdges = systemEdges,
): Promise<void> {
  const read = lineReader(config.loginFile);
  const resolve = resolver(edges, clock);
  const prove = config.check ? prover(edges.prove, clock) : undefined;
  const keeping = {
    resolve: resolve.all,
    prove,
    restartEcs: config.restartEcs ? edges.restartEcs : undefined,
  };
  const paths = { dockerConfig: config.dockerConfig, ecsConfig: config.ecsConfig };
  const view = loginView({ loginFile: config.loginFile });
  const status = modeStatus({
    ...{ mode: "login", clock, log, metrics },
    address: config.once ? undefined : config.statusAddress,
    view: view.now,
    gauges: view.gauges,
  });
  const look = async (): Promise<Look> => {
    const lines = await read();
    const done = await keep(lines, paths, keeping);
    for (const registry of done.changed) log.info("login written", { registry });
    for (const registry of done.removed) log.info("login removed", { registry });
    if (done.ecsChanged) log.info("the ECS agent's logins changed", { file: config.ecsConfig });
    status.count((all) =>
      all.count("login_changes_total", {}, done.changed.length + done.removed.length),
    );
    view.saw(done);
    status.changed();
    return done;
  };
  if (config.once) {
    const { troubles, notes } = await look();
    for (const note of notes) log.warn(note);
    if (troubles.length > 0) throw new Fatal(troubles.map(sentence).join("; "));
    return;
  }
  const tell = teller(log);
  const loop = async (): Promise<void> => {
    let hash: string | undefined;
    let againMs = 0;
    while (!stop.signal.aborted) {
      const lines = await read();
      const isDue = clock.now() >= Math.min(againMs, resolve.dueMs(), prove?.dueMs() ?? againMs);
      if (lines.hash !== hash || isDue) {
        hash = lines.hash;
        againMs = clock.now() + RECHECK_MS;
        try {
          const { troubles, notes } = await look();
          tell(troubles, notes);
        } catch (error) {
          // A full disk, a folder of somebody else's: the logins that are there go on working.
          const troubles = [{ where: config.dockerConfig, why: causes(error) }];
          tell(troubles, []);
          view.failed(troubles);
          againMs = clock.now() + POLL_MS;
        }
      }
      await clock.sleep(POLL_MS, stop.signal).catch(() => {});
    }
  };
  await together(stop, [status.serve(stop.signal), loop()]);
}

const sentence = ({ where, why }: Trouble): string => `${where}: ${why}`;

/** Says each trouble once, when it begins, and that it is over. */
function teller(log: Surroundings["log"]) {
  let told = new Set<string>();
  return (troubles: readonly Trouble[], notes: readonly string[]): void => {
    const now = new Set([...troubles.map(sentence), ...notes]);
    for (const one of now) if (!told.has(one)) log.warn(one);
    for (const one of told) if (!now.has(one)) log.info(`over: ${one}`);
    told = now;
  };
}
