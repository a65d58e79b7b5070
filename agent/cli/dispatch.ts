import { nearest } from "../../lib/kit/nearest.ts";
import { quote } from "../../lib/kit/quote.ts";
import type { Environment } from "../process/surroundings.ts";
import { wrapped } from "./help.ts";
import { DEFAULT_MODE, type Mode, type ReadyMode } from "./mode.ts";

/** What a command line comes to: a text to print, problems to complain of, or a mode to run. */
export type Dispatched =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "problems"; readonly problems: readonly string[] }
  /** Nothing was asked for: the short help, as a complaint. */
  | { readonly kind: "lost"; readonly text: string }
  | ({ readonly kind: "config" } & ReadyMode);

/** Variables that only somebody who means the default mode sets. */
const MEANS_DISCOVER = ["HOSTED_ZONE_ID", "ECS_DISCOVERY_HOSTED_ZONE_ID"];

/**
 * The first word is the mode; without one it is the default mode, as long as a flag, its variable or the lack of a
 * terminal says that no person is merely looking.
 */
export async function dispatch(
  argv: readonly string[],
  env: Environment,
  about: {
    readonly modes: readonly Mode[];
    readonly version: () => string;
    readonly isTerminal: boolean;
  },
): Promise<Dispatched> {
  const { modes, version, isTerminal } = about;
  const [first, second] = argv;
  if (first === undefined && isTerminal && MEANS_DISCOVER.every((name) => !env[name])) {
    return { kind: "lost", text: overview(modes) };
  }
  if (first === "help" || ((first === "-h" || first === "--help") && argv.length === 1)) {
    return second === undefined
      ? { kind: "text", text: overview(modes) }
      : read(second, ["--help"]);
  }
  if (["version", "-v", "--version"].includes(first ?? "") || argv.includes("--version")) {
    return { kind: "text", text: version() };
  }
  const isMode = first !== undefined && !first.startsWith("-");
  return isMode ? read(first, argv.slice(1)) : read(DEFAULT_MODE, argv);

  async function read(name: string, rest: readonly string[]): Promise<Dispatched> {
    const mode = modes.find((one) => one.name === name || one.aliases.includes(name));
    if (mode === undefined) return { kind: "problems", problems: [unknown(name, modes)] };
    const line = await mode.read(rest, env);
    switch (line.kind) {
      case "help":
      case "text":
        return { kind: "text", text: line.text };
      default:
        return line;
    }
  }
}

function unknown(name: string, modes: readonly Mode[]): string {
  const names = modes.flatMap((mode) => [mode.name, ...mode.aliases]);
  const near = nearest(name, names);
  const hint = near === undefined ? `expected one of ${names.join(", ")}` : `did you mean ${near}?`;
  return `unknown mode ${quote(name)}, ${hint}`;
}

/** What there is, one line a mode. */
function overview(modes: readonly Mode[]): string {
  const width = Math.max(...modes.map(({ name }) => name.length)) + 4;
  const lines = modes.map(({ name, aliases, summary }) => {
    const also = aliases.length > 0 ? ` (also: ${aliases.join(", ")})` : "";
    return `  ${name.padEnd(width - 2)}${wrapped(summary + also, width)}\n`;
  });
  return [
    "Services on ECS hosts find each other, and are found.\n",
    "Usage: ecs-discovery-agent [mode] [flags]\n",
    `Modes (${DEFAULT_MODE} when none is named)\n${lines.join("")}`,
    "Start with\n" +
      "  ecs-discovery-agent sandbox            # see it work, on this machine alone\n" +
      "  ecs-discovery-agent doctor --hostedZoneId=<id>   # is all there that it needs?\n",
    "  ecs-discovery-agent help <mode>        # a mode's flags and examples\n",
  ].join("\n");
}
