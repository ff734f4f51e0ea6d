import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifySignature } from "../../../../../src/supervisor/packages/verify/verify-signature.ts";
import { loadTrustKeys } from "../../../../../src/supervisor/trust/trust-keys.ts";
import { makeTempDir } from "../../../../support/temp-dir.ts";

const load = (paths: readonly string[]) => loadTrustKeys(paths, "packages.trust.keys");

const kinds = ["ed25519", "p256", "rsa"] as const;
type Kind = (typeof kinds)[number];

const dir = makeTempDir();
const at = (name: string) => join(dir.path, name);
const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });

/** What an operator would type to make a key and to sign a file by it. */
const generate: Record<Kind, string[]> = {
  ed25519: ["-algorithm", "ed25519"],
  p256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  rsa: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
};

function makeKey(name: string, options: string[]): void {
  openssl("genpkey", ...options, "-out", at(`${name}.key`));
  openssl("pkey", "-in", at(`${name}.key`), "-pubout", "-out", at(`${name}.pub`));
}

function sign(kind: Kind, key: string, file: string): Buffer {
  return kind === "ed25519"
    ? openssl("pkeyutl", "-sign", "-rawin", "-inkey", at(`${key}.key`), "-in", file)
    : openssl("dgst", "-sha256", "-sign", at(`${key}.key`), file);
}

const sha256Of = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const signed = () => ({ path: at("package.tar.gz"), sha256: sha256Of(at("package.tar.gz")) });
const refusal = (reason: RegExp | string) => ({ ok: false, reason: expect.stringMatching(reason) });

beforeAll(() => {
  writeFileSync(at("package.tar.gz"), randomBytes(300_000));
  for (const kind of kinds) {
    makeKey(kind, generate[kind]);
    makeKey(`other-${kind}`, generate[kind]);
  }
});
afterAll(() => dir[Symbol.dispose]());

describe.each(kinds)("AP7: a signature by openssl, %s", (kind) => {
  const keys = (name: string = kind) => load([at(`${name}.pub`)]);
  const signature = () => sign(kind, kind, at("package.tar.gz"));

  it("is taken, raw and as base64 text, and tells the key", async () => {
    const good = { ok: true, key: at(`${kind}.pub`) };
    const base64 = signature().toString("base64");
    expect(await verifySignature(signed(), signature(), await keys())).toEqual(good);
    for (const text of [base64, `${base64}\n`, base64.replace(/.{64}/g, "$&\n")])
      expect(await verifySignature(signed(), Buffer.from(text), await keys())).toEqual(good);
  });

  it("is taken where any one of several keys made it", async () => {
    const names = [...kinds.map((each) => `other-${each}`), ...kinds];
    const all = await load(names.map((name) => at(`${name}.pub`)));
    expect(await verifySignature(signed(), signature(), all)).toEqual({ ok: true, key: at(`${kind}.pub`) });
  });

  it("is refused by another key of the kind", async () => {
    expect(await verifySignature(signed(), signature(), await keys(`other-${kind}`))).toEqual(
      refusal(/not made over this file by a trusted key .*other-/),
    );
  });

  it("is refused for an altered file, whose hash may even be the one offered", async () => {
    const bytes = readFileSync(at("package.tar.gz"));
    bytes[150_000]! ^= 1;
    writeFileSync(at("altered"), bytes);
    const file = { path: at("altered"), sha256: sha256Of(at("altered")) };
    expect(await verifySignature(file, signature(), await keys())).toEqual(
      refusal(/not made over this file/),
    );
  });

  it("is refused when the file on disk is not the one of the hash any more", async () => {
    const file = { ...signed(), sha256: "00".repeat(32) };
    expect(await verifySignature(file, signature(), await keys())).toEqual(refusal(/has changed since/));
  });

  it("is refused when truncated, altered, empty, or garbage", async () => {
    const good = signature();
    const altered = Buffer.from(good);
    altered[good.length - 5]! ^= 0x10;
    for (const bad of [good.subarray(0, -1), good.subarray(1), altered, Buffer.concat([good, good])])
      expect(await verifySignature(signed(), bad, await keys())).toEqual(refusal(/signature/));
    expect(await verifySignature(signed(), new Uint8Array(0), await keys())).toEqual(
      refusal(/is not signed/),
    );
    for (const size of [1, 64, 71, 256, 5000])
      expect(await verifySignature(signed(), randomBytes(size), await keys())).toEqual(refusal(/signature/));
    expect(await verifySignature(signed(), Buffer.from("0\u0080garbage"), await keys())).toEqual(
      refusal(/signature/),
    );
  });

  it("is refused when it is over the file's SHA-256 and not over the file", async () => {
    writeFileSync(at("digest"), Buffer.from(signed().sha256, "hex"));
    expect(await verifySignature(signed(), sign(kind, kind, at("digest")), await keys())).toEqual(
      refusal(/not made over this file/),
    );
  });

  it("is taken by the key of a certificate", async () => {
    const out = at(`${kind}.crt`);
    openssl("req", "-x509", "-key", at(`${kind}.key`), "-subj", "/CN=releases", "-days", "1", "-out", out);
    expect(await verifySignature(signed(), signature(), await load([out]))).toEqual({
      ok: true,
      key: out,
    });
  });
});

