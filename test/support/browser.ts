import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { installPackages, isRootOnDebian } from "./debian.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** A tab of a real browser, and everything in it that went wrong: errors, and what the page's policy forbade. */
export interface Tab {
  readonly page: Page;
  readonly complaints: readonly string[];
}

export interface TabOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
}

export interface BrowserOfTests extends AsyncDisposable {
  open(url: string, options?: TabOptions): Promise<Tab>;
}

/** The system's Chromium, or the one at CHROMIUM. As root on Debian it is installed when it is missing. */
export async function startBrowser(): Promise<BrowserOfTests> {
  if (!existsSync(CHROMIUM)) {
    if (process.env["CHROMIUM"] !== undefined || !isRootOnDebian()) {
      throw new Error(`expected Chromium at ${CHROMIUM}, found none: install it, or set CHROMIUM`);
    }
    await installPackages("chromium", "fonts-dejavu-core");
  }
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM,
    // Root has no sandbox of its own, and the pages are ours.
    args: ["--no-sandbox"],
  });
  return {
    async open(url, { width = 1100, height = 800, colorScheme = "light" } = {}) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme });
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("dialog", (dialog) => {
        complaints.push(`a dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      await page.goto(url);
      return { page, complaints };
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
