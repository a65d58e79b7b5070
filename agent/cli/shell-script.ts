import type { Flags } from "./flag.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** A mode as the shell is to know it. */
export interface KnownMode {
  readonly name: string;
  readonly summary: string;
  readonly flags: Flags;
  /** What may follow the mode's name instead of flags. */
  readonly words: readonly string[];
}

const PROGRAM = "ecs-discovery-agent";

/**
 * A script for the shell to read, made from the flag tables. Without a mode's name the flags are those of the first mode.
 * Nothing in it comes from outside of the program, so plain single quotes are enough.
 */
export function completionScript(shell: Shell, modes: readonly KnownMode[]): string {
  switch (shell) {
    case "bash":
      return bash(modes);
    case "zsh":
      return zsh(modes);
    case "fish":
      return fish(modes);
  }
}

/** In single quotes; the same in all three shells but for fish's backslash, which no text of ours holds. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const withBuiltIns = (flags: Flags): readonly (readonly [string, Flags[string] | undefined])[] => [
  ...Object.entries(flags),
  ["help", undefined],
  ["version", undefined],
];

function bash(modes: readonly KnownMode[]): string {
  const [first] = modes;
  const term = (name: string, takes: string | undefined) => `--${name}${takes ? "=" : ""}`;
  const flagsOf = modes.map(({ name, flags, words }) => {
    const terms = withBuiltIns(flags).map(([flag, of]) => term(flag, of?.takes));
    return `    ${name}) words=${quoted([...words, ...terms].join(" "))} ;;`;
  });
  const valuesOf = modes.flatMap(({ name, flags }) =>
    Object.entries(flags).flatMap(([flag, { takes, choices }]) =>
      takes === undefined || choices === undefined
        ? []
        : [`    ${name}:--${flag}) words=${quoted(choices.join(" "))} ;;`],
    ),
  );
  return `# bash completion for ${PROGRAM}: source <(${PROGRAM} completion bash)
_ecs_discovery_agent() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words='' mode=${first?.name}
  case \${COMP_WORDS[1]} in
    ${modes.map(({ name }) => name).join("|")}) [ "$COMP_CWORD" -gt 1 ] && mode=\${COMP_WORDS[1]} ;;
  esac
  # The shell takes --flag=value apart at the equals sign.
  local flag=''
  if [ "$current" = = ]; then flag=$before current=''
  elif [ "$before" = = ]; then flag=\${COMP_WORDS[COMP_CWORD-2]}
  else flag=$before
  fi
  case $mode:$flag in
${valuesOf.join("\n")}
  esac
  if [ -z "$words" ] && [ "$current" != "\${COMP_WORDS[COMP_CWORD]}" -o "$before" = = ]; then
    COMPREPLY=()
    return
  fi
  if [ -z "$words" ]; then
    case $mode in
${flagsOf.join("\n")}
    esac
    [ "$COMP_CWORD" -eq 1 ] && words="${modes.map(({ name }) => name).join(" ")} $words"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # A flag that takes a value goes on after its equals sign.
  [ "\${#COMPREPLY[@]}" -eq 1 ] && [ "\${COMPREPLY[0]%=}" != "\${COMPREPLY[0]}" ] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _ecs_discovery_agent ${PROGRAM}`;
}

function zsh(modes: readonly KnownMode[]): string {
  const [first] = modes;
  // A colon ends a description, and brackets hold it.
  const told = (text: string) => text.replaceAll(/[[\]:]/g, (sign) => `\\${sign}`);
  const argument = (name: string, flag: Flags[string] | undefined): string => {
    if (flag === undefined) return quoted(`--${name}`);
    const { takes, choices, help } = flag;
    if (takes === undefined) return quoted(`--${name}[${told(help)}]`);
    const value = choices === undefined ? `${told(takes)}: ` : `${name}:(${choices.join(" ")})`;
    return quoted(`--${name}=[${told(help)}]:${value}`);
  };
  const cases = modes.map(({ name, flags, words }) => {
    const all = withBuiltIns(flags).map(([flag, of]) => argument(flag, of));
    const spare = words.length > 0 ? [quoted(`1:word:(${words.join(" ")})`)] : [];
    return `    ${name}) _arguments ${[...spare, ...all].join(" \\\n      ")} ;;`;
  });
  return `#compdef ${PROGRAM}
# zsh completion for ${PROGRAM}: source <(${PROGRAM} completion zsh)
_ecs_discovery_agent() {
  local mode=${first?.name}
  local -a modes
  modes=(
${modes.map(({ name, summary }) => `    ${quoted(`${name}:${told(summary)}`)}`).join("\n")}
  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe mode modes
    return
  fi
  if (( CURRENT > 2 )) && [[ $words[2] != -* ]]; then
    mode=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $mode in
${cases.join("\n")}
  esac
}
compdef _ecs_discovery_agent ${PROGRAM}`;
}

function fish(modes: readonly KnownMode[]): string {
  const [first] = modes;
  const names = modes.map(({ name }) => name).join(" ");
  const none = `not __fish_seen_subcommand_from ${names}`;
  const lines = modes.flatMap(({ name, summary, flags, words }) => {
    const seen = `__fish_seen_subcommand_from ${name}`;
    // Without a mode's name it is the first one's flags.
    const when = name === first?.name ? `${none}; or ${seen}` : seen;
    return [
      `complete -c ${PROGRAM} -f -n ${quoted(none)} -a ${name} -d ${quoted(summary)}`,
      ...words.map((word) => `complete -c ${PROGRAM} -f -n ${quoted(seen)} -a ${word}`),
      ...withBuiltIns(flags).map(([flag, of]) =>
        [
          `complete -c ${PROGRAM} -f -n ${quoted(when)} -l ${flag}`,
          ...(of === undefined ? [] : [`-d ${quoted(of.help)}`]),
          ...(of?.takes === undefined ? [] : ["-r"]),
          ...(of?.takes === undefined || of.choices === undefined
            ? []
            : [`-a ${quoted(of.choices.join(" "))}`]),
        ].join(" "),
      ),
    ];
  });
  return [`# fish completion for ${PROGRAM}: ${PROGRAM} completion fish | source`, ...lines].join(
    "\n",
  );
}
