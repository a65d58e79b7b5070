/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { ChangeState, ContainerState, RecordSetState, State } from "../../host/state.ts";

/**
 * Runs in the browser: it is sent there as its own source text, so it may use nothing from outside of itself. Shows each
 * state that the agent sends, and each change as it lands. Every text goes into the page as text, never as markup: names
 * and labels come from whoever starts containers.
 */
export function showDiscover(): void {
  type Mark = "good" | "wait" | "bad" | "none";
  type Child = Node | string;
  const marks = { good: "✓", wait: "…", bad: "✕", none: "–" };
  const at = (id: string): HTMLElement => {
    const found = document.getElementById(id);
    if (found === null) throw new Error(`no element ${id}`);
    return found;
  };
  const el = (tag: string, className: string, ...children: readonly Child[]): HTMLElement => {
    const made = document.createElement(tag);
    if (className !== "") made.className = className;
    made.append(...children.filter((child) => child !== ""));
    return made;
  };
  const cell = (head: string, ...children: readonly Child[]): HTMLElement => {
    const made = el("td", "", ...children);
    made.dataset["head"] = head;
    return made;
  };
  const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;
  const dim = (...children: readonly Child[]): HTMLElement => el("span", "dim", ...children);
  const mono = (text: string): HTMLElement => el("span", "mono", text);

  // Ages grow while nothing happens; the offset is how far this browser's clock is from the agent's.
  let offset = 0;
  const ageOf = (time: number): string => {
    const seconds = Math.max(0, Date.now() / 1000 - offset - time);
    if (seconds < 90) return `${Math.round(seconds)} s`;
    if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
    return seconds < 172_800
      ? `${Math.round(seconds / 3_600)} h`
      : `${Math.round(seconds / 86_400)} d`;
  };
  const age = (time: number, before = "", after = ""): HTMLElement => {
    const made = document.createElement("time");
    made.dateTime = new Date(time * 1000).toISOString();
    made.title = new Date(time * 1000).toLocaleString();
    Object.assign(made.dataset, { time, before, after });
    made.textContent = before + ageOf(time) + after;
    return made;
  };
  setInterval(() => {
    for (const one of document.querySelectorAll<HTMLElement>("time[data-time]")) {
      const { time, before = "", after = "" } = one.dataset;
      one.textContent = before + ageOf(Number(time)) + after;
    }
  }, 1000);

  // Rows that did not change stay as they are, so that a selection survives.
  const fill = <T>(
    id: string,
    items: readonly T[],
    keyOf: (item: T) => string,
    row: (item: T) => HTMLElement,
  ): void => {
    const parent = at(id);
    const old = new Map(
      [...parent.children].map((child) => [(child as HTMLElement).dataset["key"], child]),
    );
    const rows = items.map((item) => {
      const key = keyOf(item);
      const text = JSON.stringify(item);
      const before = old.get(key) as HTMLElement | undefined;
      if (before?.dataset["text"] === text) return before;
      const made = row(item);
      Object.assign(made.dataset, { key, text });
      return made;
    });
    parent.replaceChildren(...rows);
    const none = document.getElementById(`${id}-none`);
    if (none !== null) none.hidden = items.length > 0;
  };

  const short = (name: string): string => {
    const zone = latest?.zone?.name;
    return zone !== undefined && name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : name;
  };
  const recordWords = ({ name, type, values }: RecordSetState): readonly Child[] => [
    mono(`${short(name)} → ${values.join(", ")}`),
    type === "A" ? "" : dim(` ${type}`),
  ];

  interface Standing {
    readonly mark: Mark;
    readonly words: string;
    /** Troubled first. */
    readonly order: number;
  }
  const standingOf = (one: ContainerState, skipped: State["skipped"]): Standing => {
    const has = (standing: string) => one.records.some((record) => record.standing === standing);
    if (has("refused")) return { mark: "bad", words: "refused", order: 0 };
    if (one.outcome === "absent" && one.reason !== undefined && Object.hasOwn(skipped, one.reason))
      return { mark: "bad", words: "no record", order: 0 };
    if (one.outcome === "unsure" || has("pending") || has("uncertain") || one.life === "starting")
      return { mark: "wait", words: "waits", order: 1 };
    if (one.outcome === "absent" || has("withheld"))
      return { mark: "none", words: one.life ?? "no record", order: 2 };
    return { mark: "good", words: "serves", order: 3 };
  };

  const needs = (state: State): readonly (readonly [what: string, why: string, next: string])[] => [
    ...state.health.problems.map((problem) => ["Not well.", problem, ""] as const),
    ...(state.health.notes ?? []).map((note) => ["Held back.", note, ""] as const),
    ...state.pending.flatMap(({ record, refused }) =>
      refused === undefined
        ? []
        : [
            [
              `Route 53 refuses ${short(record.name)} ${record.type}.`,
              refused.message,
              `next try ${new Date(refused.retryAt * 1000).toLocaleTimeString()}`,
            ] as const,
          ],
    ),
    ...state.containers
      .filter(({ reason }) => reason !== undefined && Object.hasOwn(state.skipped, reason))
      .map(
        ({ id, name, reason, detail }) =>
          [
            `${name ?? id.slice(0, 12)} has no record.`,
            detail ?? "",
            `docs/operations.md: ${reason}`,
          ] as const,
      ),
  ];

  const head = (state: State, count: number): void => {
    const { ok, ready } = state.health;
    const who = state.owner?.instance.slice(0, 12) ?? "this host";
    document.title = `${ok ? "" : "✕ "}${state.zone?.name ?? "ecs-discovery-agent"} on ${who}`;
    at("title").replaceChildren(
      who,
      dim(
        ` · ${state.owner === undefined ? "no ECS agent yet" : `${state.owner.cluster} / ${state.owner.region}`}${state.zone === undefined ? "" : ` · ${state.zone.name}`}`,
      ),
    );
    const pill = at("pill");
    pill.className = `pill ${!ok ? "bad" : !ready || count > 0 ? "wait" : "good"}`;
    pill.textContent = !ok
      ? "not healthy"
      : !ready
        ? "starting"
        : count === 0
          ? "all well"
          : `${plural(count, "thing")} to look at`;
    at("about").replaceChildren(
      `${state.agent.version}${state.agent.dryRun ? " · dry run: nothing is changed" : ""} · `,
      age(state.agent.startedAt, "up "),
      " · live",
    );
  };

  const tabs = (neighbours: NonNullable<State["neighbours"]>): void => {
    const tab = (words: string, url: string | undefined): HTMLElement => {
      const made = document.createElement("a");
      made.textContent = words;
      if (url === undefined) made.className = "on";
      else made.href = url;
      return made;
    };
    const others = neighbours.map(({ mode, url, ok }) => tab(ok ? mode : `${mode} ✕`, url));
    at("tabs").replaceChildren(
      ...(others.length === 0 ? [] : [tab("discover", undefined), ...others]),
    );
  };

  const kpi = (label: string, value: string, ...detail: readonly Child[]): HTMLElement =>
    el("div", "kpi", el("p", "dim", label), el("p", "n", value), el("p", "dim", ...detail));
  const figures = (state: State, times: readonly number[]): void => {
    const { records, requests, queue, lastSyncAt } = state.flow;
    const quantile = (part: number) => times[Math.floor((times.length - 1) * part)];
    const seconds = (value: number | undefined) =>
      value === undefined ? "–" : `${value.toFixed(value < 10 ? 2 : 0)} s`;
    const upMinutes = Math.max(1, (state.at - state.agent.startedAt) / 60);
    at("kpis").replaceChildren(
      kpi(
        "Names",
        String(new Set(state.names.map(({ name }) => name)).size),
        `${plural(records.published, "record")} published`,
      ),
      kpi(
        "Event to Route 53",
        seconds(quantile(0.5)),
        `p99 ${seconds(quantile(0.99))}, last ${times.length}`,
      ),
      kpi(
        "Waiting",
        String(records.pending + queue.waiting),
        ...(lastSyncAt === undefined ? ["not in sync yet"] : [age(lastSyncAt, "in sync since ")]),
      ),
      kpi(
        "Route 53",
        `${(requests.total / upMinutes).toFixed(1)} /min`,
        `${requests.throttled} throttled, ${requests.failed} failed`,
      ),
    );
    at("latency-words").textContent =
      times.length === 0
        ? "no change yet"
        : `p50 ${seconds(quantile(0.5))} · p99 ${seconds(quantile(0.99))}`;
  };

  type Name = State["names"][number] & { readonly records: readonly RecordSetState[] };
  const share = ({ name, type, own, ownWeight, zone, records }: Name): HTMLElement => {
    const isWeighted = ownWeight !== undefined;
    const sets = Math.max(zone?.size ?? 0, own, 1);
    const total = isWeighted ? Math.max(zone?.weight ?? 0, ownWeight) : sets;
    const part = isWeighted && total > 0 ? ownWeight / total : own / sets;
    const others = Math.max(0, sets - own);
    const words =
      zone === undefined
        ? `${plural(own, "set")} here, others not read yet`
        : `${Math.round(part * 100)} % · ${own} of ${plural(sets, "set")}`;
    const bar = el("div", "bar");
    bar.setAttribute("role", "img");
    bar.setAttribute("aria-label", words);
    for (const record of records) {
      const width = total > 0 ? (record.weight ?? 1) / total : 1 / sets;
      const piece = el("span", "", record.values.join(", "));
      piece.style.width = `${width * 100}%`;
      piece.title = `${record.values.join(", ")}, ${Math.round(width * 100)} %`;
      bar.append(piece);
    }
    if (others > 0) bar.append(el("span", "o", `${others} on other hosts`));
    const ttl = records[0]?.ttlSeconds;
    return el(
      "div",
      "name",
      el("span", "", mono(short(name)), dim(` ${type}${ttl === undefined ? "" : ` · ttl ${ttl}`}`)),
      bar,
      dim(words),
    );
  };

  const checks = new Map([
    ["healthy", "passes, or none"],
    ["unhealthy", "fails"],
    ["starting", "has not passed yet"],
  ]);
  const container = (one: ContainerState & { readonly standing: Standing }): HTMLElement => {
    const why = [one.detail ?? "", ...one.problems].filter((text) => text !== "");
    return el(
      "tr",
      "",
      cell(
        "",
        el("span", `st ${one.standing.mark}`, `${marks[one.standing.mark]} ${one.standing.words}`),
      ),
      cell("", one.name ?? "", " ", el("span", "dim mono", one.id.slice(0, 12))),
      cell(
        "",
        ...one.records.map((record) =>
          el(
            "div",
            "",
            ...recordWords(record),
            record.standing === "published" ? "" : el("strong", "", ` ${record.standing}`),
          ),
        ),
        ...why.map((text) => el("div", one.standing.mark === "bad" ? "" : "dim", text)),
      ),
      cell("health check", dim(checks.get(one.life ?? "") ?? one.life ?? "")),
      cell("since", age(one.since)),
    );
  };

  const verbs = { UPSERT: "+", DELETE: "−", REPLACE: "±" };
  const spoken = { UPSERT: "registered", DELETE: "removed", REPLACE: "changed" };
  const change = (one: ChangeState): HTMLElement => {
    const isRefused = one.result === "refused";
    const words = isRefused ? "refused" : spoken[one.action];
    return el(
      "tr",
      "",
      cell("", dim(age(one.at, "", " ago"))),
      cell(
        "",
        el("strong", isRefused ? "bad" : "", `${isRefused ? "✕" : verbs[one.action]} ${words} `),
        ...recordWords(one.record),
        one.message === undefined ? "" : el("div", "", one.message),
      ),
      cell("", dim([one.containerName ?? one.container ?? "", one.reason ?? ""].join(" ").trim())),
      cell("took", one.seconds === undefined ? "" : `${one.seconds.toFixed(2)} s`),
    );
  };

  const latency = (times: readonly number[]): void => {
    const space = "http://www.w3.org/2000/svg";
    const draw = (name: string, members: Readonly<Record<string, string | number>>): SVGElement => {
      const made = document.createElementNS(space, name);
      for (const [member, value] of Object.entries(members))
        made.setAttribute(member, String(value));
      return made;
    };
    // 10 ms at the bottom line, 100 ms at the middle one, 1 s at the top one.
    const height = (seconds: number) =>
      Math.min(60, Math.max(2, 4 + 24 * (Math.log10(Math.max(seconds, 0.001)) + 2)));
    at("latency").replaceChildren(
      ...[12, 36, 60].map((y) => draw("path", { d: `M0 ${y}H300`, class: "grid" })),
      ...times.map((seconds, index) => {
        const bar = draw("rect", {
          x: index * 6,
          y: 64 - height(seconds),
          width: 4.5,
          height: height(seconds),
          rx: 1,
          class: "spark-bar",
        });
        bar.append(draw("title", {}));
        (bar.firstChild as SVGElement).textContent = `${seconds.toFixed(3)} s`;
        return bar;
      }),
    );
  };

  const flow = ({ stream, queue, records, requests }: State["flow"]): void => {
    at("flow").replaceChildren(
      "Docker stream ",
      el("strong", stream.open ? "good" : "bad", stream.open ? "open" : "closed"),
      `, ${plural(stream.events, "event")} → queue ${queue.waiting} waiting, ${queue.working} of ${queue.workers} workers busy, ${queue.later} scheduled → desired ${records.desired} / published ${records.published} / refused ${records.refused} → Route 53 ${plural(requests.total, "request")}, ${requests.failed} failed`,
    );
  };

  let latest: State | undefined;
  let landed: readonly ChangeState[] = [];
  let chosen = "all";
  const filter = at("filter") as HTMLInputElement;
  const chip = (words: string, count: number): HTMLElement => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = `chip${chosen === words ? " on" : ""}`;
    made.textContent = `${words} ${count}`;
    made.addEventListener("click", () => {
      chosen = words;
      show();
    });
    return made;
  };
  const containers = (state: State, has: (item: unknown) => boolean): void => {
    const all = state.containers
      .map((one) => ({ ...one, standing: standingOf(one, state.skipped) }))
      .toSorted((a, b) => a.standing.order - b.standing.order);
    const words = [...new Set(all.map(({ standing }) => standing.words))];
    if (chosen !== "all" && !words.includes(chosen)) chosen = "all";
    const counts = words.map((word) =>
      chip(word, all.filter(({ standing }) => standing.words === word).length),
    );
    at("chips").replaceChildren(chip("all", all.length), ...counts);
    const shown = all.filter(
      (one) => has(one) && (chosen === "all" || one.standing.words === chosen),
    );
    fill("containers", shown, ({ id }) => id, container);
    at("containers-count").textContent = String(all.length);
  };
  function show(): void {
    const wanted = filter.value.trim().toLowerCase();
    const has = (item: unknown): boolean =>
      wanted === "" || JSON.stringify(item).toLowerCase().includes(wanted);
    fill("changes", landed.filter(has).slice(0, 10), ({ seq }) => String(seq), change);
    at("changes-count").textContent =
      landed.length > 10
        ? `last 10 of ${landed.length}; filter to find others`
        : "the newest first";
    const timed = landed.flatMap(({ result, seconds }) =>
      result === "accepted" && seconds !== undefined ? [seconds] : [],
    );
    latency(timed.toReversed());
    if (latest === undefined) return;
    const state = latest;
    const todo = needs(state);
    head(state, todo.length);
    at("todo").hidden = todo.length === 0;
    fill(
      "needs",
      todo,
      ([what, why]) => what + why,
      ([what, why, next]) => el("li", "", el("span", "why", what), ` ${why} `, dim(next)),
    );
    tabs(state.neighbours ?? []);
    figures(
      state,
      timed.toSorted((a, b) => a - b),
    );
    const names = state.names.map((name) => ({
      ...name,
      records: state.published.filter((one) => one.name === name.name && one.type === name.type),
    }));
    fill("names", names.filter(has), ({ name, type }) => `${name} ${type}`, share);
    const [first] = names;
    at("ask").replaceChildren(
      ...(first === undefined ? [] : ["Ask: ", el("code", "copy", `dig ${first.name} +short`)]),
    );
    containers(state, has);
    fill(
      "errors",
      state.errors,
      ({ from, message }) => from + message,
      (one) =>
        el(
          "tr",
          "",
          cell("", one.from),
          cell("", one.message),
          cell("", `${one.times} ×`),
          cell("last", age(one.lastAt, "", " ago")),
        ),
    );
    flow(state.flow);
  }
  const keep = (changes: readonly ChangeState[]): void => {
    const bySeq = new Map([...landed, ...changes].map((one) => [one.seq, one]));
    landed = [...bySeq.values()].toSorted((a, b) => b.seq - a.seq).slice(0, 50);
  };

  filter.addEventListener("input", show);
  const source = new EventSource("/v1/events");
  source.addEventListener("state", ({ data }) => {
    const state = JSON.parse(String(data)) as State;
    // Another process counts from the start again; of one process the time differs by a clock's error.
    const isOther = Math.abs((latest ?? state).agent.startedAt - state.agent.startedAt) > 0.1;
    if (isOther) landed = [];
    latest = state;
    offset = Date.now() / 1000 - state.at;
    keep(state.changes);
    show();
  });
  source.addEventListener("change", ({ data }) => {
    keep([JSON.parse(String(data)) as ChangeState]);
    show();
  });
  source.addEventListener("error", () => {
    at("pill").className = "pill bad";
    at("pill").textContent = "no connection to the agent: what is below is old";
  });
}
