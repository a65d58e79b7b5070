import { stat } from "node:fs/promises";
import { ecsService } from "../../../lib/ecs/io/service.ts";
import type { Answer } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { outcomes } from "../asking.ts";
import { type Finding, fail, ok } from "../finding.ts";
import { answer } from "../report.ts";
import { askAws } from "./aws.ts";

interface Config {
  readonly secretMap: ReadonlyMap<string, string> | string | undefined;
  readonly cluster: string | undefined;
  readonly json: boolean;
}

/** It needs nothing but its files, unless it is to read a live cluster. */
export async function convert(config: Config, surroundings: Surroundings): Promise<Answer> {
  const ask = outcomes(surroundings);
  const { cluster, secretMap } = config;
  const findings: Finding[] = [
    ok("files", "no AWS, no Docker and no cluster is needed to convert files"),
  ];
  if (typeof secretMap === "string") {
    const found = await ask(() => stat(secretMap));
    findings.push(
      found.kind === "done"
        ? ok("secret-map", `${secretMap} is there`)
        : fail("secret-map", found.problem, "make the file, or correct --secretMap"),
    );
  }
  const aws =
    cluster === undefined
      ? []
      : await askAws(
          { ask, env: surroundings.env, policy: "docs/convert.md" },
          ["tasks"],
          (region) => [
            {
              check: "tasks",
              permission: "ecs:ListTasks",
              async asks() {
                const ecs = ecsService({ region });
                const { arns } = await ecs.tasks({ cluster }, undefined).finally(() => ecs.close());
                return `the cluster ${cluster} has ${arns.length} running tasks`;
              },
            },
          ],
        );
  return answer([...findings, ...aws], config);
}
