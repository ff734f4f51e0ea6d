import axe from "axe-core";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { withBrowser } from "../../support/browser.ts";
import { fetchJson } from "../../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../../support/server-process.ts";
import { simulatedFleet } from "../../support/web-fleet.ts";

const browser = withBrowser();

const besideScreen = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/** What axe finds wrong with the page as it is now. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate<Violation[]>("axe.run().then(({ violations }) => violations)");
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
}

interface Violation {
  id: string;
  nodes: { html: string }[];
}

async function story() {
  const { opamp, management } = await new ServerProcess("--config", await settingsFile(onFreePorts)).urls();
  const [member] = await simulatedFleet(opamp, {
    size: 30,
    attributes: (index) => ({ "host.name": `edge-${index}`, "service.version": "1.0.0", env: "prod" }),
    report: (index) =>
      index === 0
        ? {
            health: {
              healthy: false,
              status: "StatusPermanentError",
              lastError: "no route",
              componentHealthMap: { "pipeline:traces": { healthy: false, lastError: "no route" } },
            },
          }
        : {},
    verdict: (text) => (text.includes("bad") ? { failed: "no such receiver" } : "applied"),
  });
  const push = async (query: string, body: string) => {
    const url = new URL(`/api/v1/config?${query}`, management);
    return (await fetchJson<{ rollout: string }>(url, { method: "POST", body })).json.rollout;
  };
  await push("message=first", "receivers:\n  otlp:\n");
  const rollout = await push("strategy=standard", "receivers:\n  bad:\n");
  await fetchJson(new URL("/api/v1/tokens", management), {
    method: "POST",
    body: JSON.stringify({ name: "ci", role: "viewer" }),
  });
  const pages = [
    ["", "Fleet"],
    ["#/?is=unhealthy&selector=a%3D%3D%3D", "Fleet"],
    [`#/agents/${member!.id}`, "edge-0"],
    ["#/rollouts", "Rollouts"],
    [`#/rollouts/${rollout}?entry=1`, "Configuration for every agent"],
    ["#/rollouts/new", "New rollout"],
    ["#/access", "Access"],
    ["#/audit", "Audit"],
  ] as const;
  return { management, pages };
}

describe("every page", () => {
  it.each([
    ["light", 1440],
    ["dark", 390],
  ] as const)(
    "has nothing that axe finds fault with, and nothing beside the screen: %s, %d wide",
    async (colorScheme, width) => {
      const { management, pages } = await story();
      for (const [hash, heading] of pages) {
        const page = await browser.open(`${management.href}${hash}`, {
          colorScheme,
          viewport: { width, height: 844 },
        });
        await page.getByRole("heading", { level: 1, name: heading }).waitFor();
        await page.getByText("Loading…").first().waitFor({ state: "detached" });
        expect([hash, await violations(page)]).toEqual([hash, []]);
        const beside = await page.evaluate<number>(besideScreen);
        expect([hash, beside]).toEqual([hash, 0]);
      }
    },
  );

  it("is reached, and acted on, by keyboard alone, and is read out from its heading", async () => {
    const { management, pages } = await story();
    const [hash] = pages[2];
    const page = await browser.open(management);
    await page.getByRole("link", { name: "Rollouts" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Rollouts" }).waitFor();
    await page.locator("h1:focus").waitFor();
    await page.goto(`${management.href}${hash}`);
    const button = page.getByRole("button", { name: "Restart Collector" });
    await button.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Restart its Collector?" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.locator("button:focus", { hasText: "Restart Collector" }).waitFor();
  });
});
