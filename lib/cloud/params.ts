import { quote } from "../kit/quote.ts";
import { linesOf, type Problem } from "./variables.ts";

/** One value of a parameters file, and where it stands. */
export interface Param {
  readonly value: string;
  readonly file: string;
  readonly line: number;
}

// A parameter's name is alphanumeric (CloudFormation, "Parameters").
const KEY = /^[A-Za-z0-9]{1,255}$/;

/**
 * A parameters file: `Key=Value` a line. The first equals sign splits, and every space behind it belongs to the value;
 * blank lines and lines that begin with a number sign say nothing.
 */
export function parseParams(
  file: string,
  text: string,
): { readonly params: ReadonlyMap<string, Param>; readonly problems: readonly Problem[] } {
  const params = new Map<string, Param>();
  const problems: Problem[] = [];
  for (const [index, one] of linesOf(text).entries()) {
    const line = index + 1;
    if (/^\s*(?:#|$)/.test(one)) continue;
    const at = one.indexOf("=");
    const key = one.slice(0, at).trim();
    const earlier = params.get(key);
    if (at === -1) {
      problems.push({ file, line, text: "expected Key=Value, got a line without an equals sign" });
    } else if (!KEY.test(key)) {
      problems.push({
        file,
        line,
        text: `expected a parameter's name of letters and digits before the equals sign, got ${quote(key)}`,
      });
    } else if (earlier !== undefined) {
      problems.push({ file, line, text: `${key} stands in line ${earlier.line} already` });
    } else {
      params.set(key, { value: one.slice(at + 1), file, line });
    }
  }
  return { params, problems };
}

/** What an account has to build a cluster in. */
export interface Network {
  readonly vpcs: readonly string[];
  /** Of the one VPC, where there is one. */
  readonly subnets: readonly { readonly id: string; readonly zone: string }[];
  readonly keys: readonly string[];
}

/**
 * The parameters file that follows from the account, when there is no choice to make: one VPC, three of its subnets in
 * three availability zones (EFS takes one mount target a zone: CreateMountTarget), and one key pair. Otherwise what is in
 * the way, and what to do.
 */
export function paramsFromNetwork({
  vpcs,
  subnets,
  keys,
}: Network): { readonly text: string } | { readonly problem: string } {
  const write =
    "write ecs-cluster.params with VpcId, SubnetA, SubnetB, SubnetC and, if you want one, KeyName";
  const zones = new Map<string, string>();
  const byZone = subnets.toSorted((a, b) => (`${a.zone} ${a.id}` < `${b.zone} ${b.id}` ? -1 : 1));
  for (const { id, zone } of byZone) if (!zones.has(zone)) zones.set(zone, id);
  const [a, b, c] = zones.values();
  const [vpc] = vpcs;
  const [key] = keys;
  if (vpcs.length !== 1 || vpc === undefined) {
    return { problem: `expected exactly one VPC, found ${listed(vpcs)}: ${write}` };
  }
  if (a === undefined || b === undefined || c === undefined) {
    return {
      problem: `expected at least 3 subnets in 3 availability zones of ${vpc}, found ${subnets.length} in ${zones.size}: ${write}`,
    };
  }
  if (keys.length !== 1 || key === undefined) {
    return { problem: `expected exactly one key pair, found ${listed(keys)}: ${write}` };
  }
  const lines = [
    "# Made from what this account has; yours to change.",
    `VpcId=${vpc}`,
    `SubnetA=${a}`,
    `SubnetB=${b}`,
    `SubnetC=${c}`,
    `KeyName=${key}`,
  ];
  return { text: lines.map((line) => `${line}\n`).join("") };
}

const listed = (all: readonly string[]): string =>
  all.length === 0
    ? "none"
    : `${all.length} (${all
        .slice(0, 5)
        .map((one) => quote(one))
        .join(", ")})`;
