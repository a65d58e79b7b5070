/** The status page: one document, whose inline style and script are the only ones that its server lets run. */
export const page: string = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>ecs-discovery-agent</title>
<h1>ecs-discovery-agent</h1>
<ul>
<li><a href="healthz">/healthz</a>
<li><a href="readyz">/readyz</a>
<li><a href="metrics">/metrics</a>
<li><a href="v1/state">/v1/state</a>
</ul>
<pre id="state"></pre>
<script>
new EventSource("v1/events").addEventListener("state", ({ data }) => {
  document.getElementById("state").textContent = JSON.stringify(JSON.parse(data), undefined, 2);
});
</script>
</html>
`;
