import * as z from "zod";

/**
 * What a running mode shows of itself: GET /v1/state, the event `state` of GET /v1/events, and the page made of it. Times
 * are Unix seconds. Texts come from labels, files and answers of others: whoever shows them must show them as text. Within
 * a schema version members are only added, so a reader skips what it does not know.
 */
export const VIEW_SCHEMA_VERSION = 1;

/** A cell of a table: plain text, or text with a standing that the page marks. */
const Cell = z.union([
  z.string(),
  z.number(),
  z.object({ text: z.string(), mark: z.enum(["good", "wait", "bad", "none"]) }),
]);
export type Cell = z.infer<typeof Cell>;

/** Something that does not heal by itself, in one sentence, with what an operator can do. */
const Need = z.object({
  what: z.string(),
  why: z.string(),
  /** What to do, or when it is tried again. */
  next: z.string().optional(),
});

const Figure = z.object({
  label: z.string(),
  value: z.union([z.string(), z.number()]),
  detail: z.string().optional(),
});

const Table = z.object({
  title: z.string(),
  columns: z.array(z.string()),
  /** Troubled rows first. */
  rows: z.array(z.array(Cell)),
  /** What stands there instead of rows. */
  empty: z.string(),
});

const Change = z.object({ at: z.number(), text: z.string() });

export const ModeState = z.object({
  schema: z.literal(VIEW_SCHEMA_VERSION),
  agent: z.object({
    mode: z.string(),
    version: z.string(),
    startedAt: z.number(),
    now: z.number(),
  }),
  health: z.object({ ok: z.boolean(), problems: z.array(z.string()) }),
  ready: z.object({ ok: z.boolean(), problems: z.array(z.string()) }),
  needsYou: z.array(Need),
  figures: z.array(Figure),
  tables: z.array(Table),
  /** The newest first. */
  changes: z.array(Change),
  /** Other modes that serve their status on this host, at their default ports. */
  neighbours: z.array(z.object({ mode: z.string(), url: z.string(), ok: z.boolean() })),
});
export type ModeState = z.infer<typeof ModeState>;

/** What the mode itself says; the rest of its state is the same for every mode. */
export interface View {
  /** Why it is not well; none is well. */
  readonly health: readonly string[];
  /** Why it is not ready; none is ready. */
  readonly readiness: readonly string[];
  readonly needsYou: readonly z.infer<typeof Need>[];
  readonly figures: readonly z.infer<typeof Figure>[];
  readonly tables: readonly {
    readonly title: string;
    readonly columns: readonly string[];
    readonly rows: readonly (readonly Cell[])[];
    readonly empty: string;
  }[];
  readonly changes: readonly z.infer<typeof Change>[];
}
