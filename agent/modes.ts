import { completionMode } from "./cli/completion.ts";
import { command, type Mode, mode } from "./cli/mode.ts";

/** The one list of what this binary can be. Each is loaded on demand, so none pays for another. */
export const modes: readonly Mode[] = [
  mode(
    "discover",
    "keeps this host's labelled containers as records of a hosted zone",
    async () => {
      const [{ flags }, { discover }] = await Promise.all([
        import("./discover/config.ts"),
        import("./discover/mode.ts"),
      ]);
      return { flags, run: discover };
    },
  ),
  command("plan", "shows what discover would change in the zone now; changes nothing", async () => {
    const [{ flags }, { plan }, { flags: ignores }] = await Promise.all([
      import("./plan/config.ts"),
      import("./plan/mode.ts"),
      import("./discover/config.ts"),
    ]);
    return { flags, run: plan, ignores };
  }),
  command("doctor", "checks all that the agent needs, and says what to do", async () => {
    const [{ flags }, { doctor }, { flags: ignores }] = await Promise.all([
      import("./doctor/config.ts"),
      import("./doctor/mode.ts"),
      import("./discover/config.ts"),
    ]);
    return { flags, run: doctor, ignores };
  }),
  command(
    "status",
    "shows how the running agent is, and why a name is there or missing",
    async () => {
      const [{ flags }, { status }, { flags: ignores }] = await Promise.all([
        import("./status/config.ts"),
        import("./status/mode.ts"),
        import("./discover/config.ts"),
      ]);
      return { flags, run: status, ignores };
    },
  ),
  command("deregister", "removes every record of this host, once", async () => {
    const [{ flags }, { deregister }, { flags: ignores }] = await Promise.all([
      import("./deregister/config.ts"),
      import("./deregister/mode.ts"),
      import("./discover/config.ts"),
    ]);
    return { flags, run: deregister, ignores };
  }),
  command("sweep", "removes the records of hosts and tasks that are dead, once", async () => {
    const [{ flags }, { sweepOnce }] = await Promise.all([
      import("./sweep/config.ts"),
      import("./sweep/mode.ts"),
    ]);
    return { flags, run: sweepOnce };
  }),
  mode(
    "sandbox",
    "shows the agent at work against stand-ins for AWS, on this machine alone",
    async () => {
      const [{ flags }, { sandbox }] = await Promise.all([
        import("./sandbox/config.ts"),
        import("./sandbox/mode.ts"),
      ]);
      return { flags, run: sandbox };
    },
  ),
  completionMode(() => modes),
];
