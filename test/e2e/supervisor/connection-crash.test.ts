import { X509Certificate } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ConnectionRecord } from "../../../src/supervisor/connection/connection-record.ts";
import {
  endpointOf,
  headersOf,
  type OpampOffer,
  offerOf,
  statusesOf,
} from "../../support/connection-offers.ts";
import { eventually } from "../../support/eventually.ts";
import { issueCertificates, issuingPki } from "../../support/issuing-server.ts";
import type { LaunchedProcess } from "../../support/launched-process.ts";
import { RecordingOpampServer } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const preload = fileURLToPath(new URL("../../support/fault-preload.cjs", import.meta.url));

interface Enumeration {
  offer: (other: RecordingOpampServer) => OpampOffer;
  outcome: "APPLIED" | "FAILED";
  /** Which server it comes to talk to. */
  stays: boolean;
}

function start(host: SupervisorHost): Promise<LaunchedProcess> {
  const fault = join(host.dir, "fault.json");
  return host.start({ NODE_OPTIONS: `--require=${preload}`, OPAMP_TEST_FAULT: fault });
}

/** What it must never do is to begin with what no server has answered. */
const isGood = (token: string | string[] | undefined) => token === undefined || token === "good";

/**
 * Makes an offer to one host after the other. Each supervisor dies one file later than the one before. Resolves to
 * the files of a change that was let finish.
 */
async function dieLaterAndLater({ offer, outcome, stays }: Enumeration): Promise<number> {
  for (let write = 1; ; write += 1) {
    const host = await supervisorHost({
      capabilities: { accepts_opamp_connection_settings: true },
      server: "down",
    });
    await host.startServer({
      refuse: ({ headers: { "x-token": token } }) => (isGood(token) ? undefined : 401),
    });
    await using other = await RecordingOpampServer.start();
    const supervisor = await start(host);
    await host.server.reported("health", ({ healthy }) => healthy);
    const pid = host.collectorPid();
    const fault = join(host.dir, "fault.json");
    writeFileSync(fault, JSON.stringify({ write, journal: "connection_journal.json", signal: "SIGKILL" }));
    // As servers do: now, and whenever the status is of another offer.
    const message = offerOf(1, offer(other));
    for (const server of [host.server, other]) {
      server.answer = ({ message: { connectionSettingsStatus: status } }) =>
        status === undefined || status.lastConnectionSettingsHash[0] === 1 ? {} : message;
    }
    host.server.push(message);
    const final = stays ? host.server : other;
    const said = () => statusesOf(final, 1).at(-1) === outcome;
    const settled = async () => {
      await final.until(outcome, said);
      await eventually("nothing is left to do", async () => {
        const left = [
          await host.readState("connection_journal.json"),
          await host.readState("connection_candidate.json"),
        ];
        return left.every((text) => text === "null\n");
      });
    };
    await Promise.race([settled(), supervisor.exited]);
    rmSync(fault);
    const { signal } = await supervisor.kill("SIGTERM");
    if (signal === null) return write - 1;
    const next = await start(host);
    await next.waitFor("started");
    try {
      host.server.push(message);
      await settled();
      // The Collector has not noticed.
      expect(host.collectorPid()).toBe(pid);
      expect(await host.collectors()).toEqual([pid]);
      const last = await host.restart();
      await last.waitFor("connected_to_server");
      expect(last.lines.some(({ event }) => event === "server_connection_failed")).toBe(false);
    } catch (cause) {
      const lines = JSON.stringify(host.logLines.slice(-30), undefined, 1);
      throw new Error(`killed after file ${write}: ${String(cause)}\n${lines}`, { cause });
    }
    await host.group.stop();
  }
}

/** The same for the first certificate of its own, from the key that is made for it on. */
async function dieWhileCertified(): Promise<number> {
  for (let write = 1; ; write += 1) {
    const pki = await issuingPki();
    const host = await supervisorHost({
      capabilities: { accepts_opamp_connection_settings: true },
      server: "down",
    });
    const endpoint = `wss://127.0.0.1:${host.ports.opamp}/v1/opamp`;
    const server = { endpoint, tls: pki.bootstrapTls, certificate: { request: true } };
    await host.writeSettings({}, {}, { server });
    issueCertificates(await host.startServer(pki.serverOptions), pki.agentAuthority);
    const fault = join(host.dir, "fault.json");
    writeFileSync(fault, JSON.stringify({ write, since: "certificate_request.json", signal: "SIGKILL" }));
    const supervisor = await start(host);
    const settled = async () => {
      const kept = await eventually("a certificate is kept and nothing is left to do", async () => {
        const files = ["connection_journal", "connection_candidate", "certificate_request"];
        const left = await Promise.all(files.map((name) => host.readState(`${name}.json`)));
        const record = JSON.parse(await host.readState("connection_settings.json")) as ConnectionRecord;
        return left.every((text) => text === "null\n") && record.kept?.overrides.certificate?.cert;
      });
      const serial = new X509Certificate(kept).serialNumber;
      await host.server.until("it is shown", () => pki.shown.at(-1) === serial);
    };
    await Promise.race([settled(), supervisor.exited]);
    rmSync(fault, { force: true });
    const { signal } = await supervisor.kill("SIGTERM");
    if (signal === null) return write - 1;
    const next = await start(host);
    try {
      await next.waitFor("started");
      await settled();
      const from = host.server.mark;
      host.server.push({ flags: 1n });
      await host.server.reported("health", ({ healthy }) => healthy, from);
    } catch (cause) {
      const lines = JSON.stringify(host.logLines.slice(-30), undefined, 1);
      throw new Error(`killed after file ${write}: ${String(cause)}\n${lines}`, { cause });
    }
    await host.group.stop();
  }
}

describe("a supervisor killed after each file that it replaces for offered connection settings", () => {
  it("AN4 comes to use good headers for the same server", { timeout: 120_000 }, async () => {
    const offer = () => headersOf({ "x-token": "good" });
    expect(await dieLaterAndLater({ offer, outcome: "APPLIED", stays: true })).toBeGreaterThan(6);
  });

  it("AN4 comes to talk to another server", { timeout: 120_000 }, async () => {
    const offer = (other: RecordingOpampServer) => endpointOf(other.port);
    expect(await dieLaterAndLater({ offer, outcome: "APPLIED", stays: false })).toBeGreaterThan(6);
  });

  it("AN4 stays where it is when the offer is refused", { timeout: 120_000 }, async () => {
    const offer = () => headersOf({ "x-token": "bad" });
    expect(await dieLaterAndLater({ offer, outcome: "FAILED", stays: true })).toBeGreaterThan(5);
  });

  it("AN19 comes to use a certificate of its own", { timeout: 120_000 }, async () => {
    expect(await dieWhileCertified()).toBeGreaterThan(8);
  });
});
