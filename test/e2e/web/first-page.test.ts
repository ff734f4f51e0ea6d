import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { withBrowser } from "../../support/browser.ts";
import { fetchBytes } from "../../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../../support/server-process.ts";

const browser = withBrowser();
const built = join(dirname(fileURLToPath(import.meta.url)), "../../../dist/web");

describe("the first page", () => {
  it("is less than 150 kB as it is sent", () => {
    const files = readdirSync(built, { recursive: true }).map(String);
    const sizes = files
      .filter((name) => name.endsWith(".gz"))
      .map((name) => statSync(join(built, name)).size);
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
  });

  it("cannot be put into a frame, even by a page of the same machine", async () => {
    const { management } = await new ServerProcess("--config", await settingsFile(onFreePorts)).urls();
    const { headers } = await fetchBytes(management);
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["x-frame-options"]).toBe("DENY");
    const page = await browser.open(management);
    await page.getByRole("heading", { name: "Fleet" }).waitFor();
    // The refusal is logged in the page: not one of those that have to be without any.
    const elsewhere = await page.context().browser()!.newContext();
    onTestFinished(() => elsewhere.close());
    const framing = await elsewhere.newPage();
    const refused = framing.waitForEvent("console", (message) => message.text().includes("frame-ancestors"));
    await framing.setContent(`<iframe src="${management.href}"></iframe>`);
    expect((await refused).type()).toBe("error");
  });
});
