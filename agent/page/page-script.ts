/**
 * The page's script: shows each state that the agent sends, and each change as it lands. Every text goes into the page as
 * text, never as markup: names and labels come from whoever starts containers.
 */
export const script = `
const at = (id) => document.getElementById(id);
const el = (tag, props, ...children) => {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children.filter((child) => child !== undefined && child !== ""));
  return made;
};
const cell = (head, props, ...children) => {
  const made = el("td", props, ...children);
  made.dataset.head = head;
  return made;
};
const marks = { good: "✓", wait: "…", bad: "✕", none: "–" };
const mark = (kind) => el("span", { className: "mark " + kind, ariaHidden: "true" }, marks[kind]);
const plural = (count, one) => count + " " + one + (count === 1 ? "" : "s");

/* Ages grow while nothing happens; the offset is how far this browser's clock is from the agent's. */
let offset = 0;
const ageOf = (time) => {
  const seconds = Math.max(0, Date.now() / 1000 - offset - time);
  if (seconds < 90) return Math.round(seconds) + " s";
  if (seconds < 5400) return Math.round(seconds / 60) + " min";
  return seconds < 172800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " d";
};
const age = (time, before = "", after = "") => {
  const made = el("time", { dateTime: new Date(time * 1000).toISOString() });
  made.title = new Date(time * 1000).toLocaleString();
  Object.assign(made.dataset, { time, before, after });
  made.textContent = before + ageOf(time) + after;
  return made;
};
setInterval(() => {
  for (const one of document.querySelectorAll("time[data-time]")) {
    const { time, before, after } = one.dataset;
    one.textContent = before + ageOf(Number(time)) + after;
  }
}, 1000);

/* Rows that did not change stay as they are; the first filling is no news. */
const filled = new Set();
const fill = (id, items, keyOf, row) => {
  const parent = at(id);
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  parent.replaceChildren(...items.map((item) => {
    const key = String(keyOf(item));
    const text = JSON.stringify(item);
    const before = old.get(key);
    if (before !== undefined && before.dataset.text === text) return before;
    const made = row(item);
    made.dataset.key = key;
    made.dataset.text = text;
    if (before === undefined && filled.has(id)) made.classList.add("new");
    return made;
  }));
  filled.add(id);
  at(id + "-none").hidden = items.length > 0;
};

const recordText = ({ name, type, values, weight }) => [
  el("span", { className: "mono" }, name),
  " " + type + " ",
  el("span", { className: "mono" }, values.join(", ")),
  weight === undefined ? "" : el("span", { className: "faint" }, " weight " + weight),
];

const health = (state) => {
  const { ok, ready, problems, notes = [] } = state.health;
  const said = [...problems, ...notes];
  const box = at("health");
  const kind = !ok ? "bad" : ready ? "good" : "wait";
  box.className = kind;
  const words = !ok ? "Not healthy" : ready ? "Healthy: the zone follows this host" : "Starting: the first sync is not done yet";
  box.replaceChildren(mark(kind), words, said.length === 0 ? "" : el("ul", {}, ...said.map((one) => el("li", {}, one))));
  document.title = (ok ? "" : "✕ ") + (state.zone?.name ?? "ecs-discovery-agent") + " on " + (state.owner?.instance.slice(0, 8) ?? "this host");
};

const head = (state) => {
  at("title").textContent = state.zone?.name ?? "ecs-discovery-agent";
  at("about").replaceChildren(
    ...(state.owner === undefined ? [] : ["instance ", el("code", {}, state.owner.instance), " in " + state.owner.cluster + ", " + state.owner.region + " · "]),
    ...(state.zone === undefined ? [] : [el("code", {}, state.zone.id), " · "]),
    "agent " + state.agent.version + (state.agent.dryRun ? " · dry run: nothing is changed" : "") + " · ",
    age(state.agent.startedAt, "up "),
  );
};

const box = (title, big, ...lines) => el("div", {}, el("h2", {}, title), el("p", { className: "big" }, big), ...lines.map((line) => el("p", { className: "faint" }, line)));
const flow = ({ stream, queue, records, requests, lastSyncAt }) => {
  const arrow = () => el("span", { ariaHidden: "true" }, "→");
  at("flow").replaceChildren(
    box("Docker events", plural(stream.events, "event"),
      age(stream.since, stream.open ? "stream open for " : "STREAM CLOSED for "),
      stream.lastEventAt === undefined ? "none yet" : age(stream.lastEventAt, "last ", " ago")),
    arrow(),
    box("Worker pool", queue.working + " of " + queue.workers + " at work", plural(queue.waiting, "container") + " waiting", queue.later + " to look at again"),
    arrow(),
    box("Records", records.published + " published", records.desired + " desired, " + records.pending + " pending", records.refused + " refused by Route 53"),
    arrow(),
    box("Route 53", plural(requests.total, "request"), requests.failed + " failed, " + requests.throttled + " throttled",
      lastSyncAt === undefined ? "not in sync yet" : age(lastSyncAt, "nothing left to send ", " ago")),
  );
};

const share = ({ name, type, own, ownWeight, zone, records }) => {
  const weighted = ownWeight !== undefined;
  const total = weighted ? Math.max(zone?.weight ?? 0, ownWeight) : Math.max(zone?.size ?? 0, own);
  const sets = zone === undefined ? own : Math.max(zone.size, own);
  const part = weighted && total > 0 ? ownWeight / total : own / Math.max(sets, 1);
  const percent = (ratio) => Math.round(ratio * 100) + " %";
  const words = zone === undefined
    ? plural(own, "record set") + " of this host; the other hosts' are not read yet"
    : weighted
      ? percent(part) + " of the answers lead to this host: " + own + " of " + plural(sets, "record set")
      : own + " of " + plural(sets, "record set") + "; an answer holds up to eight";
  const bar = el("div", { className: "bar", role: "img", ariaLabel: words });
  for (const record of records) {
    const width = total > 0 ? (record.weight ?? 1) / total : 1 / Math.max(sets, 1);
    const piece = el("span", { title: record.values.join(", ") + ", " + percent(width) }, record.values.join(", "));
    piece.style.width = width * 100 + "%";
    bar.append(piece);
  }
  return el("div", { className: "share" }, el("p", {}, el("span", {}, el("code", {}, name), " " + type), el("span", { className: "faint" }, words)), bar);
};

const outcomes = { published: "good", pending: "wait", uncertain: "wait", refused: "bad", withheld: "none" };
const container = (one) => {
  const kind = one.outcome === "unsure" ? "wait" : one.outcome === "absent" ? "none" : one.records.every(({ standing }) => standing === "published") ? "good" : one.records.some(({ standing }) => standing === "refused") ? "bad" : "wait";
  const why = [one.detail ?? "", ...one.problems].filter((text) => text !== "");
  const source = { ecs: "at its task's address", host: "at this host's address", docker: "at its own address" }[one.source];
  return el("tr", { className: kind },
    cell("", {}, mark(kind), one.name ?? "", " ", el("span", { className: "faint mono", title: one.id }, one.id.slice(0, 12))),
    cell("", { className: "short" }, one.life ?? ""),
    cell("", {}, ...(one.records.length === 0
      ? [el("span", { className: "faint" }, one.outcome === "unsure" ? "not known yet" : "none")]
      : one.records.map((record) => el("div", {}, mark(outcomes[record.standing]), ...recordText(record), record.standing === "published" ? "" : el("b", {}, " " + record.standing))))),
    cell("", {}, ...(why.length > 0 ? why.map((text) => el("div", {}, text)) : [source ?? ""])),
    cell("since", { className: "short" }, age(one.since)),
  );
};

const verbs = { UPSERT: "+", DELETE: "−", REPLACE: "±" };
const spoken = { UPSERT: "registered", DELETE: "removed", REPLACE: "changed" };
const change = (one) => {
  const refused = one.result === "refused";
  return el("tr", { className: refused ? "bad" : "" },
    cell("", { className: "short" }, age(one.at, "", " ago")),
    cell("", { className: "short" }, el("span", { className: "mark", ariaHidden: "true" }, refused ? "✕" : verbs[one.action]), refused ? "refused" : spoken[one.action]),
    cell("", {}, ...recordText(one.record), one.message === undefined ? "" : el("div", {}, one.message)),
    cell("", {}, one.containerName ?? one.container ?? "", one.reason === undefined ? "" : el("span", { className: "faint" }, " " + one.reason)),
    cell("took", { className: "short" }, one.seconds === undefined ? "" : one.seconds.toFixed(one.seconds < 10 ? 3 : 1) + " s"),
  );
};

const latency = (changes) => {
  const all = changes.filter(({ result, seconds }) => result === "accepted" && seconds !== undefined).map(({ seconds }) => seconds).reverse();
  const sorted = [...all].sort((a, b) => a - b);
  const top = sorted.at(-1) || 1;
  at("latency-words").textContent = all.length === 0 ? "no change yet" : "median " + sorted[Math.floor((sorted.length - 1) / 2)].toFixed(3) + " s, slowest " + top.toFixed(3) + " s of the last " + all.length;
  const svg = at("latency");
  const ns = "http://www.w3.org/2000/svg";
  svg.replaceChildren(...all.map((seconds, index) => {
    const bar = document.createElementNS(ns, "rect");
    const high = Math.max(1, (seconds / top) * 38);
    for (const [name, value] of Object.entries({ x: 500 - (all.length - index) * 10, y: 40 - high, width: 8, height: high, fill: "currentColor" })) bar.setAttribute(name, value);
    return bar;
  }));
};

let latest;
let landed = [];
const show = () => {
  const wanted = at("filter").value.trim().toLowerCase();
  const has = (item) => wanted === "" || JSON.stringify(item).toLowerCase().includes(wanted);
  fill("changes", landed.filter(has), ({ seq }) => seq, change);
  latency(landed);
  if (latest === undefined) return;
  const state = latest;
  head(state);
  health(state);
  flow(state.flow);
  fill("names", state.names.map((name) => ({ ...name, records: state.published.filter((one) => one.name === name.name && one.type === name.type) })).filter(has), ({ name, type }) => name + " " + type, share);
  fill("containers", state.containers.filter(has), ({ id }) => id, container);
  fill("errors", state.errors, ({ from, message }) => from + message, (one) => el("tr", {},
    cell("", { className: "short" }, one.from), cell("", {}, one.message), cell("", { className: "short" }, one.times + " ×"), cell("last", { className: "short" }, age(one.lastAt, "", " ago"))));
  at("containers-count").textContent = state.containers.length + Object.entries(state.skipped).map(([reason, count]) => ", " + count + " skipped: " + reason).join("");
};
const keep = (changes) => {
  const bySeq = new Map([...landed, ...changes].map((one) => [one.seq, one]));
  landed = [...bySeq.values()].sort((a, b) => b.seq - a.seq).slice(0, 50);
};

at("filter").addEventListener("input", show);
const source = new EventSource("/v1/events");
source.addEventListener("state", ({ data }) => {
  const state = JSON.parse(data);
  /* Another process counts from the start again. */
  if (latest !== undefined && latest.agent.startedAt !== state.agent.startedAt) landed = [];
  latest = state;
  offset = Date.now() / 1000 - state.at;
  keep(state.changes);
  show();
});
source.addEventListener("change", ({ data }) => {
  keep([JSON.parse(data)]);
  show();
});
source.addEventListener("error", () => {
  at("health").className = "bad";
  at("health").replaceChildren(mark("bad"), "No connection to the agent: what is below is old. Tries again.");
});
`;
