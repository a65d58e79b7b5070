import { completionMode } from "./cli/completion.ts";
import { command, type Mode, mode } from "./cli/mode.ts";
import { storyWords } from "./sandbox/story-names.ts";

const discoverConfig = () => import("./discover/config.ts");
/** A host's command may stand before the flags of its agent: those that mean nothing to it are left. */
const ofHost = { ignores: discoverConfig };

/** The one list of what this binary can be. Each is loaded on demand, so none pays for another. */
export const modes: readonly Mode[] = [
  mode("discover", "keeps this host's labelled containers as records of a hosted zone", {
    config: discoverConfig,
    run: async () => (await import("./discover/mode.ts")).discover,
  }),
  command(
    "plan",
    "shows what discover would change in the zone now; changes nothing",
    {
      config: () => import("./plan/config.ts"),
      run: async () => (await import("./plan/mode.ts")).plan,
    },
    ofHost,
  ),
  command(
    "doctor",
    "checks all that the agent needs, and says what to do",
    {
      config: () => import("./doctor/config.ts"),
      run: async () => (await import("./doctor/mode.ts")).doctor,
    },
    ofHost,
  ),
  command(
    "status",
    "shows how the running agent is, and why a name is there or missing",
    {
      config: () => import("./status/config.ts"),
      run: async () => (await import("./status/mode.ts")).status,
    },
    ofHost,
  ),
  command(
    "deregister",
    "removes every record of this host, once",
    {
      config: () => import("./deregister/config.ts"),
      run: async () => (await import("./deregister/mode.ts")).deregister,
    },
    ofHost,
  ),
  command("sweep", "removes the records of hosts and tasks that are dead, once", {
    config: () => import("./sweep/config.ts"),
    run: async () => (await import("./sweep/mode.ts")).sweepOnce,
  }),
  mode("proxy", "serves this host's labelled containers by name, with DNS and certificates", {
    config: () => import("./proxy/config.ts"),
    run: async () => (await import("./proxy/mode.ts")).proxy,
  }),
  mode(
    "sandbox",
    "shows a mode at work against stand-ins for AWS, on this machine alone",
    {
      config: () => import("./sandbox/config.ts"),
      run: async () => (await import("./sandbox/mode.ts")).sandbox,
    },
    { words: storyWords },
  ),
  completionMode(() => modes),
];
