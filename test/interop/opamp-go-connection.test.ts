import { describe, expect, it } from "vitest";
import { freePort } from "../support/free-port.ts";
import { Host, type HostOptions, supervisorExecutable } from "./host.ts";
import { type AgentMessage, OpampGoServer } from "./opampgo-server.ts";

/** The statuses of an offer that a server was told, without repetitions. */
function statusesOf(server: OpampGoServer, hash: string | undefined): string[] {
  const told = server.program.events.flatMap((event) => {
    const status = event.event === "message" ? event.connectionSettingsStatus : undefined;
    return status !== undefined && status.hash === hash ? [status.status] : [];
  });
  return told.filter((status, index) => status !== told[index - 1]);
}

/** Resolves to what a server is told of an offer in the end. */
async function verdictOn(server: OpampGoServer, hash: string | undefined): Promise<string> {
  const isVerdict = ({ connectionSettingsStatus: status }: AgentMessage) =>
    status !== undefined && status.hash === hash && status.status !== "APPLYING";
  const { connectionSettingsStatus } = await server.message("a verdict", isVerdict, { from: 0 });
  return `${connectionSettingsStatus?.status} ${connectionSettingsStatus?.error}`.trim();
}

describe.each(["ws", "http"] as const)("connection settings of opamp-go's server over %s", (scheme) => {
  const options: HostOptions = {
    executable: supervisorExecutable,
    scheme,
    capabilities: { accepts_opamp_connection_settings: true },
  };

  it("AN2 AN3 AN4 AN7 AN18 lead to another one once that has answered, and stay where nobody does", async () => {
    await using host = await Host.create(options);
    await using other = await OpampGoServer.start();
    // Over plain HTTP it can speak at a poll only.
    if (scheme === "http") await host.server.send({ cmd: "heartbeat", seconds: 1 });
    host.start();
    await host.alive(host.server.message("a first report", ({ identifying }) => identifying !== undefined));
    const nowhere = `${scheme}://127.0.0.1:${await freePort()}/v1/opamp`;
    const bad = await host.server.send({ cmd: "connection-settings", endpoint: nowhere, seconds: 1 });
    expect(await verdictOn(host.server, bad.hash)).toContain("FAILED");
    const headers = { "X-Zone": "blue" };
    const endpoint = other.endpoint(scheme);
    const good = await host.server.send({ cmd: "connection-settings", endpoint, headers, seconds: 1 });
    expect(await verdictOn(other, good.hash)).toBe("APPLIED");
    expect(statusesOf(host.server, bad.hash)).toEqual(["APPLYING", "FAILED"]);
    // The one that was left heard a good-bye, and the other a full report.
    await host.server.message("good-bye", ({ agentDisconnect }) => agentDisconnect === true);
    const first = await other.message("a report", () => true);
    expect(first.identifying).toBeDefined();
    const shown = other.program.events.find((event) => event.event === "connecting");
    expect(shown?.headers).toMatchObject({ "X-Zone": ["blue"] });
    // Headers alone keep the endpoint; what is left out of the heartbeat takes nobody offline.
    const token = await other.send({ cmd: "connection-settings", headers: { "X-Zone": "green" } });
    expect(await verdictOn(other, token.hash)).toBe("APPLIED");
    const from = other.mark();
    await other.message("a heartbeat", ({ empty }) => empty, { from });
  });
});
