import { describe, expect, it, test } from "@jest/globals";
import { readFlags } from "../../../agent/cli/read-flags.ts";
import { flags } from "../../../agent/writer/config.ts";

const QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/discovery";
const read = (argv: readonly string[]) =>
  readFlags({ usage: "writer [flags]", summary: "writer" }, flags, argv, {});

describe("the writer's flags", () => {
  it("take several zones, with or without the prefix of Route 53's answers", () => {
    const line = read([`--queueUrl=${QUEUE}`, "--hostedZoneId=Z1,/hostedzone/Z2"]);
    expect(line).toMatchObject({
      kind: "config",
      config: { queueUrl: QUEUE, hostedZoneId: ["Z1", "Z2"], senders: "ecs", resync: 900 },
    });
  });

  test.each([
    ["no zone's id among them", "Z1,abc"],
    ["one of them twice", "Z1,/hostedzone/Z1"],
    ["a comma at the end", "Z1,"],
    ["nothing", ""],
  ])("refuse %s in one sentence", (_, ids) => {
    expect(read([`--queueUrl=${QUEUE}`, `--hostedZoneId=${ids}`])).toMatchObject({
      kind: "problems",
      problems: [
        expect.stringMatching(/^--hostedZoneId: expected Route 53 hosted zone ids such as /),
      ],
    });
  });

  it("refuse a FIFO queue, which takes no message without a group", () => {
    expect(read([`--queueUrl=${QUEUE}.fifo`, "--hostedZoneId=Z1"])).toMatchObject({
      kind: "problems",
      problems: [expect.stringContaining("--queueUrl: expected a standard queue's URL")],
    });
  });
});
