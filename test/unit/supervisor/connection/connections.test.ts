import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../support/manual-clock.ts";
import type { ScriptedOpampServer } from "../../../support/scripted-opamp-server.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { offer, passing, settingsOf, startAgent, startServer, until } from "./connections-fixture.ts";

const token = (value: string) => ({ headers: { headers: [{ key: "x-token", value }] } });
const endpoint = (server: ScriptedOpampServer, transport: "ws" | "http" = "ws") => ({
  destinationEndpoint: server.url(transport).href,
});
/** Stands for another value each time. */
const renewed = `headers: {a: "$\{env:TOKEN}"}`;
/** Answers, but not to agents with this token. */
function silentTo(server: ScriptedOpampServer, value: string): void {
  server.reply = ({ headers }) => (headers["x-token"] === value ? "silence" : { message: {} });
}
const tokensOf = (server: ScriptedOpampServer) => server.received.map(({ headers }) => headers["x-token"]);

describe("the connection to the server", () => {
  it("AN4 is left for the same server only when that is reached, and made again when it does not answer", async () => {
    const server = await startServer();
    silentTo(server, "silent");
    const agent = await startAgent(server.url("ws"));
    await server.next();
    server.push(offer(1, token("silent")));
    await until(() => tokensOf(server).includes("silent"));
    // The first one has said good-bye before, so that the server never sees two of this agent.
    const goodbye = server.received.findIndex(({ message }) => message.agentDisconnect !== undefined);
    expect(goodbye).toBeGreaterThan(0);
    expect(goodbye).toBeLessThan(tokensOf(server).indexOf("silent"));
    expect(agent.statuses).toEqual(["APPLYING 1"]);
    agent.clock.advance(15_000);
    await until(() => agent.statuses.length === 2);
    expect(agent.statuses[1]).toBe("FAILED 1: the server did not answer within 15 s");
    await until(() => server.received.at(-1)?.message.connectionSettingsStatus?.status === 3);
    expect(tokensOf(server).at(-1)).toBeUndefined();
    expect(server.webSockets.size).toBe(1);
  });

  it("AN3 stays to another server as long as the offered one has not answered, even over HTTP", async () => {
    const [server, other] = [await startServer(), await startServer()];
    other.reply = () => "silence";
    const agent = await startAgent(server.url("ws"));
    await server.next();
    server.push(offer(1, endpoint(other, "http")));
    await other.next();
    expect(server.webSockets.size).toBe(1);
    expect(server.received.some(({ message }) => message.agentDisconnect)).toBe(false);
    await passing(agent.clock, () => agent.statuses[1]?.startsWith("FAILED 1") === true);
    expect(server.received.some(({ message }) => message.agentDisconnect)).toBe(false);
  });

  it("loses nothing that the new server says before the old one is left", async () => {
    const [server, other] = [await startServer(), await startServer()];
    other.reply = () => ({ message: { remoteConfig: { configHash: new Uint8Array([5]) } } });
    const agent = await startAgent(server.url("ws"));
    await server.next();
    server.push(offer(1, endpoint(other)));
    await until(() => agent.statuses.includes("APPLIED 1"));
    expect(agent.configs[0]?.configHash).toEqual(new Uint8Array([5]));
  });

  it("is the newest that was offered, where several offers come while one is being tried", async () => {
    const [server, slow, last] = [await startServer(), await startServer(), await startServer()];
    slow.reply = () => "silence";
    const agent = await startAgent(server.url("ws"));
    await server.next();
    server.push(offer(1, endpoint(slow)));
    await slow.next();
    server.push(offer(2, token("never")));
    server.push(offer(3, endpoint(last)));
    await server.until(() => server.webSockets.size === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    agent.clock.advance(15_000);
    await until(() => agent.statuses.includes("APPLIED 3"));
    expect(agent.statuses.map((status) => status.slice(0, 10).trim())).toEqual([
      "APPLYING 1",
      "FAILED 1:",
      "APPLYING 3",
      "APPLIED 3",
    ]);
    expect(tokensOf(last)).not.toContain("never");
  });

  it("is told about again, but not in every answer, and tried again only much later", async () => {
    const server = await startServer();
    silentTo(server, "silent");
    const agent = await startAgent(server.url("ws"));
    await server.next();
    const again = offer(1, token("silent"));
    server.push(again);
    await until(() => tokensOf(server).includes("silent"));
    agent.clock.advance(15_000);
    await until(() => agent.statuses.length === 2);
    await until(() => server.received.at(-1)?.message.connectionSettingsStatus?.status === 3);
    await agent.idle();
    const tried = () => server.upgradeHeaders.filter((headers) => headers["x-token"] === "silent").length;
    const offered = async () => {
      const before = agent.statuses.length;
      server.push(again);
      server.push({ remoteConfig: { configHash: new Uint8Array([1]) } });
      const configs = agent.configs.length;
      await until(() => agent.configs.length > configs);
      return agent.statuses.slice(before).map((status) => status.slice(0, 8));
    };
    expect(await offered()).toEqual([]);
    agent.clock.advance(10_000);
    expect(await offered()).toEqual(["APPLYING", "FAILED 1"]);
    expect(tried()).toBe(1);
    agent.clock.jump(10 * 60_000);
    await offered();
    await until(() => tried() === 2);
  });

  it("is made by supervisor.yaml when what was kept cannot be read any more", async () => {
    const server = await startServer();
    const path = tempDir();
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "connection_settings.json"), '{"kept": {"overri');
    const agent = await startAgent(server.url("ws"), { path });
    await server.next();
    expect(agent.events).toContain("state_corrupt");
  });

  it("AN4 is found by an earlier candidate when the server takes what was kept no more", async () => {
    const server = await startServer();
    server.refuseUpgrade = () =>
      server.upgradeHeaders.at(-1)?.["x-token"] === "new" ? undefined : { status: 401 };
    const path = tempDir();
    const basis = settingsOf(server.url("ws")).server.digest;
    const state = {
      id: "m",
      offer: { hash: "01", key: "01" },
      overrides: { headers: { "x-token": "new" } },
      basis,
    };
    const entry = { kind: "connection", id: "m", detail: {}, step: "proving", attempt: 1 };
    writeFileSync(join(path, "connection_candidate.json"), JSON.stringify(state));
    writeFileSync(join(path, "connection_journal.json"), JSON.stringify(entry));
    const agent = await startAgent(server.url("ws"), { path });
    await until(() => agent.statuses.includes("APPLIED 1"));
    expect(server.upgradeHeaders[0]?.["x-token"]).toBeUndefined();
    expect(tokensOf(server)).toEqual(tokensOf(server).map(() => "new"));
  });

  it("AN4 is not left for a candidate in which two supervisors died", async () => {
    const server = await startServer();
    const path = tempDir();
    const basis = settingsOf(server.url("ws")).server.digest;
    const state = {
      id: "m",
      offer: { hash: "01", key: "01" },
      overrides: { headers: { "x-token": "new" } },
      basis,
    };
    const entry = { kind: "connection", id: "m", detail: {}, step: "proving", attempt: 2 };
    writeFileSync(join(path, "connection_candidate.json"), JSON.stringify(state));
    writeFileSync(join(path, "connection_journal.json"), JSON.stringify(entry));
    const agent = await startAgent(server.url("ws"), { path });
    await until(() => agent.statuses[0]?.startsWith("FAILED 1") === true);
    expect(agent.statuses[0]).toContain("ended 2 times");
    expect(tokensOf(server)).not.toContain("new");
  });

  it("changes over a restart by an edit, and not by a token that a reference stands for", async () => {
    const server = await startServer();
    const path = tempDir();
    const first = await startAgent(server.url("ws"), { path, env: { TOKEN: "1" }, server: [renewed] });
    await server.next();
    server.push(offer(1, token("kept")));
    await until(() => first.statuses.includes("APPLIED 1"));
    await first.stop();
    expect(readFileSync(join(path, "connection_settings.json"), "utf8")).toContain("kept");
    const from = server.received.length;
    const headers = [renewed, "fallback_after: 2h"];
    const second = await startAgent(server.url("ws"), { path, env: { TOKEN: "2" }, server: headers });
    await server.until(() => server.received.length > from);
    expect(tokensOf(server).slice(from)).toContain("kept");
    await second.stop();
    const later = server.received.length;
    const third = await startAgent(server.url("ws"), { path, server: ["headers: {a: other}"] });
    await server.until(() => server.received.length > later);
    expect(tokensOf(server).slice(later)).not.toContain("kept");
    expect(third.events).toContain("connection_settings_superseded");
    await third.stop();
    expect(readFileSync(join(path, "connection_settings.json"), "utf8")).not.toContain('"x-token"');
  });
});

