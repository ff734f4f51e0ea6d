import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientTls } from "../../../../src/supervisor/connection/client-tls.ts";
import type { TlsSettings } from "../../../../src/supervisor/settings/supervisor-settings.ts";
import type { Credentials } from "../../../support/test-authority.ts";
import { makeCertificates } from "../../opamp/agent/certificates.ts";

const plain: TlsSettings = {
  caFile: undefined,
  caPem: undefined,
  includeSystemCaCertsPool: false,
  certFile: undefined,
  certPem: undefined,
  keyFile: undefined,
  keyPem: undefined,
  minVersion: "1.2",
  maxVersion: undefined,
  cipherSuites: [],
  curvePreferences: [],
  reloadIntervalMs: undefined,
  tpm: { enabled: false, path: undefined, ownerAuth: undefined, auth: undefined },
  insecure: false,
  insecureSkipVerify: false,
  serverNameOverride: undefined,
  pinSha256: [],
};

let certificates: { ca: string; server: Credentials; client: Credentials };
const server = createServer();

beforeAll(async () => {
  certificates = await makeCertificates();
  server.setSecureContext(certificates.server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => server.close());

/** Resolves with the negotiated cipher, or rejects as the handshake does. */
async function handshake(settings: Partial<TlsSettings>): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const socket = connect({
    host: "127.0.0.1",
    port,
    ...clientTls({ ...plain, caPem: certificates.ca, ...settings }),
  });
  try {
    await once(socket, "secureConnect");
    return socket.getCipher().name;
  } finally {
    socket.destroy();
  }
}

const pinOf = (pem: string) =>
  createHash("sha256")
    .update(new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");

describe("clientTls", () => {
  it("trusts the given authority and no other", async () => {
    await expect(handshake({})).resolves.toMatch(/./);
    await expect(handshake({ caPem: undefined })).rejects.toThrow(/unable to verify|self-signed|issuer/);
  });

  it("refuses a server whose key is not pinned, and a pinned one under another name", async () => {
    const pin = pinOf(certificates.server.cert);
    await expect(handshake({ pinSha256: ["b3RoZXI=", pin] })).resolves.toMatch(/./);
    await expect(handshake({ pinSha256: [pinOf(certificates.client.cert)] })).rejects.toThrow("pin_sha256");
    await expect(handshake({ pinSha256: [pin], serverNameOverride: "elsewhere" })).rejects.toThrow(
      "elsewhere",
    );
  });

  it("refuses pins without verification, which would not be looked at", () => {
    expect(() => clientTls({ ...plain, pinSha256: ["x"], insecureSkipVerify: true })).toThrow("pin_sha256");
  });

  it("takes cipher suites by their IANA names", async () => {
    const cipherSuites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"];
    const cipher = await handshake({ maxVersion: "1.2", cipherSuites });
    expect(cipher).toBe("ECDHE-ECDSA-AES256-GCM-SHA384");
  });

  it("never goes below TLS 1.2", () => {
    expect(clientTls({ ...plain, minVersion: "1.0" }).minVersion).toBe("TLSv1.2");
  });

  it("names the key of a file that cannot be read", () => {
    expect(() => clientTls({ ...plain, caFile: "/nowhere/ca.pem" })).toThrow(
      "server.tls.ca_file: cannot read /nowhere/ca.pem",
    );
  });
});
