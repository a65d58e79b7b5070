import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type NetLab, netLab } from "../../support/net-lab.ts";
import { kernel, proxy, ROOT, type Side, TASKS } from "../ambassador-sides.ts";
import type { Scenario } from "../results.ts";

const run = promisify(execFile);
const PER_SECOND = 100;
const COUNT = 600;
const [, VICTIM = 0] = TASKS;
const SILENT = `table inet silent { chain in { type filter hook input priority 0; tcp dport ${VICTIM} drop; }; }`;

/** What goes wrong with one task of three, while clients connect, and how it is put right again. */
const FAULTS = {
  refuses: {
    begin: (lab: NetLab) => lab.peers.tasks.end(VICTIM),
    end: (lab: NetLab) => lab.peers.tasks.serve("b", VICTIM),
  },
  "is silent": {
    begin: (lab: NetLab) => lab.run("tasks", ["nft", "-f", "-"], SILENT),
    end: (lab: NetLab) => lab.run("tasks", ["nft", "delete", "table", "inet", "silent"]),
  },
};
/** The promise for the slowest connect, in ms. A client's own SYN timer is a second. */
const LIMIT_MS = { kernel: 1_100, proxy: 300 };

/** One task of three goes away under load: how many connects fail, and what the slowest one costs, on each plane. */
export async function ambassadorFaults(): Promise<readonly Scenario[]> {
  await run(process.execPath, ["deploy/bundle.ts"], { cwd: ROOT });
  await using lab = await netLab();
  await lab.run("agent", ["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"]);
  for (const [n, port] of TASKS.entries()) await lab.peers.tasks.serve("abc".charAt(n), port);
  const scenarios: Scenario[] = [];
  for (const make of [kernel, proxy]) {
    await using stack = new AsyncDisposableStack();
    const side = await make(lab);
    stack.defer(side.stop);
    const rows = [];
    for (const [what, fault] of Object.entries(FAULTS)) {
      const asked = await askedDuring(lab, side, fault);
      const failed = Object.values(asked.failures).reduce((sum, count) => sum + count, 0);
      const measure = `a task ${what}: `;
      rows.push(
        { measure: `${measure}failed connects`, unit: "" as const, agent: failed, atMost: 0 },
        {
          measure: `${measure}slowest answer`,
          unit: "ms" as const,
          agent: asked.slowestMs,
          atMost: LIMIT_MS[side.name === "kernel" ? "kernel" : "proxy"],
        },
        { measure: `${measure}median answer`, unit: "ms" as const, agent: asked.medianMs },
      );
    }
    scenarios.push({
      title: `ambassadorFaults. ${side.name}: one task of three goes away under ${COUNT} connects, ${PER_SECOND} a second`,
      beside: "nothing",
      rows,
    });
  }
  return scenarios;
}

/** From before the fault until after it. */
async function askedDuring(
  lab: NetLab,
  { host, port }: Side,
  { begin, end }: (typeof FAULTS)[keyof typeof FAULTS],
) {
  for (;;) {
    // Until all three serve: what the last fault left is over.
    const { names } = await lab.peers.agent.ask({ host, port, count: 60 });
    if (Object.keys(names).length === TASKS.length) break;
  }
  const asking = lab.peers.agent.ask({ host, port, count: COUNT, perSecond: PER_SECOND });
  await begin(lab);
  const asked = await asking;
  await end(lab);
  return asked;
}
