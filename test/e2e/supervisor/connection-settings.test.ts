import { describe, expect, it } from "vitest";
import { RecordingOpampServer } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const able = { capabilities: { accepts_opamp_connection_settings: true } };

const offerOf = (port: number, headers?: Record<string, string>) => ({
  connectionSettings: {
    hash: new Uint8Array([port & 0xff, 1]),
    opamp: {
      destinationEndpoint: `ws://127.0.0.1:${port}/v1/opamp`,
      ...(headers && {
        headers: { headers: Object.entries(headers).map(([key, value]) => ({ key, value })) },
      }),
    },
  },
});

describe("an offer of OpAMP connection settings", () => {
  it("AN3 moves to a server that answers, with the offered headers, and says good-bye to the old one", async () => {
    const host = await supervisorHost(able);
    const supervisor = await host.startHealthy();
    await using other = await RecordingOpampServer.start();
    host.server.push(offerOf(other.port, { "x-tenant": "blue" }));
    await supervisor.waitFor("connection_settings_applied");
    await other.until("the first full report", () => other.state?.agentDescription);
    expect(other.received[0]?.headers["x-tenant"]).toBe("blue");
    await host.server.until("good-bye", () =>
      host.server.received.some(({ message }) => message.agentDisconnect),
    );
    const pid = host.collectorPid();
    expect(await host.collectors()).toEqual([pid]);
  });

  it("AN3 stays with the live connection when nobody answers on the offered one", async () => {
    const host = await supervisorHost(able);
    const supervisor = await host.startHealthy();
    const gone = await RecordingOpampServer.start();
    const { port } = gone;
    await gone[Symbol.asyncDispose]();
    host.server.push(offerOf(port));
    await supervisor.waitFor("connection_settings_refused");
    expect(host.server.received.some(({ message }) => message.agentDisconnect)).toBe(false);
    await host.apply(host.remotePipeline());
  });

  it("AN2 keeps the endpoint that an offer of headers alone leaves out", async () => {
    const host = await supervisorHost(able);
    const supervisor = await host.startHealthy();
    host.server.push({
      connectionSettings: {
        hash: new Uint8Array([9]),
        opamp: { headers: { headers: [{ key: "x-tenant", value: "green" }] } },
      },
    });
    await supervisor.waitFor("connection_settings_applied");
    const last = await host.server.until("the new headers", () =>
      host.server.received.find(({ headers }) => headers["x-tenant"] === "green"),
    );
    expect(last).toBeDefined();
    await host.apply(host.remotePipeline());
  });

  it("never turns verification off", async () => {
    const host = await supervisorHost(able);
    const supervisor = await host.startHealthy();
    host.server.push({
      connectionSettings: {
        hash: new Uint8Array([8]),
        opamp: { destinationEndpoint: "wss://127.0.0.1:1/v1/opamp", tls: { insecureSkipVerify: true } },
      },
    });
    const line = await supervisor.waitFor("connection_settings_refused");
    expect(line.error).toContain("verification");
  });

  it("is not even looked at without the capability", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    await using other = await RecordingOpampServer.start();
    host.server.push(offerOf(other.port));
    await host.apply(host.remotePipeline());
    expect(other.received).toEqual([]);
  });
});
