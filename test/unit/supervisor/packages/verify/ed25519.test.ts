import { generateKeyPairSync, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Ed25519Check } from "../../../../../src/supervisor/packages/verify/ed25519.ts";

const order = 2n ** 252n + 27742317777372353535851937790883648493n;

const rawKey = (key: KeyObject) => Buffer.from(key.export({ format: "jwk" }).x!, "base64url");

function check(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  const ours = new Ed25519Check(publicKey, signature);
  const cut = Math.floor(message.length / 3);
  ours.update(message.subarray(0, cut));
  ours.update(message.subarray(cut));
  return ours.passes();
}

function addOrder(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString("hex")}`) + order;
  const bytes = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}

describe("Ed25519Check", () => {
  // RFC 8032, section 7.1, tests 1 to 3.
  it.each([
    [
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
  ])("takes the signature of the standard's test key %s", (key, message, signature) => {
    const [k, m, s] = [key, message, signature].map((hex) => Buffer.from(hex, "hex"));
    expect(check(k!, s!, m!)).toBe(true);
  });

  it("agrees with node:crypto on good signatures and on every kind of altered one", () => {
    for (let round = 0; round < 8; round += 1) {
      const { publicKey, privateKey } = generateKeyPairSync("ed25519");
      const message = randomBytes(round * 37);
      const good = sign(null, message, privateKey);
      const flipped = Buffer.from(good);
      flipped[round * 8]! ^= 1 << round;
      const otherMessage = Buffer.concat([message, Buffer.from([0])]);
      const cases: [Buffer, Buffer, boolean][] = [
        [good, message, true],
        [flipped, message, false],
        [good, otherMessage, false],
        [Buffer.from(addOrder(good)), message, false],
        [randomBytes(64), message, false],
        [Buffer.alloc(64), message, false],
        [Buffer.alloc(64, 0xff), message, false],
      ];
      for (const [signature, signed, expected] of cases) {
        expect(verify(null, signed, publicKey, signature)).toBe(expected);
        expect(check(rawKey(publicKey), signature, signed)).toBe(expected);
      }
      const other = generateKeyPairSync("ed25519").publicKey;
      expect(check(rawKey(other), good, message)).toBe(false);
    }
  });

  it("takes no signature by a key that is no point of the curve", () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const good = sign(null, Buffer.from("x"), privateKey);
    for (const key of [Buffer.alloc(32, 0xff), Buffer.from([2, ...Buffer.alloc(31)]), Buffer.alloc(31)])
      expect(check(key, good, Buffer.from("x"))).toBe(false);
  });
});
