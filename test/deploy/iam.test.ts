import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it, test } from "@jest/globals";

/** What discover writes; what else other modes write has a policy of its own. */
const TYPES = ["A", "AAAA", "SRV"];

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");

interface Statement {
  readonly Effect: "Allow" | "Deny";
  readonly Action: string | readonly string[];
  readonly Resource: string;
  readonly Condition?: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >;
}
const statements = (file: string): readonly Statement[] =>
  (JSON.parse(read(`deploy/${file}`)) as { readonly Statement: readonly Statement[] }).Statement;
const actionsOf = (file: string) =>
  statements(file)
    .filter(({ Effect }) => Effect === "Allow")
    .flatMap(({ Action }) => Action)
    .toSorted();

/** The IAM actions of the commands that these edges send by this client of the SDK. */
function actionsSent(client: string, prefix: string, edges: RegExp): readonly string[] {
  const sources = readdirSync(new URL("lib/", ROOT), { recursive: true, encoding: "utf8" })
    .filter((file) => edges.test(file))
    .map((file) => read(`lib/${file}`));
  const imports = sources.flatMap((source) =>
    [...source.matchAll(/import \{([^}]*)\} from "([^"]+)"/g)]
      .filter(([, , from]) => from === `@aws-sdk/${client}`)
      .flatMap(([, names = ""]) => names.split(",")),
  );
  const commands = imports.flatMap((name) => /^\s*(\w+)Command\s*$/.exec(name)?.[1] ?? []);
  return [...new Set(commands)].map((command) => `${prefix}:${command}`);
}

/** What agent and sweep ask; GetChange is asked for the proxy's certificates alone. */
const route53 = () =>
  actionsSent("client-route-53", "route53", /^route53\/io\/zone(-\w+)?\.ts$/).filter(
    (action) => action !== "route53:GetChange",
  );
const namedZone = () => actionsSent("client-route-53", "route53", /^route53\/io\/named-zone\.ts$/);
const ecs = () => actionsSent("client-ecs", "ecs", /^ecs\/io\/control\.ts$/);
const ecsService = () => actionsSent("client-ecs", "ecs", /^ecs\/io\/service\.ts$/);
/** By a client of our own, which names its operations as text. */
const ec2 = () => [
  ...new Set(
    [...read("lib/aws/io/ec2.ts").matchAll(/\bask\("(\w+)"/g)].map(([, name]) => `ec2:${name}`),
  ),
];

test.each([
  ["iam-agent.json", [route53]],
  ["iam-sweep.json", [route53, ecs]],
  ["iam-zone-name.json", [namedZone]],
  ["ambassador/iam.json", [ecsService, ec2]],
])("%s allows what the code asks of AWS, and nothing else", (file, clients) => {
  const sent = clients.map((actions) => actions());
  for (const actions of sent) expect(actions).not.toEqual([]);
  expect(actionsOf(file)).toEqual(sent.flat().toSorted());
});

describe.each([
  ["iam-agent.json", ["UPSERT", "DELETE", "CREATE"]],
  ["iam-sweep.json", ["DELETE"]],
])("%s", (file, actions) => {
  it("limits changes to our kinds of records below the zone, and by no condition that is true where its key is missing", () => {
    const changes = statements(file).filter(
      ({ Effect, Action }) => Effect === "Allow" && Action === "route53:ChangeResourceRecordSets",
    );
    const keys = [
      "route53:ChangeResourceRecordSetsRecordTypes",
      "route53:ChangeResourceRecordSetsActions",
      "route53:ChangeResourceRecordSetsNormalizedRecordNames",
    ] as const;
    expect(changes.map(({ Condition }) => Condition)).toEqual([
      {
        "ForAllValues:StringEquals": { [keys[0]]: TYPES, [keys[1]]: actions },
        "ForAllValues:StringLike": { [keys[2]]: ["*.example.internal"] },
        Null: Object.fromEntries(keys.map((key) => [key, "false"])),
      },
    ]);
  });

  it("denies every change of a wildcard record, which the names below the zone would take in", () => {
    const denied = statements(file).filter(({ Effect }) => Effect === "Deny");
    // As Route 53 normalises `*.example.internal` (Developer Guide, specifying conditions).
    expect(denied).toEqual([
      {
        Sid: "NoWildcardRecords",
        Effect: "Deny",
        Action: "route53:ChangeResourceRecordSets",
        Resource: "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ",
        Condition: {
          "ForAnyValue:StringLike": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["\\052.*"],
          },
        },
      },
    ]);
  });

  it.each(["agent.yaml", "sweep.yaml"])("as does the template %s", (template) => {
    expect(read(`deploy/${template}`)).toMatch(
      /Sid: NoWildcardRecords\n +Effect: Deny\n[\s\S]*?ForAnyValue:StringLike:\n.*NormalizedRecordNames: \['\\052\.\*'\]/,
    );
  });

  it("reaches no other zone", () => {
    const zones = statements(file)
      .filter(({ Action }) => [Action].flat().some((action) => action.startsWith("route53:")))
      .map(({ Resource }) => Resource);
    expect([...new Set(zones)]).toEqual(["arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"]);
  });
});
