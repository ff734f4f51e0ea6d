import { stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  endpointOf,
  headersOf,
  offerOf,
  sawHeader,
  statusesOf,
  verdictOn,
} from "../../support/connection-offers.ts";
import { RecordingOpampServer } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const able = { capabilities: { accepts_opamp_connection_settings: true } };

describe("an offer of OpAMP connection settings", () => {
  it("AN3 AN18 moves to a server that answers, with the offered headers, and says good-bye to the old one", async () => {
    const host = await supervisorHost({ ...able, secrets: ["s3cret-of-the-offer"] });
    const supervisor = await host.startHealthy();
    await using other = await RecordingOpampServer.start();
    host.server.push(
      offerOf(1, { ...endpointOf(other.port), ...headersOf({ "x-token": "s3cret-of-the-offer" }) }),
    );
    await supervisor.waitFor("connection_settings_applied");
    await other.until("the first full report", () => other.state?.agentDescription);
    expect(other.received[0]?.headers["x-token"]).toBe("s3cret-of-the-offer");
    expect(other.received[0]?.headers.authorization).toBeUndefined();
    await host.server.until("good-bye", () =>
      host.server.received.some(({ message }) => message.agentDisconnect),
    );
    expect(statusesOf(host.server, 1)[0]).toBe("APPLYING");
    await verdictOn(other, 1);
    expect(statusesOf(other, 1).at(-1)).toBe("APPLIED");
    const pid = host.collectorPid();
    expect(await host.collectors()).toEqual([pid]);
  });

  it("AN3 AN18 P5 stays with the live connection when nobody answers on the offered one, and says why", async () => {
    const host = await supervisorHost(able);
    await host.startHealthy();
    const gone = await RecordingOpampServer.start();
    const { port } = gone;
    await gone[Symbol.asyncDispose]();
    host.server.push(offerOf(1, endpointOf(port)));
    expect(await verdictOn(host.server, 1)).toContain("ECONNREFUSED");
    expect(statusesOf(host.server, 1)).toEqual(["APPLYING", "FAILED"]);
    expect(host.server.received.some(({ message }) => message.agentDisconnect)).toBe(false);
    await host.apply(host.remotePipeline());
  });

  it("AN2 keeps the endpoint that an offer of headers alone leaves out, over a restart too", async () => {
    const host = await supervisorHost({ ...able, secrets: ["s3cret-of-the-offer"] });
    await host.startHealthy();
    host.server.push(offerOf(9, headersOf({ "x-tenant": "s3cret-of-the-offer" })));
    await sawHeader(host.server, "x-tenant", "s3cret-of-the-offer");
    await verdictOn(host.server, 9);
    await host.apply(host.remotePipeline());
    const { mode } = await stat(join(host.stateDir, "connection_settings.json"));
    expect(mode & 0o777).toBe(0o600);
    const from = host.server.mark;
    await host.restart("SIGKILL");
    await sawHeader(host.server, "x-tenant", "s3cret-of-the-offer", from);
    // Nothing went out without it.
    expect(host.server.received.slice(from).every(({ headers }) => headers["x-tenant"])).toBe(true);
    await verdictOn(host.server, 9, from);
  });

  it("does the same offer once, also after a restart, and says again what became of it", async () => {
    const host = await supervisorHost(able);
    await host.startHealthy();
    const offer = offerOf(5, headersOf({ "x-tenant": "green" }));
    host.server.push(offer);
    await verdictOn(host.server, 5);
    const supervisor = await host.restart();
    host.server.push({ ...offer, flags: 1n });
    await verdictOn(host.server, 5, host.server.mark);
    await host.apply(host.remotePipeline());
    expect(supervisor.lines.filter(({ event }) => event === "connection_settings_received")).toEqual([]);
  });

  it("goes back to the connection that it left for the same server, when that refuses the new one", async () => {
    const host = await supervisorHost({ ...able, server: "down" });
    const server = await host.startServer({
      refuse: ({ headers: { "x-token": token } }) =>
        token === undefined || token === "good" ? undefined : 401,
    });
    await host.startHealthy();
    server.push(offerOf(1, headersOf({ "x-token": "bad" })));
    expect(await verdictOn(server, 1)).toContain("401");
    // It was never left: the new one was refused before it had said anything.
    expect(server.received.some(({ message }) => message.agentDisconnect)).toBe(false);
    server.push(offerOf(2, headersOf({ "x-token": "good" })));
    await verdictOn(server, 2);
    expect(statusesOf(server, 2)).toEqual(["APPLYING", "APPLIED"]);
  });

  it.each([
    ["ws", "http"],
    ["http", "ws"],
  ] as const)("AT1 switches from %s to %s", async (before, after) => {
    const heartbeat = { heartbeatIntervalSeconds: 1n };
    const host = await supervisorHost({ ...able, transport: before });
    const supervisor = await host.startHealthy();
    host.server.push(offerOf(1, { ...endpointOf(host.ports.opamp, after), ...heartbeat }));
    await supervisor.waitFor("connection_settings_applied", { timeoutMs: 40_000 });
    await verdictOn(host.server, 1);
    expect(host.server.openConnections).toBe(after === "ws" ? 1 : 0);
    await host.apply(host.remotePipeline());
  });

  it("P6 takes a heartbeat alone without leaving the connection, and nobody offline by a zero", async () => {
    const host = await supervisorHost(able);
    await host.startHealthy();
    host.server.push(offerOf(1, { heartbeatIntervalSeconds: 1n }));
    await verdictOn(host.server, 1);
    host.server.push(offerOf(2, { ...headersOf({ "x-tenant": "blue" }), heartbeatIntervalSeconds: 0n }));
    await verdictOn(host.server, 2);
    const from = host.server.mark;
    await host.server.until("two heartbeats", () => host.server.mark >= from + 2);
    expect(host.server.openConnections).toBe(1);
    const connections = new Set(host.server.received.map(({ connection }) => connection));
    expect(connections.size).toBe(2);
  });

  it.each([
    [
      "turns verification off",
      { destinationEndpoint: "wss://127.0.0.1:1/", tls: { insecureSkipVerify: true } },
    ],
    ["is no URL", { destinationEndpoint: "nowhere" }],
    ["has a certificate of which the key is missing", { certificate: { cert: new Uint8Array([1]) } }],
    ["names a proxy that cannot be used", { proxy: { url: "socks4://127.0.0.1:1" } }],
  ] as const)("is refused when it %s, and the connection stays", async (_what, opamp) => {
    const host = await supervisorHost(able);
    await host.startHealthy();
    host.server.push(offerOf(8, opamp));
    expect(await verdictOn(host.server, 8)).not.toBe("");
    expect(statusesOf(host.server, 8)).toEqual(["FAILED"]);
    expect(host.server.openConnections).toBe(1);
    expect(new Set(host.server.received.map(({ connection }) => connection)).size).toBe(1);
  });

  it("AN18 has a status with own telemetry too, alone and beside the rest", async () => {
    const host = await supervisorHost(able);
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    const ownMetrics = { destinationEndpoint: `${host.sink.exporter.endpoint}/v1/metrics` };
    host.server.push({ connectionSettings: { hash: new Uint8Array([1]), ownMetrics } });
    expect(await verdictOn(host.server, 1)).toBe("");
    expect(statusesOf(host.server, 1)).toEqual(["APPLYING", "APPLIED"]);
    const opamp = headersOf({ "x-tenant": "blue" });
    host.server.push({ connectionSettings: { hash: new Uint8Array([2]), opamp, ownMetrics } });
    expect(await verdictOn(host.server, 2)).toBe("");
    expect(statusesOf(host.server, 2)).toEqual(["APPLYING", "APPLIED"]);
  });

  it("an edit of the server section of supervisor.yaml wins over what was kept", async () => {
    const host = await supervisorHost(able);
    const supervisor = await host.startHealthy();
    await using other = await RecordingOpampServer.start();
    host.server.push(offerOf(1, endpointOf(other.port)));
    await verdictOn(other, 1);
    await supervisor.kill("SIGUSR2");
    const endpoint = { endpoint: `ws://127.0.0.1:${host.ports.opamp}/v1/opamp` };
    await host.writeSettings({}, {}, { server: { ...endpoint, headers: { "x-edited": "yes" } } });
    const next = await host.start();
    await next.waitFor("connection_settings_superseded");
    await sawHeader(host.server, "x-edited", "yes");
    await next.kill("SIGUSR2");
    // And it is not forgotten at the one after.
    const last = await host.start();
    await last.waitFor("connected_to_server");
    expect(last.lines.some(({ event }) => event === "connection_settings_superseded")).toBe(false);
  });

  it("is not even looked at without the capability", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    await using other = await RecordingOpampServer.start();
    host.server.push(offerOf(1, endpointOf(other.port)));
    await host.apply(host.remotePipeline());
    expect(other.received).toEqual([]);
  });
});
