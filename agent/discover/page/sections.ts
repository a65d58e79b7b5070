/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { State } from "../../host/state.ts";
import type { PageElements } from "../../page/page-elements.ts";
import type { PageRows } from "./rows.ts";

/** Runs in the browser; see `pageElements`. Shows the head of the page and its figures. */
export function pageHead({ at, el }: PageElements, { age, dim, plural }: PageRows) {
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

  const kpi = (label: string, value: string, ...detail: readonly (Node | string)[]): HTMLElement =>
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
  return { head, figures };
}

/** Runs in the browser; see `pageElements`. Shows the foot of the page: how long changes take, and how they flow. */
export function pageFlow({ at, el }: PageElements, { plural }: PageRows) {
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
  return { latency, flow };
}
