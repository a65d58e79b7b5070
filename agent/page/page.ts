import { script } from "./page-script.ts";
import { style } from "./page-style.ts";

/** One document with all that it needs: the agent's state, for people. */
export const page: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ecs-discovery-agent</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<header><h1 id="title">ecs-discovery-agent</h1><span id="about" class="faint"></span></header>
<section id="health" role="status">Connecting to the agent</section>
<section id="flow" aria-label="From events to records"></section>
<section aria-labelledby="names-title">
<h2 id="names-title">The zone's answers <small>by weight, this host's part in colour</small></h2>
<div id="names"></div><p id="names-none" class="faint">No name of this host yet.</p>
</section>
<section aria-labelledby="containers-title">
<h2 id="containers-title">Containers <small id="containers-count"></small></h2>
<p><input id="filter" type="search" placeholder="filter containers, names, changes" aria-label="Filter"></p>
<table><thead><tr><th>Container</th><th>Life</th><th>Record</th><th>Why</th><th>Since</th></tr></thead>
<tbody id="containers"></tbody></table><p id="containers-none" class="faint">No labelled container.</p>
</section>
<section aria-labelledby="changes-title">
<h2 id="changes-title">Last changes <small id="latency-words"></small></h2>
<svg id="latency" viewBox="0 0 500 40" preserveAspectRatio="none" role="img" aria-labelledby="latency-words"></svg>
<table><thead><tr><th>When</th><th>What</th><th>Record</th><th>Container</th><th>Took</th></tr></thead>
<tbody id="changes"></tbody></table><p id="changes-none" class="faint">None since the agent started.</p>
</section>
<section aria-labelledby="errors-title">
<h2 id="errors-title">Last failures</h2>
<table><tbody id="errors"></tbody></table><p id="errors-none" class="faint">None.</p>
</section>
</main>
<script type="module">${script}</script>
</body>
</html>
`;
