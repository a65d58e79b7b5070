import type { Fate, Judged } from "../../lib/discovery/sweep.ts";
import type { Fleet } from "../../lib/ecs/fleet.ts";
import type { ForeignRecord } from "../../lib/route53/own-record.ts";
import type { RecordSet } from "../../lib/route53/record-set.ts";
import { line } from "../cli/terminal.ts";

/** A record and what became of it. */
type Entry = Pick<RecordSet, "name" | "setIdentifier"> &
  Partial<Pick<RecordSet, "values">> & {
    readonly type: string;
    readonly reason: Fate["reason"];
    readonly detail: string;
  };

/** What a sweep found and did; for machines as it is. */
export interface SweepReport {
  readonly schemaVersion: 1;
  readonly zone: { readonly id: string; readonly name: string };
  readonly dryRun: boolean;
  /** How many records of agents were judged; those of an unknown form come on top, under `unsure`. */
  readonly seen: number;
  /** In a dry run, or with `refused`: what would have been. */
  readonly deleted: readonly Entry[];
  readonly kept: readonly Entry[];
  readonly unsure: readonly Entry[];
  readonly clusters: readonly {
    readonly name: string;
    /** Why it could not be read; then nothing of it was deleted. */
    readonly problem?: string;
  }[];
  /** Why nothing was deleted. */
  readonly refused?: string;
}

export function reportOf({
  zone,
  dryRun,
  judged,
  strange,
  fleets,
  refused,
}: {
  readonly zone: SweepReport["zone"];
  readonly dryRun: boolean;
  readonly judged: readonly Judged[];
  readonly strange: readonly ForeignRecord[];
  readonly fleets: readonly Fleet[];
  readonly refused: string | undefined;
}): SweepReport {
  const entries = (kind: Fate["kind"]): readonly Entry[] =>
    judged
      .filter(({ fate }) => fate.kind === kind)
      .map(({ record: { name, type, setIdentifier, values }, fate: { reason, detail } }) => ({
        ...{ name, type, setIdentifier, values, reason, detail },
      }));
  const clusters = new Map<string, SweepReport["clusters"][number]>();
  for (const cluster of fleets.flat()) {
    const { name } = cluster;
    // Unread in one look is unread.
    if (cluster.kind === "unread") clusters.set(name, { name, problem: cluster.problem });
    else if (!clusters.has(name)) clusters.set(name, { name });
  }
  return {
    schemaVersion: 1,
    zone,
    dryRun,
    seen: judged.length,
    deleted: entries("dead"),
    kept: entries("kept"),
    unsure: [
      ...entries("unsure"),
      ...strange.map(({ name, type, setIdentifier }) => ({
        ...{ name, type, setIdentifier },
        reason: "other-format" as const,
        detail: "looks like an agent's, and none of this version wrote it",
      })),
    ],
    clusters: [...clusters.values()],
    ...(refused !== undefined && { refused }),
  };
}

/** The report for people: a line for each record that was deleted or is in doubt, and how many were kept for what. */
export function textOf(report: SweepReport): readonly string[] {
  const { zone, seen, deleted, kept, unsure, clusters, refused, dryRun } = report;
  const would = dryRun || refused !== undefined;
  const lines = (verb: string, entries: readonly Entry[]) =>
    entries.map(
      ({ name, type, values, setIdentifier, reason, detail }) =>
        `  ${verb} ${name} ${type} ${values?.join(",") ?? setIdentifier}: ${reason}, ${detail}`,
    );
  const reasons = [...Map.groupBy(kept, ({ reason }) => reason)].map(
    ([reason, all]) => `  ${all.length} kept: ${reason}`,
  );
  return [
    `zone ${zone.id} (${zone.name}): ${seen} records of agents, ` +
      `${deleted.length} ${would ? "would be deleted" : "deleted"}, ${kept.length} kept, ${unsure.length} unsure`,
    ...lines(would ? "would delete" : "deleted", deleted),
    ...lines("unsure", unsure),
    ...reasons,
    ...clusters.map(({ name, problem }) =>
      problem === undefined
        ? `  read cluster ${name}`
        : `  could not read cluster ${name}, so nothing of it was touched: ${problem}`,
    ),
    ...(refused === undefined ? [] : [`refused: ${refused}`]),
  ].map((text) => line(text));
}
