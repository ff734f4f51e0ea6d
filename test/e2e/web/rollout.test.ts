import { describe, expect, it } from "vitest";
import { withBrowser } from "../../support/browser.ts";
import { freePort, freePorts } from "../../support/free-port.ts";
import { ServerProcess, settingsFile } from "../../support/server-process.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";
import { simulatedFleet } from "../../support/web-fleet.ts";

const browser = withBrowser();

const pipeline = (name: string) => `receivers:
  nop:
exporters:
  nop:
service:
  telemetry:
    metrics: { level: none }
    resource: { marker: ${name} }
  pipelines:
    traces: { receivers: [nop], exporters: [nop] }
`;

async function settings() {
  const ports = await freePorts("opamp", "management");
  const file = await settingsFile(
    JSON.stringify({
      opamp: { endpoint: `127.0.0.1:${ports.opamp}` },
      management: { endpoint: `127.0.0.1:${ports.management}` },
      rollouts: { default_strategy: "immediate" },
    }),
  );
  return { file, endpoint: `ws://127.0.0.1:${ports.opamp}/v1/opamp` };
}

describe("a rollout in the browser", () => {
  it("goes from its text to a real Collector, and back again by one button with a reason", async () => {
    const { endpoint, file } = await settings();
    const { management } = await new ServerProcess("--config", file).urls();
    const host = await supervisorHost({ server: "down", settings: { server: { endpoint } } });
    await host.start({ METRICS_PORT: String(await freePort()) });
    const page = await browser.open(management);
    page.setDefaultTimeout(45_000);
    await page.locator("tr.row").first().waitFor();
    const rollOut = async (text: string, message: string) => {
      await page.goto(`${management.href}#/rollouts/new`);
      await page.getByLabel("Configuration").fill(text);
      await page.getByText("1 agent would get").waitFor();
      await page.getByLabel("What it is for").fill(message);
      await page.getByRole("button", { name: "Start rollout to 1 agent" }).click();
      await page.getByRole("heading", { level: 1, name: message }).waitFor();
      await page.getByText("1 of 1 agent applied").waitFor();
    };
    await rollOut(pipeline("first"), "The first one");
    await rollOut(pipeline("second"), "The second one");
    await page.locator(".members a").click();
    await page.getByText("marker: second").first().waitFor();
    await page.goBack();
    await page.getByRole("button", { name: "Roll back" }).click();
    await page.getByLabel("Reason").fill("traces are missing");
    await page.getByRole("dialog").getByRole("button", { name: "Stop and roll back" }).click();
    await page.getByText(/The server has taken it/).waitFor();
    await page.locator(".rollout-state", { hasText: "Rolled back" }).waitFor();
    await page.locator(".timeline", { hasText: "traces are missing" }).waitFor();
    await page.locator(".members a").click();
    await page.getByText("marker: first").first().waitFor();
    expect(await page.getByText("marker: second").count()).toBe(0);
  }, 120_000);

  it("explains a text that is no configuration at its field, and starts nothing", async () => {
    const { file } = await settings();
    const { management } = await new ServerProcess("--config", file).urls();
    const page = await browser.open(`${management.href}#/rollouts/new`);
    await page.getByLabel("Configuration").fill("receivers:\n  otlp: [\n");
    await page.getByText(/not valid YAML, line/).waitFor();
    expect(await page.getByRole("button", { name: "Start rollout" }).isDisabled()).toBe(true);
  });
});

describe("a server that goes away", () => {
  it("is told of, and what is shown is right again when it is back", async () => {
    const { file } = await settings();
    const first = new ServerProcess("--config", file);
    const { management } = await first.urls();
    const page = await browser.open(management);
    await page.getByText("Live", { exact: true }).waitFor();
    first.child.kill("SIGKILL");
    await page.getByText("Connection to opamp-server lost, retrying").waitFor();
    const { opamp } = await new ServerProcess("--config", file).urls();
    await simulatedFleet(opamp, { size: 1, attributes: () => ({ "host.name": "came-meanwhile" }) });
    await page.getByRole("link", { name: "came-meanwhile" }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.getByText("Connection to opamp-server lost").count()).toBe(0);
  });
});
