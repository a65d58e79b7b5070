import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "@jest/globals";

const ROOT = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");

it("deploy/balancer/iam.json allows what the code asks of Elastic Load Balancing, and nothing else", () => {
  const sent = readdirSync(new URL("lib/elb/io", ROOT)).flatMap((file) =>
    [...read(`lib/elb/io/${file}`).matchAll(/^ {2}(\w+)Command,$/gm)].map(
      ([, command = ""]) => `elasticloadbalancing:${command}`,
    ),
  );
  const policy = JSON.parse(read("deploy/balancer/iam.json")) as {
    readonly Statement: readonly { readonly Action: string | readonly string[] }[];
  };
  const actions = policy.Statement.flatMap(({ Action }) => Action);
  expect(sent.length).toBeGreaterThan(10);
  expect(actions.filter((one) => one.startsWith("elasticloadbalancing:")).toSorted()).toEqual(
    [...new Set(sent)].toSorted(),
  );
});