it("takes nothing where there is no trusted key", async () => {
  expect(await verifySignature(signed(), randomBytes(64), [])).toEqual(refusal(/trusted key/));
});

it("an empty file can be signed too", async () => {
  writeFileSync(at("empty"), "");
  const file = { path: at("empty"), sha256: sha256Of(at("empty")) };
  const verdict = verifySignature(file, sign("p256", "p256", at("empty")), await load([at("p256.pub")]));
  expect(await verdict).toMatchObject({ ok: true });
});

describe("loadTrustKeys", () => {
  const refused = async (content: string | Buffer | undefined) => {
    const path = at("bad.pem");
    rmSync(path, { force: true, recursive: true });
    if (content !== undefined) writeFileSync(path, content);
    const error = await load([at("p256.pub"), path]).then(
      () => new Error("was taken"),
      (thrown: Error) => thrown,
    );
    expect(error.message).toContain(`packages.trust.keys: ${path}`);
    return error.message;
  };
  const publicKey = (...options: string[]) => {
    makeKey("odd", options);
    return readFileSync(at("odd.pub"));
  };

  it("takes several keys of one file and numbers them", async () => {
    writeFileSync(at("both.pem"), `old\n${kinds.map((kind) => readFileSync(at(`${kind}.pub`))).join("\n")}`);
    const keys = await load([at("both.pem")]);
    expect(keys.map(({ kind, name }) => [kind, name.slice(dir.path.length + 1)])).toEqual([
      ["Ed25519", "both.pem (key 1)"],
      ["ECDSA", "both.pem (key 2)"],
      ["RSA", "both.pem (key 3)"],
    ]);
  });

  it("names the file that is missing, or a folder", async () => {
    expect(await refused(undefined)).toContain("cannot be read");
    mkdirSync(at("bad.pem"));
    await expect(load([at("bad.pem")])).rejects.toThrow("bad.pem cannot be read");
  });

  it("names the file without a key, or with a damaged one", async () => {
    expect(await refused("")).toContain("no PEM public key");
    expect(await refused(randomBytes(500))).toContain("no PEM public key");
    expect(await refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")).toContain(
      "is not a PEM public key",
    );
  });

  it("refuses a private key, and quotes nothing of it", async () => {
    for (const kind of kinds) {
      const pem = readFileSync(at(`${kind}.key`), "utf8");
      const message = await refused(pem);
      expect(message).toContain("holds a private key");
      expect(message).not.toContain(pem.split("\n")[1]);
    }
  });

  it("refuses keys of other kinds and sizes", async () => {
    const p384 = publicKey("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384");
    expect(await refused(p384)).toContain("only P-256");
    expect(await refused(publicKey("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"))).toContain(
      "of 1024 bits",
    );
    expect(await refused(publicKey("-algorithm", "ed448"))).toContain("of type ed448");
    expect(await refused(publicKey("-algorithm", "RSA-PSS"))).toContain("of type rsa-pss");
  });
});
