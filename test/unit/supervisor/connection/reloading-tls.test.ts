import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type LogFields, type Logger, silentLogger } from "../../../../src/foundation/logger.ts";
import { reloadingTls } from "../../../../src/supervisor/connection/reloading-tls.ts";
import { sessionSettings } from "../../../../src/supervisor/connection/session-settings.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { makeCertificates } from "../../opamp/agent/certificates.ts";
import { makeSession, startServer } from "../../opamp/agent/session-fixture.ts";
import { load } from "../settings/support.ts";

type Certificates = Awaited<ReturnType<typeof makeCertificates>>;
let before: Certificates;
let after: Certificates;
beforeAll(async () => {
  [before, after] = await Promise.all([makeCertificates(), makeCertificates()]);
});

/** The files of one supervisor, and its settings that name them. */
function host(interval: string) {
  const dir = tempDir();
  const write = ({ ca, client }: Certificates) => {
    writeFileSync(join(dir, "ca.pem"), ca);
    writeFileSync(join(dir, "client.pem"), client.cert);
    writeFileSync(join(dir, "client.key"), client.key);
  };
  const file = (name: string) => join(dir, name);
  const text = `server:
  endpoint: wss://127.0.0.1:1
  tls:
    ca_file: ${file("ca.pem")}
    cert_file: ${file("client.pem")}
    key_file: ${file("client.key")}
    ${interval}
agent: {executable: /otelcol}
`;
  return { file, write, settings: load(text).settings };
}

function recordingLogger(): { logger: Logger; events: string[] } {
  const events: string[] = [];
  const note = ({ event }: LogFields) => void events.push(event);
  return { logger: { ...silentLogger, info: note, warn: note }, events };
}

describe("server.tls whose files somebody renews", () => {
  it.each(["ws", "http"] as const)(
    "connects over %ss with the certificate that was put there meanwhile",
    async (transport) => {
      const { write, settings } = host("reload_interval: 1m");
      write(before);
      const clock = new ManualClock();
      const { logger, events } = recordingLogger();
      const { tls } = sessionSettings(settings, { clock, logger })({});
      // It trusts the new authority only, and is only trusted by it.
      const { server: own, ca } = after;
      const server = await startServer({ tls: { ...own, ca, requestCert: true, rejectUnauthorized: true } });
      const connect = async (outcome: "connected" | "failed") => {
        const fixture = makeSession(server.url(transport), { settings: { tls: tls! } });
        fixture.session.start();
        await fixture.event(outcome);
      };
      await connect("failed");
      write(after);
      await connect("failed");
      clock.advance(60_000);
      await connect("connected");
      expect(events).toEqual(["tls_reloaded"]);
    },
  );

  it("keeps what it has while a renewal is half done, and takes it when it is whole", async () => {
    const { write, file, settings } = host("reload_interval: 1m");
    write(before);
    const clock = new ManualClock();
    const { logger, events } = recordingLogger();
    const tls = reloadingTls(settings.server.tls, { clock, logger });
    writeFileSync(file("client.pem"), after.client.cert);
    clock.advance(60_000);
    expect(tls()).toMatchObject(before.client);
    writeFileSync(file("client.key"), after.client.key);
    // The next look is an interval later.
    expect(tls()).toMatchObject(before.client);
    writeFileSync(file("ca.pem"), "");
    clock.advance(60_000);
    expect(tls()).toMatchObject({ ...before.client, ca: before.ca });
    writeFileSync(file("ca.pem"), after.ca);
    clock.advance(60_000);
    expect(tls()).toMatchObject({ ...after.client, ca: after.ca });
    expect(events).toEqual(["tls_reload_failed", "tls_reload_failed", "tls_reloaded"]);
  });

  it("is read for every connect without reload_interval, and complained about once", () => {
    const { write, file, settings } = host("");
    write(before);
    const { logger, events } = recordingLogger();
    const tls = reloadingTls(settings.server.tls, { clock: new ManualClock(), logger });
    const first = tls();
    expect(tls()).toBe(first);
    writeFileSync(file("client.pem"), after.client.cert);
    for (const _dial of [1, 2]) expect(tls()).toBe(first);
    write(after);
    expect(tls()).toMatchObject({ ...after.client, ca: after.ca });
    expect(events).toEqual(["tls_reload_failed", "tls_reloaded"]);
  });

  it("is told of when certificate and key do not fit at the start, and used when they do", () => {
    const { write, file, settings } = host("reload_interval: 24h");
    write(before);
    writeFileSync(file("client.key"), after.client.key);
    const logs: LogFields[] = [];
    const note = (fields: LogFields) => void logs.push(fields);
    const logger: Logger = { ...silentLogger, info: note, warn: note, error: note };
    const tls = reloadingTls(settings.server.tls, { clock: new ManualClock(), logger });
    tls();
    expect(logs).toMatchObject([
      { event: "tls_unusable", error: expect.stringContaining("do not belong together") },
      { event: "tls_reload_failed" },
    ]);
    write(before);
    expect(tls()).toMatchObject(before.client);
    expect(logs.at(-1)?.event).toBe("tls_reloaded");
  });

  it("is read once with an interval of 0", () => {
    const { write, settings } = host("reload_interval: 0");
    write(before);
    const clock = new ManualClock();
    const tls = reloadingTls(settings.server.tls, { clock, logger: silentLogger });
    write(after);
    clock.advance(1e9);
    expect(tls()).toMatchObject(before.client);
  });
});
