import { quote } from "../../kit/quote.ts";
import { type Context, isWindows, type NamedContainer } from "./context.ts";
import { type Fields, unlessEmpty } from "./fields.ts";
import { cpuQuantity, gibibytes, mebibytes, taskCpuUnits, taskMebibytes } from "./quantity.ts";

/**
 * What a container asks for and may use. CPU units are shares in ECS, so they become a request and no limit; memory is a
 * limit, and a reservation a request.
 */
export function resourcesOf(container: NamedContainer, context: Context): Fields | undefined {
  const { at, definition } = container;
  const { report, task, containers } = context;
  const { cpu = 0, memory, memoryReservation } = definition;
  for (const [name, amount, least] of [
    ["cpu", cpu, 0],
    ["memory", memory ?? 1, 1],
    ["memoryReservation", memoryReservation ?? 1, 0],
  ] as const) {
    if (amount < least) report.refuse(`${at}.${name}`, `expected at least ${least}, got ${amount}`);
  }
  if (memory !== undefined && memoryReservation !== undefined && memoryReservation > memory) {
    report.refuse(
      `${at}.memoryReservation`,
      `expected at most memory (${memory} MiB), got ${memoryReservation}`,
    );
  }
  const reserved = memoryReservation ?? memory;
  const isFirst = containers[0] === container;
  const disk = isFirst ? task.ephemeralStorage?.sizeInGiB : undefined;
  const devices = devicesOf(container, context);
  return unlessEmpty({
    requests: unlessEmpty({
      cpu: cpu > 0 ? cpuQuantity(cpu) : undefined,
      memory: reserved === undefined || reserved === 0 ? undefined : mebibytes(reserved),
      "ephemeral-storage": disk === undefined ? undefined : gibibytes(disk),
      ...devices,
    }),
    limits: unlessEmpty({
      memory: memory === undefined ? undefined : mebibytes(memory),
      "ephemeral-storage": disk === undefined ? undefined : gibibytes(disk),
      ...devices,
    }),
  });
}

const DEVICES: ReadonlyMap<string, string> = new Map([
  ["GPU", "nvidia.com/gpu"],
  ["NeuronDevice", "aws.amazon.com/neuron"],
]);

function devicesOf({ at, definition }: NamedContainer, { report }: Context): Fields {
  const devices: Record<string, string> = {};
  for (const [index, { type = "", value = "" }] of (
    definition.resourceRequirements ?? []
  ).entries()) {
    const member = `${at}.resourceRequirements[${index}]`;
    const name = DEVICES.get(type);
    if (name === undefined) {
      report.unmapped(
        member,
        `no resource of a node is known for ${quote(type)}`,
        "name the resource that your device plugin offers in resources.limits",
      );
    } else if (/^[1-9]\d{0,3}$/.test(value)) devices[name] = value;
    else report.refuse(`${member}.value`, `expected a whole number from 1, got ${quote(value)}`);
  }
  return devices;
}

/**
 * What the task as a whole asks for and may use: resources of the pod itself, in Kubernetes since 1.34. They are left out,
 * and reported, where the containers ask for more than the task has, which ECS refuses too.
 */
export function taskResourcesOf(context: Context): Fields | undefined {
  const { task, containers, report } = context;
  const cpu = amountOf("cpu", task.cpu, taskCpuUnits, '1024 or "1 vCPU"', context);
  const memory = amountOf("memory", task.memory, taskMebibytes, '2048 or "2 GB"', context);
  const total = (amount: (definition: NamedContainer["definition"]) => number | undefined) =>
    containers.reduce((sum, { definition }) => sum + (amount(definition) ?? 0), 0);
  const asked = {
    cpu: total((one) => one.cpu),
    memory: total((one) => one.memoryReservation ?? one.memory),
  };
  const largest = Math.max(0, ...containers.map(({ definition }) => definition.memory ?? 0));
  const isWithin = (name: "cpu" | "memory", has: number | undefined, needs: number) => {
    if (has === undefined || needs <= has) return has !== undefined;
    report.unmapped(
      name,
      `the containers ask for ${needs}, more than the ${has} of the task`,
      "make the task larger, as ECS wants it too",
    );
    return false;
  };
  if (isWindows(context) && (cpu ?? memory) !== undefined) {
    report.unmapped(
      task.cpu === undefined ? "memory" : "cpu",
      "a Windows pod has no resources of its own",
      "give each container its own cpu and memory",
    );
    return undefined;
  }
  const amounts = {
    cpu: isWithin("cpu", cpu, asked.cpu) ? cpuQuantity(cpu ?? 0) : undefined,
    memory: isWithin("memory", memory, Math.max(asked.memory, largest))
      ? mebibytes(memory ?? 0)
      : undefined,
  };
  const both = unlessEmpty(amounts);
  return both === undefined ? undefined : { requests: both, limits: both };
}

function amountOf(
  name: string,
  text: string | undefined,
  read: (text: string) => number | undefined,
  expected: string,
  { report }: Context,
): number | undefined {
  if (text === undefined || /^\s*0?\s*$/.test(text)) return undefined;
  const amount = read(text);
  if (amount !== undefined) return amount;
  if (/^\$\{/.test(text)) return undefined;
  report.refuse(name, `expected ${expected}, got ${quote(text)}`);
  return undefined;
}
