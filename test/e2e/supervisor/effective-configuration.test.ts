import { describe, expect, it } from "vitest";
import { effectiveText, remoteConfig } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const headerSecret = "s3cret-of-a-header";
const envSecret = "s3cret-of-the-environment";

/** As a Collector's configuration names a variable. */
const fromEnvironment = "$" + "{env:BACKEND_SECRET}";

/** Exporters of a host that knows how to reach a backend; none of it is anybody else's business. */
function withSecrets(pipeline: ReturnType<Awaited<ReturnType<typeof supervisorHost>>["pipeline"]>) {
  return {
    ...pipeline,
    exporters: {
      otlphttp: {
        ...pipeline.exporters.otlphttp,
        headers: { authorization: headerSecret, "x-team": fromEnvironment },
      },
    },
  };
}

const secretive = {
  secrets: [headerSecret, envSecret],
  agent: { env: { BACKEND_SECRET: envSecret } },
  configFiles: { "local.yaml": "" },
};

// That no secret is in any message or log line is checked at the end of every test with a host.
describe("the effective configuration", () => {
  it("is what the Collector says of itself, without secrets", async () => {
    const host = await supervisorHost(secretive);
    host.writeConfigFile("local.yaml", withSecrets(host.pipeline()));
    await host.startHealthy();
    const text = host.server.effectiveText;
    expect(text).toMatch(/authorization\s+value: '\[REDACTED\]'/);
    expect(text).toMatch(/x-team\s+value: '\[REDACTED\]'/);
    // A default that is in no file: the Collector's own view.
    expect(text).toContain("max_elapsed_time: 5m0s");
    await host.expectDataFlows();
  });

  it("is redacted by the supervisor while the Collector has not reported its own", async () => {
    const host = await supervisorHost({ ...secretive, server: "down" });
    host.writeConfigFile("local.yaml", withSecrets(host.pipeline()));
    const first = await host.start();
    await host.expectDataFlows();
    const updated = await first.waitFor("config_updated");
    expect(updated).toMatchObject({ trigger: "start" });
    await first.kill("SIGTERM");

    await host.startServer();
    await host.startHealthy();
    const texts = host.server.received.flatMap(({ message }) =>
      message.effectiveConfig ? [effectiveText(message)] : [],
    );
    // The first one is ours: no defaults are filled in yet.
    expect(texts[0]).toContain("otlphttp");
    expect(texts[0]).not.toContain("max_elapsed_time: 5m0s");
    expect(texts[0]).toContain("[REDACTED]");
    await host.server.until("the Collector's own", () =>
      host.server.effectiveText.includes("max_elapsed_time: 5m0s"),
    );
  });

  it("keeps secrets out of the reason of a failure", async () => {
    const host = await supervisorHost(secretive);
    host.writeConfigFile("local.yaml", withSecrets(host.pipeline()));
    await host.startHealthy();
    const remote = host.pipeline({ extensions: { health_check: { endpoint: fromEnvironment } } });
    const bad = host.server.offer(remoteConfig({ "": remote }));
    const { errorMessage } = await host.server.verdict(bad);
    expect(errorMessage).toContain("health_check");
    await host.expectDataFlows();
  });
});
