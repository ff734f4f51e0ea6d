import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTempDir } from "../../support/temp-dir.ts";

const packageBytes = 300 * 1024 * 1024;

const script = fileURLToPath(new URL("../../support/package-memory.ts", import.meta.url));

const dir = makeTempDir();
const at = (name: string) => join(dir.path, name);
const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });

beforeAll(() => {
  // Longer than what a compressor looks back, so that it finds nothing to save.
  const block = randomBytes(1024 * 1024);
  const file = openSync(at("big"), "w");
  for (let written = 0; written < packageBytes; written += block.length) writeSync(file, block);
  closeSync(file);
});
afterAll(() => dir[Symbol.dispose]());

function growth(...args: string[]): number {
  // The flags of the program's launcher that concern memory.
  const flags = ["--no-opt", "--no-maglev", "--max-semi-space-size=1", "--max-old-space-size=96"];
  return Number(execFileSync(process.execPath, [...flags, script, ...args], { encoding: "utf8" }));
}

describe("a package of 300 MB", () => {
  it.each([
    ["ed25519", ["-algorithm", "ed25519"]],
    ["p256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]],
  ])("is verified without being in memory, %s", (kind, options) => {
    const [key, pub, signature] = [at(`${kind}.key`), at(`${kind}.pub`), at(`${kind}.sig`)];
    openssl("genpkey", ...options, "-out", key);
    openssl("pkey", "-in", key, "-pubout", "-out", pub);
    if (kind === "ed25519")
      openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", at("big"), "-out", signature);
    else openssl("dgst", "-sha256", "-sign", key, "-out", signature, at("big"));
    expect(growth("verify", pub, signature, at("big"))).toBeLessThan(packageBytes / 10);
  });

  it.each(["big", "big.tar", "big.tar.gz"])("is unpacked without being in memory, %s", (archive) => {
    if (archive !== "big") {
      const create = archive.endsWith(".gz") ? ["-I", "gzip -1", "-cf"] : ["-cf"];
      execFileSync("tar", ["-C", dir.path, ...create, at(archive), "big"]);
    }
    const into = at(`${archive}-unpacked`);
    expect(growth("unpack", at(archive), into)).toBeLessThan(packageBytes / 10);
    expect(statSync(join(into, archive === "big" ? "bare" : "big")).size).toBe(packageBytes);
    execFileSync("rm", ["-rf", into]);
  });
});
