import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { named } from "../../support/fault-host.ts";
import { freePort } from "../../support/free-port.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

describe("a host that has a configuration to run", () => {
  it("runs it although the files of server.tls are gone", async () => {
    const host = await supervisorHost();
    const first = await host.startHealthy();
    await host.apply(named(host, "kept"));
    await first.kill("SIGTERM");
    await host.writeSettings(
      {},
      {},
      {
        server: {
          endpoint: `wss://127.0.0.1:${host.ports.opamp}/v1/opamp`,
          tls: { ca_file: "/nowhere/ca.pem" },
        },
      },
    );
    const next = await host.start();
    expect(await next.waitFor("tls_unusable")).toMatchObject({ level: "error" });
    await host.expectDataFlows();
  });

  it("runs it although another program has agent.opamp_server_port", async () => {
    const host = await supervisorHost();
    const port = await freePort();
    await host.writeSettings({ opamp_server_port: port });
    const first = await host.startHealthy();
    await host.apply(named(host, "kept"));
    await first.kill("SIGTERM");
    const other = createServer().listen(port, "127.0.0.1");
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const next = await host.start();
    expect(await next.waitFor("local_port_taken")).toMatchObject({ port });
    await host.expectDataFlows();
  });
});
