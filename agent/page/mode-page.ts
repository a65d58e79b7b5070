import { showState, stateTable } from "./mode-page-client.ts";
import { pageElements } from "./page-elements.ts";
import { pageStyle } from "./page-style.ts";

/** One document with all that it needs: any mode's state, for people. */
export const modePage: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ecs-discovery-agent</title>
<link rel="icon" href="data:,">
<style>${pageStyle}</style>
</head>
<body>
<header><h1 id="title">ecs-discovery-agent</h1><span id="pill" class="pill" role="status">connecting</span>
<span id="about" class="dim"></span><span class="links"><a href="/metrics">metrics</a><a href="/v1/state">state JSON</a><a href="/healthz">health</a></span></header>
<nav id="tabs" aria-label="Modes on this host"></nav>
<main>
<section id="todo" class="card todo" aria-labelledby="todo-title" hidden><h2 id="todo-title">Needs you <small>what heals by itself is not listed</small></h2><ul id="needs"></ul></section>
<div id="kpis" class="kpis"></div>
<div id="tables" class="tables"></div>
<section class="card" aria-labelledby="changes-title"><h2 id="changes-title">Changes <small>the newest first</small></h2>
<table><tbody id="changes"></tbody></table><p id="changes-none" class="dim">None since the start.</p></section>
</main>
<script type="module">const elements = (${pageElements.toString()})();
(${showState.toString()})(elements, (${stateTable.toString()})(elements));</script>
</body>
</html>
`;
