/**
 * Amounts in the form that the API server gives back, so that what is sent equals what is read: "1", not "1000m"; "1Gi",
 * not "1024Mi" (Kubernetes API, canonical form of a Quantity).
 */

/** ECS counts 1024 units to a core, Kubernetes 1000 millicores; rounded up, as a request of 0 would be none. */
export function cpuQuantity(units: number): string {
  const millicores = Math.ceil((units * 1000) / 1024);
  return millicores % 1000 === 0 ? String(millicores / 1000) : `${millicores}m`;
}

export function mebibytes(amount: number): string {
  if (amount !== 0 && amount % 1024 === 0) return gibibytes(amount / 1024);
  return amount === 0 ? "0" : `${amount}Mi`;
}

export function gibibytes(amount: number): string {
  if (amount !== 0 && amount % 1024 === 0) return `${amount / 1024}Ti`;
  return amount === 0 ? "0" : `${amount}Gi`;
}

/** CPU units of a task: "1024", "1 vCPU", ".5 vcpu" (RegisterTaskDefinition, `cpu`); undefined for anything else. */
export function taskCpuUnits(text: string): number | undefined {
  const [, digits, unit] = /^\s*(\d*\.?\d+)\s*(vcpu)?\s*$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const amount = Number(digits) * (unit === undefined ? 1 : 1024);
  return Number.isSafeInteger(amount) && amount > 0 ? amount : undefined;
}

/** Mebibytes of a task: "2048", "2 GB", "512mb" (RegisterTaskDefinition, `memory`); undefined for anything else. */
export function taskMebibytes(text: string): number | undefined {
  const [, digits, unit] = /^\s*(\d*\.?\d+)\s*([gm]i?b)?\s*$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const amount = Number(digits) * (/^g/i.test(unit ?? "") ? 1024 : 1);
  return Number.isSafeInteger(amount) && amount > 0 ? amount : undefined;
}
