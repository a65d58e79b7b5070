import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { startBrowser, type Tab } from "../support/browser.ts";
import { type EngineLab, engineLab, NAME_LABEL, newTaskLabel } from "../support/lab.ts";
import { SERVED, statusOf } from "../support/status.ts";

const SCREENSHOT = fileURLToPath(new URL("../../docs/page.png", import.meta.url));
const PHONE = fileURLToPath(new URL("../../docs/page-phone.png", import.meta.url));
const DARK = fileURLToPath(new URL("../../docs/page-dark.png", import.meta.url));
/** A first run may have to install the browser. */
const LIMIT_MS = 300_000;

const run = (lab: EngineLab, name: string, label: string, labels = {}) =>
  lab.run({ name, label, labels: { ...newTaskLabel(), ...labels } });

const row = ({ page }: Tab, text: string) =>
  page.locator("#containers tr").filter({ hasText: text });
const changed = ({ page }: Tab, text: string) =>
  page.locator("#changes tr").filter({ hasText: text });

describe("the page", () => {
  it(
    "shows containers, records and changes of the real engine as they come and go",
    async () => {
      await using lab = await engineLab();
      const agent = lab.agent(SERVED);
      const { url } = await statusOf(agent);
      await using browser = await startBrowser();
      const tab = await browser.open(url);
      await tab.page.getByText("No labelled container.").waitFor();

      const web = await run(lab, "web", "web");
      await run(lab, "api", "api,v2.api");
      await run(lab, "jobs", "jobs");
      const [record = ""] = (await lab.expected()).filter((one) => one.startsWith("web."));
      const [name = "", address = ""] = record.split(" ");
      const arrow = `${name.split(".")[0]} → ${address}`;
      await row(tab, arrow).filter({ hasText: "✓ serves" }).waitFor();
      await row(tab, "v2.api → ").waitFor();
      await changed(tab, `registered ${arrow}`).waitFor();
      await tab.page.getByRole("status").getByText("all well").waitFor();
      await tab.page.locator("#names .name").filter({ hasText: "web A" }).waitFor();
      await run(lab, "bad", "my_web");
      await row(tab, 'got "my_web"').filter({ hasText: "✕ no record" }).waitFor();
      await tab.page.locator("#needs li").filter({ hasText: 'got "my_web"' }).waitFor();
      await tab.page.getByRole("status").getByText("1 thing to look at").waitFor();
      if (process.env["UPDATE_SCREENSHOT"] === "1") {
        await tab.page.screenshot({ path: SCREENSHOT, fullPage: true });
      }

      await web.stop({ t: 0 });
      await row(tab, arrow).waitFor({ state: "detached" });
      await changed(tab, `removed ${arrow}`).waitFor();
      await tab.page
        .locator("#names .name")
        .filter({ hasText: "web A" })
        .waitFor({ state: "detached" });
      await tab.page.getByLabel("Filter").fill("v2");
      await row(tab, "jobs").waitFor({ state: "detached" });
      expect(await row(tab, "v2.api").count()).toBe(1);
      expect(tab.complaints).toEqual([]);

      agent.kill("SIGKILL");
      await tab.page.getByText("no connection to the agent").waitFor();
    },
    LIMIT_MS,
  );

  it(
    "shows what labels say as text, whatever it is",
    async () => {
      await using lab = await engineLab();
      const markup = `<img src=x onerror="document.title='led'"><script>document.title='led'</script>`;
      await run(lab, "hostile", markup, { "discovery.service.weight": "</script><b>bold</b>" });
      await run(lab, "good", "good", { [`${NAME_LABEL}.x`]: markup });
      const { url } = await statusOf(lab.agent(SERVED));
      await using browser = await startBrowser();
      const tab = await browser.open(url);

      await row(tab, "<img src=x onerror=").waitFor();
      await row(tab, "good → ").filter({ hasText: "✓" }).waitFor();
      expect(await tab.page.locator("main img, main b, main script").count()).toBe(0);
      expect(await tab.page.title()).toContain("example.internal on ");
      expect(tab.complaints).toEqual([]);

      // Its policy lets nothing else run, should a text ever get through as markup.
      const injected = await tab.page.evaluate(`
        try { document.body.insertAdjacentHTML("beforeend", "<b>led</b>") } catch (error) { String(error) }
      `);
      expect(injected).toContain("TrustedHTML");
    },
    LIMIT_MS,
  );

  it(
    "fits a phone, follows the colour scheme, and says nothing by colour alone",
    async () => {
      await using lab = await engineLab();
      await run(lab, "a-container-with-quite-a-long-name-as-ecs-gives-them", "web");
      await run(lab, "bad", "my_web");
      const { url } = await statusOf(lab.agent(SERVED));
      await using browser = await startBrowser();
      const light = await browser.open(url, { width: 390, height: 844 });
      const dark = await browser.open(url, { colorScheme: "dark" });
      const ground = ({ page }: Tab) =>
        page.evaluate("getComputedStyle(document.body).backgroundColor");
      await row(light, "web → ").filter({ hasText: "✓" }).waitFor();
      await row(light, "my_web").filter({ hasText: "✕" }).waitFor();
      if (process.env["UPDATE_SCREENSHOT"] === "1") {
        await light.page.screenshot({ path: PHONE, fullPage: true });
        await row(dark, "web → ").filter({ hasText: "✓" }).waitFor();
        await dark.page.screenshot({ path: DARK, fullPage: true });
      }
      const tooWide = "document.documentElement.scrollWidth - innerWidth";
      expect(await light.page.evaluate(tooWide)).toBeLessThanOrEqual(0);
      expect(await ground(light)).not.toBe(await ground(dark));
    },
    LIMIT_MS,
  );
});
