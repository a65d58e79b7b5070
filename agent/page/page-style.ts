/** The page's looks: light and dark by the reader's own setting, from a phone's width up. */
export const pageStyle = `
:root { color-scheme: light dark; --bg: light-dark(#f5f6f8, #0f1317); --card: light-dark(#fff, #171d23);
  --ink: light-dark(#1a2026, #e6ebf0); --dim: light-dark(#5d6873, #94a1ad); --line: light-dark(#e1e5ea, #2a333c);
  --a: light-dark(#0b7285, #4cc3d9); --good: light-dark(#1d7a3a, #6fd08c); --warn: light-dark(#8a5a00, #f0b83d);
  --bad: light-dark(#b3261e, #ff8a80); --warnbg: light-dark(#fff6e0, #2d2412); --rest: light-dark(#dfe4e9, #303a44); font: 14px/1.45 system-ui, sans-serif; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); }
.dim, small { color: var(--dim); font-weight: 400; }
a { color: var(--a); text-decoration: none; }
header { display: flex; gap: .2rem 1.2rem; flex-wrap: wrap; align-items: center; padding: .7rem 1.2rem; background: var(--card); border-bottom: 1px solid var(--line); }
header h1 { font-size: 1.05rem; margin: 0; }
.links { margin-left: auto; display: flex; gap: .9rem; }
.pill { border-radius: 99px; padding: .1rem .6rem; font-weight: 600; font-size: .85rem; border: 1px solid; }
.good { color: var(--good); } .wait { color: var(--warn); } .bad { color: var(--bad); } .none { color: var(--dim); }
nav { display: flex; gap: .25rem; padding: 0 1.2rem; background: var(--card); border-bottom: 1px solid var(--line); overflow-x: auto; }
nav:empty { display: none; }
nav a { padding: .55rem .8rem; color: var(--dim); border-bottom: 2px solid transparent; white-space: nowrap; }
nav a.on { color: var(--ink); border-color: var(--a); font-weight: 600; }
main { max-width: 78rem; margin: 0 auto; padding: 1rem 1.2rem; display: grid; gap: 1rem; }
.tables { display: grid; gap: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1.1rem; min-width: 0; }
.card h2 { font-size: .95rem; margin: 0 0 .6rem; }
.todo { border-left: .3rem solid var(--warn); background: var(--warnbg); }
.todo ul { margin: 0; padding: 0; list-style: none; } .todo li { margin: .35rem 0; } .why { font-weight: 600; }
.kpis { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; }
.kpi { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .6rem .9rem; }
.kpi p { margin: 0; } .kpi .n { font-size: 1.35rem; font-weight: 650; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.mono, code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .92em; }
.name { display: grid; grid-template-columns: 15rem 1fr 11rem; gap: .2rem 1rem; align-items: center; padding: .4rem 0; border-top: 1px solid var(--line); }
.name:first-of-type { border: 0; } .name > * { min-width: 0; overflow-wrap: anywhere; }
.bar { display: flex; height: 1.35rem; border-radius: .3rem; overflow: hidden; background: var(--rest); gap: 1px; }
.bar span { background: var(--a); color: var(--card); font: .72rem/1.35rem ui-monospace, monospace; padding: 0 .35rem; white-space: nowrap; overflow: hidden; }
.bar .o { background: var(--rest); color: var(--dim); flex: 1; }
.st { white-space: nowrap; font-weight: 600; }
.tools { display: inline-flex; gap: .5rem; flex-wrap: wrap; float: right; font-weight: 400; }
.chip { font: inherit; font-size: .82rem; background: none; color: inherit; border: 1px solid var(--line); border-radius: 99px; padding: .05rem .6rem; margin-right: .3rem; }
.chip.on { border-color: var(--a); color: var(--a); }
input { font: inherit; color: inherit; background: var(--bg); border: 1px solid var(--line); border-radius: .4rem; padding: .2rem .5rem; }
code.copy { background: var(--bg); border: 1px solid var(--line); border-radius: .3rem; padding: .05rem .4rem; }
.two { display: grid; grid-template-columns: 3fr 2fr; gap: 1rem; }
.spark { display: block; width: 100%; height: 64px; } .spark-bar { fill: var(--a); } .grid { stroke: var(--line); }
.legend { margin: .3rem 0 0; display: flex; justify-content: space-between; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-size: .75rem; color: var(--dim); font-weight: 600; padding: .2rem .6rem .2rem 0; }
td { overflow-wrap: anywhere; padding: .38rem .6rem .38rem 0; border-top: 1px solid var(--line); vertical-align: top; }
td .good, td .wait, td .bad { font-weight: 600; }
@media (max-width: 46rem) { .two, .name { grid-template-columns: 1fr; } .tools { float: none; } .kpis { grid-template-columns: 1fr 1fr; } .links { margin-left: 0; }
  thead { display: none; } tr { display: block; padding: .4rem 0; border-top: 1px solid var(--line); }
  td { display: block; border: 0; padding: .1rem 0; }
  td[data-head]:not([data-head=""])::before { content: attr(data-head) ": "; color: var(--dim); font-size: .8rem; } }
`;
