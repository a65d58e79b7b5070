/** The page's style sheet: light and dark, readable on a phone; nothing is said by colour alone. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f7f8, #14181c);
  --sheet: light-dark(#ffffff, #1c2229);
  --text: light-dark(#1b2126, #e4e9ee);
  --faint: light-dark(#5b6670, #9aa7b3);
  --line: light-dark(#d9dee3, #323b45);
  --own: light-dark(#0b7285, #4cc3d9);
  --others: light-dark(#ced6dc, #3d4853);
  --good: light-dark(#1d7a3a, #6fd08c);
  --wait: light-dark(#8a5a00, #f0b83d);
  --bad: light-dark(#b3261e, #ff8a80);
  font: 15px/1.45 system-ui, sans-serif;
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); }
main { max-width: 75rem; margin: 0 auto; padding: 1rem; display: grid; gap: 1rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
h1 { font-size: 1.35rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
h2 small, .faint { color: var(--faint); font-weight: normal; font-size: .85rem; }
code, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .9em; overflow-wrap: anywhere; }
section { background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; min-width: 0; }
#health { border-left: .4rem solid var(--wait); font-weight: 600; }
#health.good { border-left-color: var(--good); }
#health.bad { border-left-color: var(--bad); }
#health ul { margin: .3rem 0 0; padding-left: 1.2rem; font-weight: normal; }
#flow { display: grid; grid-template-columns: 1fr auto 1fr auto 1fr auto 1fr; gap: .5rem; padding: 0; border: 0; background: none; }
#flow div { background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
#flow > span { align-self: center; color: var(--faint); font-size: 1.3rem; }
#flow h2 { margin: 0; }
#flow p { margin: 0; }
#flow .big { font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-size: .8rem; color: var(--faint); font-weight: 600; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td { overflow-wrap: anywhere; }
td.short { font-variant-numeric: tabular-nums; white-space: nowrap; }
.mark { display: inline-block; min-width: 1.2em; font-weight: 700; }
.good .mark, .mark.good { color: var(--good); }
.wait .mark, .mark.wait { color: var(--wait); }
.bad .mark, .mark.bad { color: var(--bad); }
.share { margin: .5rem 0; }
.share p { margin: 0 0 .2rem; display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; }
.bar { display: flex; gap: 2px; height: 1.1rem; border-radius: .25rem; overflow: hidden; background: var(--others); }
.bar span { background: var(--own); color: var(--sheet); font-size: .72rem; line-height: 1.1rem; padding: 0 .3rem; overflow: hidden; white-space: nowrap; min-width: 2px; }
svg { display: block; width: 100%; height: 3rem; color: var(--own); }
input { font: inherit; color: inherit; background: var(--sheet); border: 1px solid var(--line); border-radius: .35rem; padding: .25rem .5rem; width: 100%; max-width: 22rem; }
.new { animation: come 1.5s ease-out; }
@keyframes come { from { background: color-mix(in srgb, var(--own) 35%, transparent); } }
@media (prefers-reduced-motion: reduce) { .new { animation: none; } }
@media (max-width: 44rem) {
  #flow { grid-template-columns: 1fr; }
  #flow > span { justify-self: center; rotate: 90deg; line-height: 1; }
  thead { display: none; }
  tr { display: flex; flex-wrap: wrap; gap: 0 .8rem; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  td { border: 0; padding: .05rem 0; }
  td:empty { display: none; }
  td[data-head]:not(:empty)::before { content: attr(data-head) " "; color: var(--faint); font-size: .8rem; }
}
`;
