import { holds, type Row, type Scenario, shown } from "./results.ts";

const WIDTH = 850;
const LABELS = 385;
const BARS = 260;
const BAR = 11;
const INK = "#1f2933";
const FAINT = "#7b8794";
const COLORS = { agent: "#2b6cb0", other: "#c9b27c", missed: "#b83232" };

/** The plotted rows of each scenario as one drawing: a pair of bars each, to the scale of the pair's longer one. */
export function plot(scenarios: readonly Scenario[]): string {
  const parts: string[] = [];
  let y = 18;
  const text = (x: number, words: string, style = `fill="${INK}"`) =>
    parts.push(`<text x="${x}" y="${y}" ${style}>${escaped(words)}</text>`);

  for (const { title, beside, rows } of scenarios) {
    const plotted = rows.filter((row) => row.plotted);
    if (plotted.length === 0) continue;
    text(
      12,
      title.length > 112 ? `${title.slice(0, 111)}…` : title,
      `fill="${INK}" font-weight="600"`,
    );
    y += 20;
    for (const row of plotted) {
      text(LABELS - 8, row.measure.trim(), `fill="${INK}" text-anchor="end"`);
      parts.push(...pair(row, beside, y - 10));
      y += row.other === undefined ? 22 : 34;
    }
    y += 12;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fdfdfb"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function pair(row: Row, beside: string, y: number): readonly string[] {
  const { agent, other, unit, atMost } = row;
  const longest = Math.max(agent, other ?? 0, Number.MIN_VALUE);
  const bar = (value: number, at: number, color: string, words: string) => {
    const width = Math.max(1, (value / longest) * BARS);
    return [
      `<rect x="${LABELS}" y="${at}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${color}"/>`,
      `<text x="${(LABELS + width + 6).toFixed(1)}" y="${at + 9.5}" font-size="10.5" fill="${FAINT}">${escaped(words)}</text>`,
    ];
  };
  const target = atMost === undefined ? "" : `, target ${shown(atMost, unit)}`;
  return [
    ...bar(
      agent,
      y,
      holds(row) === false ? COLORS.missed : COLORS.agent,
      `agent ${shown(agent, unit)}${target}`,
    ),
    ...(other === undefined
      ? []
      : bar(other, y + BAR + 3, COLORS.other, `${beside} ${shown(other, unit)}`)),
  ];
}

const escaped = (words: string): string =>
  words.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
