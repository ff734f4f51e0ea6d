import { getCiphers } from "node:tls";
import { describe, expect, it } from "vitest";
import { opensslCipher, opensslCurve } from "../../../../src/supervisor/connection/tls-names.ts";

describe("names of cipher suites", () => {
  it.each([
    ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
    ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"],
    ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"],
    ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"],
    ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256"],
    ["TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"],
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
  ])("%s is one that this runtime has", (name, openssl) => {
    expect(opensslCipher(name)).toBe(openssl);
    expect(getCiphers()).toContain(openssl.toLowerCase());
  });

  it("knows Go's names of curves", () => {
    expect(["X25519", "P256", "P384"].map(opensslCurve)).toEqual(["X25519", "prime256v1", "secp384r1"]);
  });
});
