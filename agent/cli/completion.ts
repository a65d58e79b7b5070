import type { Flags } from "./flag.ts";
import type { Mode } from "./mode.ts";
import { completionScript, type Shell, shells } from "./shell-script.ts";

const SUMMARY = "prints a script that has the shell complete modes, flags and values";
const USAGE = `Usage: ecs-discovery-agent completion <${shells.join("|")}>

completion: ${SUMMARY}

  bash   source <(ecs-discovery-agent completion bash)
  zsh    source <(ecs-discovery-agent completion zsh)
  fish   ecs-discovery-agent completion fish | source`;

/** The mode that writes what the shell needs to know of all modes, itself included. */
export function completionMode(modes: () => readonly Mode[]): Mode {
  return {
    name: "completion",
    aliases: [],
    summary: SUMMARY,
    flags: async (): Promise<Flags> => ({}),
    words: shells,
    async read(argv) {
      if (argv.includes("--help")) return { kind: "text", text: USAGE };
      const [shell, ...more] = argv;
      if (!isShell(shell) || more.length > 0) {
        const got = argv.length === 0 ? "nothing" : JSON.stringify(argv.join(" "));
        return {
          kind: "problems",
          problems: [`completion: expected one of ${shells.join(", ")}, got ${got}`],
        };
      }
      const known = await Promise.all(
        modes().map(async ({ name, summary, words, flags }) => ({
          name,
          summary,
          words: words ?? [],
          flags: await flags(),
        })),
      );
      return { kind: "text", text: completionScript(shell, known) };
    },
  };
}

const isShell = (text: string | undefined): text is Shell => shells.some((shell) => shell === text);
