import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { presentTls } from "../../../../src/opamp/agent/settings.ts";
import { OpAMPConnectionSettingsSchema } from "../../../../src/opamp/messages.ts";
import type {
  CertificateRequestRecord,
  Overrides,
} from "../../../../src/supervisor/connection/connection-record.ts";
import { withOffer } from "../../../../src/supervisor/connection/offered-settings.ts";
import { sessionSettings } from "../../../../src/supervisor/connection/session-settings.ts";
import type { OpampOffer } from "../../../support/connection-offers.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { type Credentials, TestAuthority } from "../../../support/test-authority.ts";
import { load } from "../settings/support.ts";

/** What an offer makes of supervisor.yaml with these lines in its server section, and of earlier offers. */
function take(
  offer: OpampOffer,
  server: string[] = [],
  overrides: Overrides = {},
  request?: CertificateRequestRecord,
) {
  const lines = [
    server.some((line) => line.startsWith("endpoint")) ? "" : "endpoint: wss://h:1/p",
    "headers: {a: b}",
    ...server,
  ];
  const text = `server:\n${lines.map((line) => `  ${line}\n`).join("")}agent: {executable: /otelcol}\n`;
  const make = sessionSettings(load(text).settings, { clock: new ManualClock(), logger: silentLogger });
  const context = { overrides, current: make(overrides), request };
  const taken = withOffer(context, create(OpAMPConnectionSettingsSchema, offer));
  const settings = make(taken);
  return { taken, settings, tls: presentTls(settings) };
}

const headers = (...entries: [string, string][]): OpampOffer => ({
  headers: { headers: entries.map(([key, value]) => ({ key, value })) },
});

