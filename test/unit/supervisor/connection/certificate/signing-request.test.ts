import { execFileSync } from "node:child_process";
import { createPublicKey, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { namesAgent } from "../../../../../src/supervisor/connection/certificate/issued.ts";
import { newPrivateKey } from "../../../../../src/supervisor/connection/certificate/key-pair.ts";
import { signingRequest } from "../../../../../src/supervisor/connection/certificate/signing-request.ts";
import { TestAuthority } from "../../../../support/test-authority.ts";

const uid = "018fee23-4a51-7303-a441-73faed7d9deb";

const openssl = (input: string, ...args: string[]) =>
  execFileSync("openssl", args, { input, stdio: ["pipe", "pipe", "pipe"] }).toString();

describe("a certification request (AN19)", () => {
  it.each([
    ["ec-p256", "ecdsa-with-SHA256", "NIST CURVE: P-256"],
    ["ec-p384", "ecdsa-with-SHA384", "NIST CURVE: P-384"],
    ["rsa-2048", "sha256WithRSAEncryption", "Public-Key: (2048 bit)"],
    ["rsa-3072", "sha256WithRSAEncryption", "Public-Key: (3072 bit)"],
  ] as const)("with a key of type %s is what openssl takes for one", async (type, algorithm, publicKey) => {
    const key = await newPrivateKey(type);
    const csr = signingRequest(key, uid);
    const text = openssl(csr, "req", "-verify", "-noout", "-text");
    expect(text).toContain(`Signature Algorithm: ${algorithm}`);
    expect(text).toContain(publicKey);
    expect(text).toMatch(new RegExp(`Subject: CN ?= ?${uid}`));
    expect(text).toContain(`URI:urn:uuid:${uid}`);
    expect(openssl(csr, "req", "-noout", "-pubkey")).toBe(
      createPublicKey(key).export({ type: "spki", format: "pem" }),
    );
  });

  it("is refused by openssl when one bit of it is another", async () => {
    const csr = signingRequest(await newPrivateKey("ec-p256"), uid);
    const der = Buffer.from(csr.replaceAll(/-----.*-----|\n/g, ""), "base64");
    // Within the public key.
    der.writeUInt8(der.readUInt8(120) ^ 1, 120);
    const broken = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
    expect(() => openssl(broken, "req", "-verify", "-noout")).toThrow("Command failed");
  });

  it("leads to a certificate that names the agent (AI8)", async () => {
    const key = await newPrivateKey("ec-p256");
    const authority = await TestAuthority.create();
    const cert = await authority.sign(signingRequest(key, uid));
    expect(new X509Certificate(cert).checkPrivateKey(key)).toBe(true);
    expect(namesAgent(cert, uid)).toBe(true);
    expect(namesAgent(cert, uid.replace("018", "019"))).toBe(false);
  });
});
