import { expect, it } from "@jest/globals";
import { type Known, viewOf } from "../../../agent/balancer/show/view.ts";
import { balancerWorld, hostTask } from "../../support/balancer-world.ts";
import { INSTANCE, web } from "../../support/elb.ts";

const entry = (name: string) => ({
  serviceName: name,
  family: name,
  exposedContainerName: "app",
  loadBalancerName: name,
});

async function known(over: Partial<Known> = {}): Promise<Known> {
  const world = await balancerWorld({
    services: [entry("web"), entry("gone"), { serviceName: "broken" }],
    balancers: [web()],
  });
  world.outside.tasks = [hostTask("web", 40_000), hostTask("gone", 41_000)];
  const result = await world.cycle();
  return {
    instance: INSTANCE,
    cluster: "prod",
    result,
    ageSeconds: 1,
    sleepSeconds: 10,
    balancers: new Map([["web", { kind: "found", balancer: world.elb.balancer("web") }]]),
    ports: [],
    begun: [],
    journalProblem: undefined,
    requests: 7,
    changes: [],
    refusals: [],
    ...over,
  };
}

const rowsOf = (view: ReturnType<typeof viewOf>, title: string) =>
  view.tables
    .find((table) => table.title === title)
    ?.rows.map((row) => row.map((cell) => (typeof cell === "object" ? cell.text : cell)));

it("the page leads from each service over its load balancer and listener to its task, what needs somebody first", async () => {
  const view = viewOf(await known());
  const [gone, fine] = rowsOf(view, "Services") ?? [];
  expect(gone?.slice(0, 3)).toEqual(["gone", "rewrite", "gone"]);
  expect(gone?.at(-1)).toContain("there is no Classic Load Balancer gone in eu-west-1");
  expect(fine?.slice(0, 4)).toEqual(["web", "rewrite", "web", "80/HTTP → 40000/HTTP"]);
  expect(fine?.[4]).toMatch(/^[0-9a-f]{8} :40000/);
  expect(fine?.at(-1)).toBe("as wanted");
  expect(view.needsYou.map(({ what }) => what)).toEqual([
    "The entry of broken can't be read",
    "Service gone is not as wanted",
  ]);
  // The listener's move is what the last look has found to do.
  expect(rowsOf(view, "Steps under way")).toContainEqual([
    "web",
    "- listener 80/HTTP → 32768/HTTP",
  ]);
});

it("the page shows a move that is not at its end, and what was refused last", async () => {
  const listener = { lbPort: 80, protocol: "HTTP", instancePort: 1, instanceProtocol: "HTTP" };
  const view = viewOf(
    await known({
      begun: [
        {
          loadBalancer: "web",
          service: "web",
          from: { listener, policies: [] },
          to: [{ port: 2, backEnd: [] }],
          backEnd: [],
        },
      ],
      refusals: [{ at: 0, about: "web", text: "<b>no</b>" }],
    }),
  );
  expect(rowsOf(view, "Steps under way")?.[0]).toEqual([
    "web",
    "listener 80/HTTP → 1/HTTP moves to 2: begun, and not at its end",
  ]);
  expect(rowsOf(view, "Last refusals")).toEqual([["1970-01-01T00:00:00.000Z", "web", "<b>no</b>"]]);
});
