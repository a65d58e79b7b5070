import { quote } from "../kit/quote.ts";
import { itemsOf, type JsonNode, memberOf, textOf } from "./json-node.ts";

interface LineProblem {
  readonly line: number;
  readonly text: string;
}

/**
 * What ECS would refuse of a task definition whatever its account (API reference, RegisterTaskDefinition,
 * ContainerDefinition), so that it is known before anything is applied.
 */
export function taskDefinitionProblems(node: JsonNode): readonly LineProblem[] {
  const list = memberOf(node, "containerDefinitions");
  const containers = itemsOf(list);
  const problems: LineProblem[] = [];
  const say = (at: JsonNode | undefined, text: string) =>
    problems.push({ line: (at ?? node).line, text });
  if (list !== undefined && containers.length === 0) {
    say(list, "containerDefinitions: expected at least one container");
  }
  const taskMemory = memberOf(node, "memory") !== undefined;
  const volumes = new Set(
    itemsOf(memberOf(node, "volumes")).map((one) => textOf(memberOf(one, "name"))),
  );
  const names = new Map<string, number>();
  let essential = false;
  for (const [at, container] of containers.entries()) {
    if (container.kind !== "object") continue;
    const name = textOf(memberOf(container, "name"));
    const who = `containerDefinitions[${at}]${name === undefined ? "" : ` (${quote(name)})`}`;
    if (name === undefined) say(container, `${who}: name is missing`);
    if (textOf(memberOf(container, "image")) === undefined)
      say(container, `${who}: image is missing`);
    const hasMemory = ["memory", "memoryReservation"].some((one) => memberOf(container, one));
    if (!hasMemory && !taskMemory) {
      say(
        container,
        `${who}: memoryReservation is missing (or memory, here or for the whole task)`,
      );
    }
    const earlier = name === undefined ? undefined : names.get(name);
    if (earlier !== undefined)
      say(container, `${who}: line ${earlier} has a container of that name`);
    if (name !== undefined) names.set(name, container.line);
    const flag = memberOf(container, "essential");
    if (flag?.kind !== "plain" || flag.value !== false) essential = true;
    for (const mount of itemsOf(memberOf(container, "mountPoints"))) {
      const source = memberOf(mount, "sourceVolume");
      const volume = textOf(source);
      if (volume !== undefined && !volumes.has(volume)) {
        say(source, `${who}: sourceVolume ${quote(volume)} is none of the volumes`);
      }
    }
  }
  if (containers.length > 0 && !essential) {
    say(list, "containerDefinitions: expected at least one container that is essential");
  }
  return problems;
}

/** The same for a service (API reference, CreateService). */
export function serviceProblems(node: JsonNode): readonly LineProblem[] {
  const problems: LineProblem[] = [];
  const count = memberOf(node, "desiredCount");
  if (textOf(memberOf(node, "schedulingStrategy")) === "DAEMON" && count !== undefined) {
    problems.push({
      line: count.line,
      text: "desiredCount: a DAEMON service has one task on each host, so leave it out",
    });
  }
  const strategy = memberOf(node, "capacityProviderStrategy");
  if (memberOf(node, "launchType") !== undefined && itemsOf(strategy).length > 0) {
    problems.push({
      line: (strategy ?? node).line,
      text: "capacityProviderStrategy: expected no launchType beside it, take one of them out",
    });
  }
  return problems;
}