describe("an offer over what is in use", () => {
  it("AN2 AN11 leaves what it does not name as it is", () => {
    const before: Overrides = {
      endpoint: "wss://k:2/q",
      headers: { x: "y" },
      certificate: { cert: "c", key: "k", own: true },
      tls: { ca: "ca", includeSystemCas: false, insecureSkipVerify: false, cipherSuites: [] },
      proxy: { url: "http://proxy:3128/", connectHeaders: {} },
      heartbeatSeconds: 7,
    };
    expect(take({}, [], before).taken).toEqual(before);
    expect(take(headers(["x", "z"]), [], before).taken).toEqual({ ...before, headers: { x: "z" } });
    expect(take({ heartbeatIntervalSeconds: 9n }, [], before).taken).toEqual({
      ...before,
      heartbeatSeconds: 9,
    });
    expect(take({ destinationEndpoint: "wss://l:3/r" }, [], before).taken).toEqual({
      ...before,
      endpoint: "wss://l:3/r",
    });
    expect(take({ tls: { minVersion: "1.3" } }, [], before).taken.tls).toEqual({
      ...before.tls,
      minVersion: "TLSv1.3",
    });
  });

  it("AN9 D1 P6 never switches heartbeats off, nor makes them rarer than once a day", () => {
    expect(take({ heartbeatIntervalSeconds: 0n }).settings.heartbeatIntervalMs).toBe(30_000);
    expect(take({ heartbeatIntervalSeconds: 10n ** 9n }).settings.heartbeatIntervalMs).toBe(86_400_000);
  });

  it("AN7 replaces all headers, and joins those of one name", async () => {
    const { settings } = take(headers(["x", "1"], ["x", "2"]));
    expect(await settings.headers()).toEqual({ x: "1, 2" });
  });

  it("AN12 takes TLS settings, but goes below nothing that supervisor.yaml demands", () => {
    const { tls } = take(
      {
        tls: {
          caPemContents: "offered",
          minVersion: "TLSv1.2",
          cipherSuites: ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
        },
      },
      ['tls: {min_version: "1.3", server_name_override: n, ca_pem: own}'],
    );
    expect(tls).toMatchObject({
      ca: ["offered"],
      minVersion: "TLSv1.3",
      servername: "n",
      rejectUnauthorized: true,
      ciphers: "ECDHE-RSA-AES128-GCM-SHA256",
    });
  });

  it("may go on without verification where supervisor.yaml does, and may begin it", () => {
    const lines = ["tls: {insecure_skip_verify: true}"];
    expect(take({ tls: { insecureSkipVerify: true } }, lines).tls?.rejectUnauthorized).toBe(false);
    expect(take(headers(), lines).tls?.rejectUnauthorized).toBe(false);
    expect(take({ tls: {} }, lines).tls?.rejectUnauthorized).toBe(true);
  });

  it("AN6 takes the URL of another server, and an empty one for that in use", () => {
    const { taken } = take({ destinationEndpoint: "https://k:2/q" });
    expect(taken.endpoint).toBe("https://k:2/q");
    expect(take({ destinationEndpoint: "" }, [], taken).settings.endpoint.href).toBe("https://k:2/q");
    expect(take({ destinationEndpoint: "" }).settings.endpoint.href).toBe("wss://h:1/p");
  });

  it("AN14 trusts no server for the sake of the authority that comes with a certificate", async () => {
    const authority = await TestAuthority.create();
    const { cert, key } = await authority.issue();
    const [pem, privateKey, caCert] = [cert, key, authority.cert].map((text) =>
      new TextEncoder().encode(text),
    );
    const { tls } = take({ certificate: { cert: pem!, privateKey: privateKey!, caCert: caCert! } });
    expect(tls).toMatchObject({ cert, key });
    expect(tls?.ca).toBeUndefined();
  });

  it("may lead from plain text anywhere", () => {
    const { settings } = take({ destinationEndpoint: "http://k:2/" }, ["endpoint: ws://h:1/"]);
    expect(settings.endpoint.href).toBe("http://k:2/");
  });

  it("AN19 takes a certificate for the key that waits for one, and for that in use when it is signed twice", async () => {
    const authority = await TestAuthority.create();
    const [first, second] = await Promise.all([authority.issue(), authority.issue()]);
    const inUse: Overrides = { certificate: { ...first, own: true } };
    const request = { key: second.key, csr: "", keyType: "ec-p256", instanceUid: "" };
    const offerOf = ({ cert }: Credentials) => ({ certificate: { cert: new TextEncoder().encode(cert) } });
    for (const issued of [first, second]) {
      expect(take(offerOf(issued), [], inUse, request).taken.certificate).toEqual({ ...issued, own: true });
    }
    expect(take(offerOf(first), [], inUse).taken.certificate).toEqual({ ...first, own: true });
    const given: Overrides = { certificate: { ...first, own: false } };
    expect(() => take(offerOf(first), [], given)).toThrow("without a private key");
  });

  it("AN13 takes a proxy with its credentials", () => {
    const connectHeaders = { headers: [{ key: "Proxy-Authorization", value: "Bearer s3cret" }] };
    const { settings, taken } = take({ proxy: { url: "proxy:3128", connectHeaders } });
    expect(settings.proxyFor?.(settings.endpoint)).toEqual({
      url: new URL("http://proxy:3128/"),
      connectHeaders: { "Proxy-Authorization": "Bearer s3cret" },
    });
    // Another offer without one keeps it.
    expect(take({}, [], taken).taken.proxy).toEqual(taken.proxy);
  });

  it.each<[string, OpampOffer, RegExp]>([
    ["an endpoint that is none", { destinationEndpoint: "ftp://h" }, /not a ws, wss, http or https URL/],
    ["plain text after TLS", { destinationEndpoint: "ws://h" }, /plain text/],
    ["no verification", { tls: { insecureSkipVerify: true } }, /verification/],
    ["a header with a line break", headers(["x", "1\r\ny: s3cret"]), /cannot be sent/],
    ["a header name with a space", headers(["x y", "s3cret"]), /cannot be sent/],
    ["a TLS version that there is not", { tls: { minVersion: "SSLv3" } }, /TLS version/],
    ["versions in the wrong order", { tls: { minVersion: "1.3", maxVersion: "1.2" } }, /above its highest/],
    ["a key alone", { certificate: { privateKey: new Uint8Array([1]) } }, /without a certificate/],
    ["a certificate alone", { certificate: { cert: new Uint8Array([1]) } }, /without a private key/],
    ["a proxy of another kind", { proxy: { url: "socks4://u:s3cret@p:1" } }, /http, https, socks5/],
    ["a proxy without URL", { proxy: {} }, /no URL/],
    [
      "a header for the proxy that cannot be sent",
      { proxy: { url: "p:1", connectHeaders: { headers: [{ key: "x y", value: "s3cret" }] } } },
      /cannot be sent/,
    ],
  ])("is refused with %s, and the reason names no secret", (_what, offer, reason) => {
    let message = "";
    try {
      take(offer);
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(reason);
    expect(message).not.toContain("s3cret");
  });
});
