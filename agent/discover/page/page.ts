import { pageElements } from "../../page/page-elements.ts";
import { pageStyle } from "../../page/page-style.ts";
import { discoverView, followEvents } from "./client.ts";
import { containerList } from "./container-list.ts";
import { judgedState } from "./judged.ts";
import { pageRows } from "./rows.ts";
import { pageFlow, pageHead } from "./sections.ts";
import { containerRow, historyRows, nameCard } from "./tables.ts";

/** Each function as its source text, called with what the ones before it gave. */
const script = `
const elements = (${pageElements.toString()})();
const rows = (${pageRows.toString()})(elements);
const judged = (${judgedState.toString()})(rows);
const containerRow = (${containerRow.toString()})(elements, rows);
const parts = {
  elements,
  rows,
  judged,
  sections: {
    ...(${pageHead.toString()})(elements, rows),
    ...(${pageFlow.toString()})(elements, rows),
  },
  nameCard: (${nameCard.toString()})(elements, rows),
  containers: (${containerList.toString()})(elements, rows, judged, containerRow),
  history: (${historyRows.toString()})(elements, rows),
};
(${followEvents.toString()})(parts, (${discoverView.toString()})(parts));
`;

/** One document with all that it needs: the agent's state, for people. What needs somebody stands first, plumbing last. */
export const page: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ecs-discovery-agent</title>
<link rel="icon" href="data:,">
<style>${pageStyle}</style>
</head>
<body>
<header><h1 id="title">ecs-discovery-agent</h1><span id="pill" class="pill" role="status">connecting to the agent</span>
<span id="about" class="dim"></span><span class="links"><a href="/metrics">metrics</a><a href="/v1/state">state JSON</a><a href="/healthz">health</a></span></header>
<nav id="tabs" aria-label="Modes on this host"></nav>
<main>
<section id="todo" class="card todo" aria-labelledby="todo-title" hidden><h2 id="todo-title">Needs you <small>what heals by itself is not listed</small></h2><ul id="needs"></ul></section>
<div id="kpis" class="kpis"></div>
<section class="card" aria-labelledby="names-title"><h2 id="names-title">What clients get <small>share of each name's answers; this host in colour, others grey</small></h2>
<div id="names"></div><p id="names-none" class="dim">No name of this host yet.</p><p id="ask" class="dim"></p></section>
<section class="card" aria-labelledby="containers-title"><h2 id="containers-title">Containers <small id="containers-count"></small>
<span class="tools"><span id="chips"></span><input id="filter" type="search" placeholder="filter" aria-label="Filter"></span></h2>
<table><thead><tr><th>State</th><th>Container</th><th>Record</th><th>Health check</th><th>Since</th></tr></thead>
<tbody id="containers"></tbody></table><p id="containers-none" class="dim">No labelled container.</p></section>
<div class="two"><section class="card" aria-labelledby="changes-title"><h2 id="changes-title">Changes <small id="changes-count"></small></h2>
<table><tbody id="changes"></tbody></table><p id="changes-none" class="dim">None since the agent started.</p></section>
<section class="card" aria-labelledby="latency-title"><h2 id="latency-title">Time to land <small>event to accepted, log scale, the last 50</small></h2>
<svg id="latency" class="spark" viewBox="0 0 300 64" preserveAspectRatio="none" role="img" aria-labelledby="latency-words"></svg>
<p class="dim legend"><span>10 ms · 100 ms · 1 s</span><span id="latency-words"></span></p></section></div>
<section class="card" aria-labelledby="errors-title"><h2 id="errors-title">Last failures</h2>
<table><tbody id="errors"></tbody></table><p id="errors-none" class="dim">None.</p></section>
<section class="card" aria-labelledby="flow-title"><h2 id="flow-title">How it flows <small>for when something is stuck</small></h2><p id="flow" class="dim"></p></section>
</main>
<script type="module">${script}</script>
</body>
</html>
`;
