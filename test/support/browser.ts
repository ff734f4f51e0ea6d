import { existsSync } from "node:fs";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** One Chromium for the tests of a file; every page is of a fresh profile. */
export function withBrowser() {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (!existsSync(executablePath))
      throw new Error(`no Chromium at ${executablePath}: apt-get install chromium`);
    browser = await chromium.launch({ executablePath, args, headless: true });
  });
  afterAll(async () => browser?.close());
  return {
    /** A page whose mistakes fail the test: errors, refusals by the content security policy, requests to elsewhere. */
    async open(url: URL | string, options: BrowserContextOptions = {}): Promise<Page> {
      if (browser === undefined) throw new Error("the browser was not started");
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      onTestFinished(() => context.close());
      const faults = watch(context, new URL(url));
      onTestFinished(() => expect(faults).toEqual([]));
      const page = await context.newPage();
      await page.goto(String(url));
      return page;
    },
  };
}

function watch(context: BrowserContext, { origin }: URL): string[] {
  const faults: string[] = [];
  context.on("weberror", (error) => faults.push(String(error.error())));
  context.on("console", (message) => {
    // A refused request is logged by the browser, and is what some tests are about.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      faults.push(message.text());
  });
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith("data:")) faults.push(`asked ${url}`);
  });
  return faults;
}
