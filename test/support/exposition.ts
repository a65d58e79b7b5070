/** One sample of Prometheus' text format 0.0.4. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  readonly types: ReadonlyMap<string, string>;
  readonly help: ReadonlyMap<string, string>;
  readonly samples: readonly Sample[];
  /** The value of the sample with exactly these labels. Throws when there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"/y;
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?)|\+Inf|-Inf|NaN)$/;

/**
 * Reads the format as strictly as its documentation (Exposition formats, text-based format): anything else throws. Also
 * refuses what a scraper would refuse or double: a metric without a type, a series given twice, a type given after its
 * samples, a histogram whose buckets do not grow or whose last one is not its count.
 */
export function readExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, kind, name = "", rest = ""] =
      new RegExp(`^# (HELP|TYPE) (${NAME})(?: (.*))?$`).exec(line) ?? [];
    if (kind === "HELP") {
      if (help.has(name)) throw new Error(`a second help of ${name}`);
      help.set(name, rest);
    } else if (kind === "TYPE") {
      if (types.has(name)) throw new Error(`a second type of ${name}`);
      if (!/^(?:counter|gauge|histogram|summary|untyped)$/.test(rest)) throw new Error(line);
      if (samples.some((one) => familyOf(one.name, types) === name)) {
        throw new Error(`the type of ${name} comes after its samples`);
      }
      types.set(name, rest);
    } else {
      const sample = readSample(line);
      const key = `${sample.name} ${keyOf(sample.labels)}`;
      if (seen.has(key)) throw new Error(`a second sample: ${line}`);
      seen.add(key);
      if (!types.has(familyOf(sample.name, types))) throw new Error(`no type: ${line}`);
      samples.push(sample);
    }
  }
  checkHistograms(types, samples);
  return {
    types,
    help,
    samples,
    value(name, labels = {}) {
      const same = (one: Sample) =>
        one.name === name &&
        Object.keys(one.labels).length === Object.keys(labels).length &&
        Object.entries(labels).every(([label, value]) => one.labels[label] === value);
      const found = samples.find(same);
      if (found === undefined) throw new Error(`no ${name} ${JSON.stringify(labels)}`);
      return found.value;
    },
  };
}

function readSample(line: string): Sample {
  const [all, name = "", open] = new RegExp(`^(${NAME})(\\{)?`).exec(line) ?? [];
  if (all === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  let at = all.length;
  if (open !== undefined) {
    while (line[at] !== "}") {
      LABEL.lastIndex = at;
      const [pair, label = "", value = ""] = LABEL.exec(line) ?? [];
      if (pair === undefined) throw new Error(`a bad label at ${at}: ${line}`);
      if (Object.hasOwn(labels, label)) throw new Error(`a label twice: ${line}`);
      labels[label] = value.replace(/\\(.)/g, (_, escaped: string) =>
        escaped === "n" ? "\n" : escaped,
      );
      at += pair.length;
      if (line[at] === ",") at += 1;
      else if (line[at] !== "}") throw new Error(`expected , or } at ${at}: ${line}`);
    }
    at += 1;
  }
  const value = line.slice(at + 1);
  if (line[at] !== " " || !NUMBER.test(value)) throw new Error(`a bad value: ${line}`);
  return { name, labels, value: Number(value.replace("Inf", "Infinity")) };
}

/** The labels but one, in an order of their own. */
const keyOf = (labels: Sample["labels"], but?: string): string =>
  JSON.stringify(
    Object.entries(labels)
      .filter(([label]) => label !== but)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

/** A histogram's samples are named after it. */
function familyOf(name: string, types: ReadonlyMap<string, string>): string {
  const base = name.replace(/_(?:bucket|sum|count)$/, "");
  return types.get(base) === "histogram" ? base : name;
}

function checkHistograms(types: ReadonlyMap<string, string>, samples: readonly Sample[]): void {
  for (const [name, type] of types) {
    if (type !== "histogram") continue;
    const series = Map.groupBy(
      samples.filter((one) => one.name === `${name}_bucket`),
      ({ labels }) => keyOf(labels, "le"),
    );
    for (const buckets of series.values()) {
      const counts = buckets.map(({ value }) => value);
      if (counts.some((count, index) => count < (counts[index - 1] ?? 0))) {
        throw new Error(`the buckets of ${name} do not grow`);
      }
      if (buckets.at(-1)?.labels["le"] !== "+Inf") throw new Error(`${name} has no +Inf bucket`);
    }
  }
}
