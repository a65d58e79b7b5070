import { readFile } from "node:fs/promises";
import { defaultGateway } from "../gateway.ts";

/** This network namespace's default gateway, dotted; undefined where there is none or the system is not Linux. */
export async function readDefaultGateway(): Promise<string | undefined> {
  const table = await readFile("/proc/net/route", "utf8").catch(() => "");
  return defaultGateway(table);
}
