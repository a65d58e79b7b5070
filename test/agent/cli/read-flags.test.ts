import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import * as z from "zod";
import {
  environmentName,
  type Flags,
  oneOf,
  onOff,
  wholeNumber,
} from "../../../agent/cli/flags.ts";
import { type CommandLine, readFlags } from "../../../agent/cli/read-flags.ts";
import { flags as discover } from "../../../agent/discover/config.ts";
import { modes } from "../../../agent/modes.ts";
import { flags as sandbox } from "../../../agent/sandbox/config.ts";

const about = { usage: "[discover] [flags]", summary: "discover: keeps records" };
const small = {
  ttl: wholeNumber({ takes: "seconds", min: 0, max: 300, byDefault: 10, help: "time to live" }),
  level: oneOf(["low", "high"], { byDefault: "low", help: "how much" }),
  dryRun: onOff({ help: "change nothing" }),
};

type Environment = Readonly<Record<string, string | undefined>>;

const read = (argv: readonly string[], env: Environment = {}) => readFlags(about, small, argv, env);

function configOf<F extends Flags>(line: CommandLine<F>) {
  if (line.kind !== "config") throw new Error(`expected a config, got ${JSON.stringify(line)}`);
  return line.config;
}
function problemsOf<F extends Flags>(line: CommandLine<F>): readonly string[] {
  if (line.kind !== "problems") throw new Error(`expected problems, got ${JSON.stringify(line)}`);
  return line.problems;
}

