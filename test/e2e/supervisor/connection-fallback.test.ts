import { describe, expect, it } from "vitest";
import { endpointOf, headersOf, offerOf, statusesOf, verdictOn } from "../../support/connection-offers.ts";
import { issueCertificates, issuingPki } from "../../support/issuing-server.ts";
import { RecordingOpampServer } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

describe("kept connection settings that lead nowhere any more", () => {
  it("make room for supervisor.yaml after fallback_after, and the server is told", async () => {
    const host = await supervisorHost({ capabilities: { accepts_opamp_connection_settings: true } });
    const endpoint = `ws://127.0.0.1:${host.ports.opamp}/v1/opamp`;
    await host.writeSettings({}, {}, { server: { endpoint, fallback_after: "1s" } });
    const supervisor = await host.startHealthy();
    const pid = host.collectorPid();
    const other = await RecordingOpampServer.start();
    host.server.push(offerOf(1, { ...endpointOf(other.port), ...headersOf({ "x-token": "t" }) }));
    await verdictOn(other, 1);
    const from = host.server.mark;
    await other[Symbol.asyncDispose]();
    await supervisor.waitFor("connection_fallback");
    expect(await verdictOn(host.server, 1, from)).toContain("supervisor.yaml");
    expect(statusesOf(host.server, 1, from)).toEqual(["FAILED"]);
    await host.apply(host.remotePipeline());
    expect(host.server.received.at(-1)?.headers["x-token"]).toBeUndefined();
    // A newer offer is welcome, and what it leaves out is as supervisor.yaml says.
    await using third = await RecordingOpampServer.start();
    host.server.push(offerOf(2, endpointOf(third.port)));
    await verdictOn(third, 2);
    expect(third.received.at(-1)?.headers["x-token"]).toBeUndefined();
    expect(host.collectorPid()).toBe(pid);
  });

  it("make room at once, and for another certificate, when theirs has expired meanwhile", async () => {
    const pki = await issuingPki();
    const host = await supervisorHost({
      capabilities: { accepts_opamp_connection_settings: true },
      server: "down",
    });
    const endpoint = `wss://127.0.0.1:${host.ports.opamp}/v1/opamp`;
    const server = { endpoint, tls: pki.bootstrapTls, certificate: { request: true } };
    await host.writeSettings({}, {}, { server });
    await host.startServer(pki.serverOptions);
    let notAfter = new Date(Date.now() + 4_000);
    const issued = issueCertificates(host.server, pki.agentAuthority, () => ({ notAfter }));
    const supervisor = await host.startHealthy();
    await supervisor.waitFor("certificate_renewed");
    await supervisor.kill("SIGUSR2");
    const used = pki.shown.length;
    const before = issued.certificates.length;
    await new Promise((resolve) => setTimeout(resolve, notAfter.getTime() - Date.now() + 50));
    notAfter = new Date(Date.now() + 3_600_000);
    const next = await host.start();
    await next.waitFor("certificate_renewed");
    expect(pki.shown.slice(used)).toContain(pki.bootstrapSerial);
    expect(issued.certificates.length).toBe(before + 1);
    await host.apply(host.remotePipeline());
  });
});
