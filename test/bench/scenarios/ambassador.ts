import type { Scenario } from "../results.ts";
export async function ambassador(): Promise<readonly Scenario[]> {
  return [];
}