describe("server.fallback_after", () => {
  it("brings back supervisor.yaml after an hour, tries the kept server every few minutes, and returns to it", async () => {
    const [server, other] = [await startServer(), await startServer()];
    const agent = await startAgent(server.url("ws"));
    await server.next();
    server.push(offer(1, endpoint(other)));
    await until(() => agent.statuses.includes("APPLIED 1"));
    const before = server.connections;
    other.refuseUpgrade = () => ({ status: 502 });
    other.dropAll();
    const seconds = async (count: number) => {
      for (let passed = 0; passed < count; passed += 30) {
        agent.clock.advance(30_000);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    await until(() => agent.events.includes("server_disconnected"));
    await seconds(3_500);
    expect(server.connections).toBe(before);
    // How much of the time had passed before the loss was noticed is the machine's affair.
    await passing(agent.clock, () => agent.events.includes("connection_fallback"));
    await server.until(() => server.connections === before + 1);
    expect(agent.statuses.at(-1)).toContain("FAILED 1: the settings of supervisor.yaml are used");
    await passing(agent.clock, () => agent.events.includes("connection_retry_failed"));
    other.refuseUpgrade = undefined;
    await passing(agent.clock, () => agent.events.includes("connection_restored"));
    expect(agent.statuses.at(-1)).toBe("APPLIED 1");
    await until(() => server.webSockets.size === 0);
    expect(other.webSockets.size).toBe(1);
  });

  it("is no reason to leave a server that is only away for a while, nor ever when it is 0", async () => {
    for (const lines of [["fallback_after: 0"], ["fallback_after: 3h"]]) {
      const [server, other] = [await startServer(), await startServer()];
      const clock = new ManualClock();
      const agent = await startAgent(server.url("ws"), { server: lines, clock });
      await server.next();
      server.push(offer(1, endpoint(other)));
      await until(() => agent.statuses.includes("APPLIED 1"));
      other.dropAll();
      await until(() => agent.events.includes("server_disconnected"));
      clock.advance(2 * 3_600_000);
      await until(() => other.webSockets.size === 1);
      clock.advance(24 * 3_600_000);
      expect(agent.events).not.toContain("connection_fallback");
      await agent.stop();
    }
  });
});
