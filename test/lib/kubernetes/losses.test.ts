import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { serviceDefinitionOf, taskDefinitionOf } from "../../../lib/ecs/definition.ts";
import { type Mapped, manifestsOf } from "../../../lib/kubernetes/manifests.ts";
import { chance } from "../../support/chance.ts";
import { leavesOf, other, wholeService, wholeTask } from "../../support/definitions.ts";

const mapped = (task: unknown, service: unknown): Mapped =>
  manifestsOf(
    {
      task: taskDefinitionOf(task),
      ...(service !== undefined && { service: serviceDefinitionOf(service) }),
      fallbackName: "app",
    },
    { serviceType: "LoadBalancer", hostPorts: "drop", names: new Map() },
  );

/** Without these little is left that ECS, or a pod, would take. */
const KEPT = new Set(["containerDefinitions", "name", "image", "containerName", "condition"]);

/** The value without those of its members and items that `keeps` does not keep. */
function thinned(value: unknown, keeps: () => boolean): unknown {
  if (Array.isArray(value)) return value.filter(keeps).map((item) => thinned(item, keeps));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => KEPT.has(name) || keeps())
      .map(([name, member]) => [name, thinned(member, keeps)]),
  );
}

const made = (one: Mapped): string =>
  JSON.stringify(one.kind === "manifests" ? one.objects : one.refusals);

const isTold = (path: string, { findings }: Mapped): boolean =>
  findings.some(({ member }) => {
    const plain = member.replace(/^service\./, "");
    return path === plain || path.startsWith(`${plain}.`) || path.startsWith(`${plain}[`);
  });

/** The members whose change nobody would see or hear of. */
function lost(root: unknown, before: Mapped, change: (root: unknown) => Mapped): readonly string[] {
  return leavesOf(root)
    .filter(({ path, value, with: put }) => {
      const after = change(put(other(value)));
      return made(after) === made(before) && !isTold(path, before) && !isTold(path, after);
    })
    .map(({ path }) => path);
}

it("of whatever part of a definition there is, no member is lost in silence", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.double({ min: 0.3, max: 0.95, noNaN: true }),
      fc.boolean(),
      (seed, share, hasService) => {
        const random = chance(seed);
        const keeps = () => random() < share;
        const task = thinned(wholeTask, keeps);
        const service = hasService ? thinned(wholeService, keeps) : undefined;
        const before = mapped(task, service);
        fc.pre(before.kind === "manifests");
        expect(lost(task, before, (changed) => mapped(changed, service))).toEqual([]);
        if (service === undefined) return;
        expect(lost(service, before, (changed) => mapped(task, changed))).toEqual([]);
      },
    ),
    { numRuns: 25 },
  );
});
