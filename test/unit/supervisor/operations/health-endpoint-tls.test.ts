import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../../../src/foundation/clock.ts";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { serveHealth } from "../../../../src/supervisor/operations/health-endpoint.ts";
import { eventually } from "../../../support/eventually.ts";
import { freePort } from "../../../support/free-port.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { makeCertificates } from "../../opamp/agent/certificates.ts";
import { load } from "../settings/support.ts";

type Certificates = Awaited<ReturnType<typeof makeCertificates>>;
let before: Certificates;
let after: Certificates;
beforeAll(async () => {
  [before, after] = await Promise.all([makeCertificates(), makeCertificates()]);
});

async function serve(first: Certificates, keys: string, clock: Clock) {
  const dir = tempDir();
  const port = await freePort();
  const write = ({ ca, server }: Certificates) => {
    writeFileSync(join(dir, "ca.pem"), ca);
    writeFileSync(join(dir, "cert.pem"), server.cert);
    writeFileSync(join(dir, "cert.key"), server.key);
  };
  write(first);
  const { settings } = load(`server: {endpoint: ws://h}
agent: {executable: /otelcol}
healthcheck:
  endpoint: 127.0.0.1:${port}
  tls: {cert_file: ${dir}/cert.pem, key_file: ${dir}/cert.key, ${keys.replaceAll("DIR", dir)}}
`);
  const served = await serveHealth(
    settings.healthcheck,
    {
      supervisorWorks: () => true,
      notReady: () => undefined,
      status: () => Promise.reject(new Error("nobody asks for it")),
      metrics: () => [],
    },
    { clock, logger: silentLogger },
  );
  onTestFinished(() => served?.close());
  return { dir, port, write };
}

/** Resolves when the handshake is done and the server has let this client in. */
async function handshake(port: number, trust: Certificates, client?: Certificates["client"]) {
  const socket = connect({ host: "127.0.0.1", port, ca: trust.ca, maxVersion: "TLSv1.2", ...client });
  try {
    await once(socket, "secureConnect");
  } finally {
    socket.destroy();
  }
}

describe("healthcheck.tls", () => {
  it("shows a renewed certificate after reload_interval, and not half of one", async () => {
    const clock = new ManualClock();
    const { port, dir, write } = await serve(before, "reload_interval: 1m", clock);
    await handshake(port, before);
    writeFileSync(join(dir, "cert.pem"), after.server.cert);
    clock.advance(60_000);
    await handshake(port, before);
    write(after);
    clock.advance(60_000);
    await handshake(port, after);
    await expect(handshake(port, before)).rejects.toThrow(/verify|issuer|self-signed|signature/);
  });

  it("lets in the clients of a new authority as soon as its file changes, with client_ca_file_reload", async () => {
    const keys = "client_ca_file: DIR/ca.pem, client_ca_file_reload: true";
    const { port, dir } = await serve(before, keys, systemClock);
    await handshake(port, before, before.client);
    await expect(handshake(port, before, after.client)).rejects.toThrow(/alert|ECONNRESET|disconnected/);
    writeFileSync(join(dir, "ca.pem"), after.ca);
    await eventually("a client of the new authority is let in", () =>
      handshake(port, before, after.client).then(
        () => true,
        () => false,
      ),
    );
  });
});
