import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { expectRuns, lastStatusOf, named, standIn } from "../../support/fault-host.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const sickCollector = fileURLToPath(new URL("../../support/sick-collector.ts", import.meta.url));

/** The real Collector, but for configurations that ask for a sick one. */
async function onBefore(): Promise<SupervisorHost> {
  const host = await supervisorHost({ agent: { probation: "1ms" } });
  const script = [
    'if [ "$1" = --config ] && grep -q "sick:" "$2"; then',
    `  exec ${process.execPath} ${sickCollector} "$@"`,
    "fi",
    'exec "$COLLECTOR" "$@"',
  ];
  await host.writeSettings({
    executable: standIn(host, script.join("\n")),
    probation: "30s",
    use_hup_config_reload: false,
  });
  await host.startHealthy();
  await host.apply(named(host, "before"));
  return host;
}

const sick = (host: SupervisorHost, status: string, after: number) =>
  named(host, "after", {
    telemetry: { resource: { generation: "after", sick: status, after: String(after) } },
  });

describe.each(["StatusPermanentError", "StatusFatalError"])("a component that reports %s", (status) => {
  it("at the start is FAILED at once and reverted", async () => {
    const host = await onBefore();
    const config = host.server.offer(sick(host, status, 0));
    await host.server.verdict(config);
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED"]);
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toMatch(/pipeline:logs: it is sick/);
  });

  it("on probation is corrected to FAILED and reverted", async () => {
    const host = await onBefore();
    const config = host.server.offer(sick(host, status, 300));
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED", "FAILED"]);
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toMatch(/pipeline:logs: it is sick/);
  });
});

describe("a component that reports StatusRecoverableError", () => {
  it.each([0, 300])("after %i ms is reported, and nothing is reverted for it", async (after) => {
    const host = await onBefore();
    const config = host.server.offer(sick(host, "StatusRecoverableError", after));
    await host.server.verdict(config);
    await host.server.reported(
      "health",
      ({ componentHealthMap }) => componentHealthMap["pipeline:logs"]?.lastError === "it is sick",
    );
    await host.server.until("what runs", () => host.server.effectiveText.includes("sick:"));
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
  });
});
