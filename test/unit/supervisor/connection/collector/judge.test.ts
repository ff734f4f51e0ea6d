import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  ConnectionSettingsOffersSchema,
  TelemetryConnectionSettingsSchema,
} from "../../../../../src/opamp/messages.ts";
import { judgeTelemetry } from "../../../../../src/supervisor/connection/collector/judge.ts";
import { TestAuthority } from "../../../../support/test-authority.ts";

type Signal = MessageInitShape<typeof TelemetryConnectionSettingsSchema>;

const authority = await TestAuthority.create();
const client = await authority.issue();
const other = await authority.issue();
const expired = await authority.issue({ notAfter: new Date(Date.now() - 1_000) });
const bytes = (text: string) => new TextEncoder().encode(text);

function judge(ownMetrics: Signal, allowHttp = false): void {
  const settings = create(TelemetryConnectionSettingsSchema, ownMetrics);
  const offers = create(ConnectionSettingsOffersSchema, { ownMetrics: settings });
  judgeTelemetry(offers, { allowHttp, now: Date.now() });
}

const at = "https://telemetry.example/v1/metrics";

describe("an offer of own telemetry", () => {
  it.each<[string, Signal]>([
    ["https", { destinationEndpoint: at }],
    ["http on this host", { destinationEndpoint: "http://127.0.0.1:4318/v1/metrics" }],
    ["http on this host, IPv6", { destinationEndpoint: "http://[::1]:4318/v1/metrics" }],
    ["nothing, which ends it", { destinationEndpoint: "" }],
    [
      "an authority and a certificate",
      {
        destinationEndpoint: at,
        tls: { caPemContents: authority.cert, minVersion: "1.2", maxVersion: "TLSv1.3" },
        certificate: { cert: bytes(client.cert), privateKey: bytes(client.key) },
      },
    ],
  ])("can have %s", (_what, signal) => {
    expect(() => judge(signal)).not.toThrow();
  });

  it("can have http to another host where this one allows it (AN15)", () => {
    const signal = { destinationEndpoint: "http://telemetry.example/v1/metrics" };
    expect(() => judge(signal)).toThrow(/^own metrics: its endpoint is http, .*allow_http/);
    expect(() => judge(signal, true)).not.toThrow();
  });

  it.each<[string, Signal, RegExp]>([
    ["no URL", { destinationEndpoint: "telemetry.example:4318" }, /not an http or https URL/],
    [
      "credentials in its URL",
      { destinationEndpoint: "https://u:p@telemetry.example/" },
      /has a user or a query/,
    ],
    [
      "verification off",
      { destinationEndpoint: at, tls: { insecureSkipVerify: true } },
      /turn the verification .* off/,
    ],
    [
      "no PEM",
      { destinationEndpoint: at, tls: { caPemContents: "x" } },
      /its authority is not 1 to 10 certificates/,
    ],
    [
      "TLS 1.3 at least",
      { destinationEndpoint: at, tls: { minVersion: "1.3" } },
      /TLS 1.3 or higher, which the Collector has no setting for/,
    ],
    ["TLS 1.2 at most", { destinationEndpoint: at, tls: { maxVersion: "1.2" } }, /TLS 1.2 or lower, which/],
    [
      "cipher suites",
      { destinationEndpoint: at, tls: { cipherSuites: ["TLS_AES_128_GCM_SHA256"] } },
      /cipher suites, which/,
    ],
    [
      "a proxy",
      { destinationEndpoint: at, proxy: { url: "http://proxy:3128" } },
      /a proxy, .*set HTTPS_PROXY in agent.env/,
    ],
    [
      "a header that cannot be sent",
      { destinationEndpoint: at, headers: { headers: [{ key: "a b", value: "" }] } },
      /header whose name or value/,
    ],
    [
      "a certificate without its key",
      { destinationEndpoint: at, certificate: { cert: bytes(client.cert) } },
      /comes without a private key/,
    ],
    [
      "another's key",
      { destinationEndpoint: at, certificate: { cert: bytes(client.cert), privateKey: bytes(other.key) } },
      /do not belong together/,
    ],
    [
      "an expired certificate",
      { destinationEndpoint: at, certificate: { cert: bytes(expired.cert), privateKey: bytes(expired.key) } },
      /has expired/,
    ],
  ])("is refused with %s", (_what, signal, reason) => {
    expect(() => judge(signal)).toThrow(reason);
  });
});
