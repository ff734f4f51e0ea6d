import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { withBrowser } from "../../support/browser.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../../support/server-process.ts";
import { simulatedFleet } from "../../support/web-fleet.ts";

const browser = withBrowser();

const usual = (index: number) => ({
  "host.name": `edge-${index}`,
  "service.version": index % 4 === 0 ? "1.0.0" : "2.0.0",
  env: index % 3 === 0 ? "staging" : "prod",
});

async function serving() {
  const server = new ServerProcess("--config", await settingsFile(onFreePorts));
  return await server.urls();
}

const figure = (page: Page, title: string) =>
  page.getByRole("link", { name: new RegExp(`^${title} `) }).locator("strong");
const rows = (page: Page) => page.locator("tr.row");
const shown = (page: Page, total: string) => page.getByText(`${total} shown`).waitFor();

describe("the fleet", () => {
  it("counts what each of its figures leads to", async () => {
    const { opamp, management } = await serving();
    const ill = { health: { healthy: false, status: "StatusPermanentError", lastError: "no route" } };
    await simulatedFleet(opamp, { size: 12, attributes: usual, report: (index) => (index < 2 ? ill : {}) });
    const page = await browser.open(management);
    await shown(page, "12");
    expect(await figure(page, "Agents").textContent()).toBe("12");
    expect(await figure(page, "Unhealthy").textContent()).toBe("2");
    await page.getByRole("link", { name: /Unhealthy/ }).click();
    await shown(page, "2");
    expect(await rows(page).getByRole("link").allTextContents()).toEqual(["edge-0", "edge-1"]);
    expect(new URL(page.url()).hash).toBe("#/?is=unhealthy");
    await page.getByRole("button", { name: "Remove filter Only unhealthy" }).click();
    await shown(page, "12");
    await page.getByRole("link", { name: /1\.0\.0/ }).click();
    await shown(page, "3");
  });

  it("filters by labels while one types, and explains a bad selector at its field", async () => {
    const { opamp, management } = await serving();
    await simulatedFleet(opamp, { size: 9, attributes: usual });
    const page = await browser.open(management);
    await shown(page, "9");
    const field = page.getByLabel("Filter by labels");
    await field.fill("env=staging");
    await shown(page, "3");
    await field.fill("env==staging=");
    await page.locator("[aria-invalid=true]").waitFor();
    const note = await page.locator(`#${await field.getAttribute("aria-describedby")}`).textContent();
    expect(note).toMatch(/expected|selector/i);
    await field.fill("env=prod");
    await shown(page, "6");
    expect(await field.getAttribute("aria-invalid")).toBe("false");
    await page.reload();
    await shown(page, "6");
  });

  it("sorts thousands and keeps only those in sight in the page", async () => {
    const { opamp, management } = await serving();
    await simulatedFleet(opamp, { size: 1_200, attributes: usual });
    const page = await browser.open(management);
    await shown(page, "1,200");
    expect(await rows(page).count()).toBeLessThan(100);
    await page.getByRole("button", { name: "Agent" }).click();
    await page.getByRole("link", { name: "edge-1199", exact: true }).waitFor();
    await page.getByRole("region", { name: "Agents" }).evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await page.getByRole("link", { name: "edge-0", exact: true }).waitFor();
    expect(await rows(page).count()).toBeLessThan(100);
  });

  it("shows hostile names, labels and errors as text", async () => {
    const { opamp, management } = await serving();
    const hostile = `<img src=x onerror="document.title='taken'">`;
    await simulatedFleet(opamp, {
      size: 1,
      attributes: () => ({
        "host.name": hostile,
        [hostile]: `"'></td><script>document.title='taken'</script>`,
        "service.version": hostile,
      }),
      report: () => ({ health: { healthy: false, status: hostile, lastError: hostile } }),
      verdict: () => ({ failed: hostile }),
    });
    const page = await browser.open(management);
    const link = page.getByRole("link", { name: hostile });
    await link.first().waitFor();
    await rows(page).getByRole("link").click();
    await page.getByRole("heading", { level: 1, name: hostile }).waitFor();
    await page.locator(".words", { hasText: hostile }).first().waitFor();
    expect(await page.title()).toBe(`${hostile} · opamp-server`);
    expect(await page.locator("img, script:not([src])").count()).toBe(0);
  });

  it("shows an agent that comes while one looks", async () => {
    const { opamp, management } = await serving();
    const page = await browser.open(management);
    await page.getByText("No agent is like that.").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await simulatedFleet(opamp, { size: 1, attributes: usual });
    await page.getByRole("link", { name: "edge-0", exact: true }).waitFor();
    await figure(page, "Connected").getByText("1").waitFor();
    expect(await figure(page, "Disconnected").textContent()).toBe("0");
  });
});