describe("where a value comes from", () => {
  it("the command line wins over the environment, and that over the default", () => {
    expect(configOf(read([]))).toEqual({ ttl: 10, level: "low", dryRun: false, words: [] });
    expect(configOf(read([], { ECS_DISCOVERY_TTL: "20" })).ttl).toBe(20);
    expect(configOf(read(["--ttl", "30"], { ECS_DISCOVERY_TTL: "20" })).ttl).toBe(30);
    expect(configOf(read(["--ttl=30"], { ECS_DISCOVERY_TTL: "20" })).ttl).toBe(30);
  });

  it("a bad value on the command line is not made good by the environment, nor the other way round", () => {
    expect(problemsOf(read(["--ttl", "x"], { ECS_DISCOVERY_TTL: "20" }))).toEqual([
      '--ttl: expected a whole number from 0 to 300, got "x"',
    ]);
    expect(problemsOf(read([], { ECS_DISCOVERY_TTL: "x" }))).toEqual([
      'ECS_DISCOVERY_TTL: expected a whole number from 0 to 300, got "x"',
    ]);
    expect(configOf(read(["--ttl=5"], { ECS_DISCOVERY_TTL: "x" })).ttl).toBe(5);
  });

  it("a flag without environment hears the command line alone, and its help names no variable", () => {
    const flags = { json: { ...onOff({ help: "as JSON" }), noEnvironment: true as const } };
    expect(configOf(readFlags(about, flags, [], { ECS_DISCOVERY_JSON: "nonsense" }))).toEqual({
      json: false,
      words: [],
    });
    expect(configOf(readFlags(about, flags, ["--json"], { ECS_DISCOVERY_JSON: "false" }))).toEqual({
      json: true,
      words: [],
    });
    const help = readFlags(about, flags, ["--help"], {});
    expect(help).toMatchObject({
      kind: "help",
      text: expect.stringMatching(/--json +as JSON \(not from the environment\)\n/),
    });
  });

  it("another mode's flags may be taken and left: they have no value, no help and no say in ours", () => {
    const ignores = {
      once: onOff({ help: "once" }),
      ttl: onOff({ help: "other" }),
      for: small.ttl,
    };
    const alsoTaking = { ...about, ignores };
    const line = readFlags(alsoTaking, small, ["--once", "--for=x", "--for", "3", "--ttl=7"], {});
    expect(configOf(line)).toEqual({ ttl: 7, level: "low", dryRun: false, words: [] });
    expect(problemsOf(readFlags(alsoTaking, small, ["--one"], {}))).toHaveLength(1);
    expect(readFlags(alsoTaking, small, ["--help"], {})).toMatchObject({
      text: expect.not.stringContaining("--once"),
    });
  });

  it.each(["plan", "doctor", "status", "deregister"])(
    "%s can stand before the flags of a host's agent: those that mean nothing to it are left",
    async (name) => {
      const given = "--hostedZoneId=Z1 --ttl=5 --stateDir=/x --srv --onStop=remove --once".split(
        " ",
      );
      const mode = modes.find((one) => one.name === name);
      expect(await mode?.read(given, {})).toMatchObject({ kind: "config" });
      expect(await mode?.read([...given, "--nosuch"], {})).toMatchObject({ kind: "problems" });
    },
  );

  it("an empty variable counts as none", () => {
    expect(
      configOf(
        read([], { ECS_DISCOVERY_TTL: "", ECS_DISCOVERY_LEVEL: "", ECS_DISCOVERY_DRY_RUN: "" }),
      ),
    ).toEqual({
      ttl: 10,
      level: "low",
      dryRun: false,
      words: [],
    });
    const [problem] = problemsOf(readFlags(about, discover, [], { HOSTED_ZONE_ID: "" }));
    expect(problem).toMatch(/^--hostedZoneId: expected .*, got nothing \(or set HOSTED_ZONE_ID\)$/);
  });

  it("the last of a flag given twice counts", () => {
    expect(configOf(read(["--ttl=1", "--ttl=2"])).ttl).toBe(2);
  });

  test.each([
    ["hostedZoneId", "ECS_DISCOVERY_HOSTED_ZONE_ID"],
    ["ttl", "ECS_DISCOVERY_TTL"],
    ["introspectionUrl", "ECS_DISCOVERY_INTROSPECTION_URL"],
  ])("%s is %s in the environment", (flag, name) => {
    expect(environmentName(flag)).toBe(name);
  });

  it("no two flags of a mode share a variable", () => {
    for (const flags of [discover, sandbox]) {
      const names = Object.keys(flags).map(environmentName);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("every default is a value the flag itself would take", () => {
    expect(configOf(readFlags(about, sandbox, [], {}))).toMatchObject({ dnsPort: 5300, for: 0 });
    const { introspectionUrl, hostAddress, ...config } = configOf(
      readFlags(about, discover, ["--hostedZoneId=Z1"], {}),
    );
    expect([introspectionUrl, hostAddress]).toEqual([undefined, undefined]);
    expect(config).toEqual({
      hostedZoneId: "Z1",
      workers: 5,
      ttl: 10,
      weight: 1,
      patience: 60,
      stateDir: "/var/lib/ecs-discovery-agent",
      resync: 900,
      health: "docker",
      allUnhealthy: "keep",
      stopGrace: 120,
      onStop: "keep",
      allowedNames: ["*"],
      addressSource: "auto",
      srv: false,
      statusAddress: { host: "127.0.0.1", port: 51_680 },
      routing: "weighted",
      fallback: "none",
      dryRun: false,
      once: false,
      force: false,
      drainTimeout: 25,
      logLevel: "info",
      logFormat: "text",
      words: [],
    });
  });
});

describe("problems", () => {
  it("come all at once, each as expected and got", () => {
    const argv = ["--ttl=1.5", "--hosted-zone=Z1", "loudly", "--logLevel=loud"];
    const variables = { ECS_DISCOVERY_WEIGHT: "256", ECS_DISCOVERY_DRY_RUN: "yes" };
    expect(problemsOf(readFlags(about, discover, argv, variables))).toEqual([
      'unknown flag "--hosted-zone=Z1", did you mean --hostedZoneId?',
      'unknown word "loudly", see --help',
      "--hostedZoneId: expected a Route 53 hosted zone id such as Z0123456789ABCDEFGHIJ, or the zone's name such as example.internal, got nothing (or set HOSTED_ZONE_ID)",
      'ECS_DISCOVERY_DRY_RUN: expected true or false, got "yes"',
      '--logLevel: expected one of error, warn, info, debug, got "loud"',
      '--ttl: expected a whole number from 0 to 2147483647, got "1.5"',
      'ECS_DISCOVERY_WEIGHT: expected a whole number from 0 to 255, got "256"',
    ]);
  });

  test.each([
    [["--hosted-zone-id", "Z1"]],
    [["-hostedZoneId=Z1"]],
    [["-hostedzoneid", "Z1"]],
    [["--HOSTED_ZONE_ID=Z1"]],
    [["--hostedZoneId=/hostedzone/Z1"]],
  ])("%j is --hostedZoneId=Z1", (argv) => {
    expect(configOf(readFlags(about, discover, argv, {}))).toMatchObject({ hostedZoneId: "Z1" });
  });

  it("an older program's name of a flag means the same", () => {
    const flags = { level: { ...small.level, aliases: ["loglevel"] }, dryRun: small.dryRun };
    const line = readFlags(about, flags, ["-loglevel=high", "-dry-run"], {});
    expect(configOf(line)).toMatchObject({ level: "high", dryRun: true });
  });

  test.each([
    ["--hostedZone", "did you mean --hostedZoneId?"],
    ["--hostedZonId=Z1", "did you mean --hostedZoneId?"],
    ["--dri-run", "did you mean --dryRun?"],
    ["--colour", "see --help"],
    ["-v", "see --help"],
    ["--no-dryRun", "did you mean --dryRun?"],
  ])("an unknown flag %s gets the hint: %s", (flag, hint) => {
    const [problem] = problemsOf(readFlags(about, discover, [flag, "--hostedZoneId=Z1"], {}));
    expect(problem).toBe(`unknown flag ${JSON.stringify(flag)}, ${hint}`);
  });

  it("a flag without its value is a problem of its own, and takes no other flag for one", () => {
    const missing = "--ttl: expected a whole number from 0 to 300, got nothing";
    expect(problemsOf(read(["--ttl"]))).toEqual([missing]);
    expect(problemsOf(read(["--ttl="]))).toEqual([missing]);
    expect(problemsOf(read(["--ttl", "--dryRun"], { ECS_DISCOVERY_TTL: "20" }))).toEqual([missing]);
  });

  test.each([
    "1e3",
    "-1",
    "1.5",
    "0x10",
    "0b1",
    " 1",
    "1 ",
    "1\n",
    "+1",
    "1_0",
    "301",
    "9999999999999999999999",
    "NaN",
    "Infinity",
    "\u0661",
  ])("a whole number is not %j", (text) => {
    for (const line of [
      read([`--ttl=${text}`]),
      read(["--ttl", text]),
      read([], { ECS_DISCOVERY_TTL: text }),
    ]) {
      expect(problemsOf(line)).toHaveLength(1);
      expect(problemsOf(line)[0]).toMatch(
        /^(--ttl|ECS_DISCOVERY_TTL): expected a whole number from 0 to 300, got "/,
      );
    }
  });

  test.each([
    ["0", 0],
    ["300", 300],
    ["007", 7],
  ])("a whole number may be %j", (text, value) => {
    expect(configOf(read(["--ttl", text])).ttl).toBe(value);
  });

  it("a bad value is shown on one line, whatever it holds", () => {
    const hostile = 'a\n2026 error owned\u001b[2J\u009b"';
    const problems = problemsOf(
      read([`--ttl=${hostile}`, hostile], { ECS_DISCOVERY_LEVEL: hostile }),
    );
    expect(problems).toHaveLength(3);
    for (const problem of problems) expect(problem).toMatch(/^[ -~]+$/);
  });
});

describe("a switch", () => {
  it("is on when it is given, off when it is not", () => {
    expect(configOf(read(["--dryRun"])).dryRun).toBe(true);
    expect(configOf(read([])).dryRun).toBe(false);
  });

  test.each([
    ["true", true],
    ["1", true],
    ["false", false],
    ["0", false],
  ])("is in the environment %j for %j", (text, value) => {
    expect(configOf(read([], { ECS_DISCOVERY_DRY_RUN: text })).dryRun).toBe(value);
  });

  test.each(["yes", "TRUE", "on", " true", "2"])("is never %j", (text) => {
    expect(problemsOf(read([], { ECS_DISCOVERY_DRY_RUN: text }))).toEqual([
      `ECS_DISCOVERY_DRY_RUN: expected true or false, got ${JSON.stringify(text)}`,
    ]);
  });

  it("with choices takes one of them after an equals sign, and stands for true alone", () => {
    const flags = {
      srv: {
        help: "",
        expected: "nothing or rfc2782",
        schema: z.enum(["true", "false", "rfc2782"]),
        byDefault: "false",
        choices: ["rfc2782"],
      },
    };
    const of = (...argv: string[]) => readFlags({ usage: "", summary: "" }, flags, argv, {});
    expect(of("--srv")).toMatchObject({ config: { srv: "true" } });
    expect(of("--srv=rfc2782")).toMatchObject({ config: { srv: "rfc2782" } });
    expect(of("--srv", "rfc2782")).toMatchObject({ kind: "problems" });
    expect(of("--srv=other")).toMatchObject({ kind: "problems" });
  });

  it("wins over its variable, and takes no value of its own", () => {
    expect(configOf(read(["--dryRun"], { ECS_DISCOVERY_DRY_RUN: "false" })).dryRun).toBe(true);
    expect(problemsOf(read(["--dryRun=false"]))).toEqual([
      'unknown flag "--dryRun=false", did you mean --dryRun?',
    ]);
    expect(problemsOf(read(["--dryRun", "false"]))).toEqual(['unknown word "false", see --help']);
  });
});

describe("hosted zone id and introspection URL", () => {
  test.each(["Z1", "Z0123456789ABCDEFGHIJ", `Z${"A".repeat(31)}`])("the zone may be %j", (id) => {
    expect(configOf(readFlags(about, discover, ["--hostedZoneId", id], {})).hostedZoneId).toBe(id);
  });

  test.each(["z1", "Z", "/zone/Z1", "internal", "a..example", `Z${"A".repeat(32)}`, "Z1\n"])(
    "the zone is never %j",
    (id) => {
      const [problem] = problemsOf(readFlags(about, discover, [`--hostedZoneId=${id}`], {}));
      expect(problem).toMatch(/^--hostedZoneId: expected a Route 53 hosted zone id/);
    },
  );

  test.each(["https://127.0.0.1:51678", "127.0.0.1:51678", "file:///etc/passwd", "http://"])(
    "the URL is never %j",
    (url) => {
      const argv = ["--hostedZoneId=Z1", `--introspectionUrl=${url}`];
      expect(problemsOf(readFlags(about, discover, argv, {}))).toEqual([
        `--introspectionUrl: expected a URL such as http://127.0.0.1:51678, without user and password, got ${JSON.stringify(url)}`,
      ]);
    },
  );
});

describe("--help", () => {
  test.each([
    ["discover", discover],
    ["sandbox", sandbox],
  ])("of %s shows every flag, what it takes, its variable and its help", (_, flags) => {
    const line = readFlags(about, flags, ["--help"], {});
    if (line.kind !== "help") throw new Error(`expected help, got ${line.kind}`);
    const text = line.text.replace(/\s+/g, " ");
    for (const [name, flag] of Object.entries(flags as Flags)) {
      expect(text).toContain(flag.takes === undefined ? `--${name} ` : `--${name} <${flag.takes}>`);
      expect(text).toContain(flag.help);
      for (const variable of flag.environment ?? []) expect(text).toContain(variable);
    }
    expect(text).toContain("--version");
    expect(text).toContain("Usage: ecs-discovery-agent [discover] [flags]");
    for (const one of line.text.split("\n")) expect(one.length).toBeLessThanOrEqual(80);
  });

  it("wins over problems, and shows examples, words and where to read on", () => {
    const line = readFlags(
      {
        ...about,
        examples: [["discover --ttl=5", "short"]],
        more: "agent/discover/README.md",
        words: { takes: "<file>...", help: "what to read" },
      },
      small,
      ["--ttl=x", "-h"],
      {},
    );
    if (line.kind !== "help") throw new Error(`expected help, got ${line.kind}`);
    expect(line.text).toContain("  # short\n  ecs-discovery-agent discover --ttl=5\n");
    expect(line.text).toMatch(/<file>\.\.\. +what to read/);
    expect(line.text).toContain("More: agent/discover/README.md");
  });
});

describe("words among the flags", () => {
  const wordy = { ...about, words: { takes: "<file>...", help: "what to read" } };

  it("arrive in their order; a dash alone is one, and so is all behind two", () => {
    const argv = ["a", "--ttl=3", "-", "b", "--", "--ttl=4", "-x"];
    expect(configOf(readFlags(wordy, small, argv, {}))).toMatchObject({
      ttl: 3,
      words: ["a", "-", "b", "--ttl=4", "-x"],
    });
  });

  it("may be some of a short list only", () => {
    const choosy = { ...about, words: { ...wordy.words, choices: ["plan", "apply"] } };
    expect(configOf(readFlags(choosy, small, ["apply"], {})).words).toEqual(["apply"]);
    expect(problemsOf(readFlags(choosy, small, ["aply"], {}))).toEqual([
      'expected plan, apply, got "aply"',
    ]);
  });
});

describe("any command line and environment", () => {
  const names = [...Object.keys(discover), "help", "version", "__proto__", "constructor", "no-ttl"];
  const word = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("-", "--", "---", "-1", "=", "--=", "help", "discover", ""),
    fc.constantFrom(...names).map((name) => `--${name}`),
    fc.tuple(fc.constantFrom(...names), fc.string()).map(([name, value]) => `--${name}=${value}`),
  );
  const environment = fc.dictionary(
    fc.constantFrom(...Object.keys(discover).map(environmentName), "__proto__"),
    fc.oneof(fc.string(), fc.constant(undefined), fc.constantFrom("1", "true", "Z1")),
  );

  it("gives a config, the help, or problems of one printable line each; it never throws", () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), environment, (argv, env) => {
        const line = readFlags(about, discover, argv, env);
        if (line.kind === "config")
          expect(line.config.hostedZoneId).toMatch(/^Z[A-Z0-9]{1,31}$|^[a-z0-9_.-]+$/);
        if (line.kind !== "problems") return;
        expect(line.problems).not.toHaveLength(0);
        for (const problem of line.problems) expect(problem).toMatch(/^[ -~]+$/);
      }),
      { numRuns: 1_000 },
    );
  });
});
