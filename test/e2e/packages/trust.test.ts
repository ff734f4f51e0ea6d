import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { secondCollectorBinary } from "../../support/collector.ts";
import { expectRuns } from "../../support/fault-host.ts";
import {
  expectUntouched,
  offerProgram,
  packageHost,
  packageTold,
  packageVerdict,
  scriptedProgram,
  secondProgram,
  stepsOf,
} from "../../support/packages.ts";
import { tempDir } from "../../support/temp-dir.ts";

const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });

const kinds = {
  Ed25519: {
    make: ["-algorithm", "ED25519"],
    sign: (key: string, file: string) => openssl("pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", file),
  },
  "ECDSA P-256": {
    make: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    sign: (key: string, file: string) => openssl("dgst", "-sha256", "-sign", key, file),
  },
  RSA: {
    make: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    sign: (key: string, file: string) => openssl("dgst", "-sha256", "-sign", key, file),
  },
};
type Kind = keyof typeof kinds;

/** A pair of keys made by openssl. */
function keyPair(dir: string, kind: Kind, name = "key") {
  const [secret, trusted] = [join(dir, `${name}.pem`), join(dir, `${name}.pub.pem`)];
  openssl("genpkey", ...kinds[kind].make, "-out", secret);
  openssl("pkey", "-in", secret, "-pubout", "-out", trusted);
  return { trusted, sign: (file: string) => kinds[kind].sign(secret, file) };
}

const refused = ["InstallPending", "Downloading", "Installing", "InstallFailed"];

describe("a host that trusts keys", () => {
  it.each(Object.keys(kinds) as Kind[])(
    "takes a package that openssl signed with one of %s",
    async (kind) => {
      const { trusted, sign } = keyPair(tempDir(), kind);
      const rig = await packageHost({ settings: { packages: { trust: { keys: [trusted] } } } });
      await offerProgram(rig, { ...secondProgram(), signature: sign(secondCollectorBinary()) });
      expect(await packageVerdict(rig.host.server, "")).toBe("Installed 2.0");
      await expectRuns(rig.host, "before");
      await rig.host.sink.waitFor((await rig.sender.stop()).accepted);
    },
  );

  it.each([
    ["no signature", "none", /^InstallFailed: the package is not signed/],
    [
      "the signature of another key",
      "other",
      /^InstallFailed: the package's signature was not made over this file/,
    ],
    [
      "the signature of another file",
      "moved",
      /^InstallFailed: the package's signature was not made over this file/,
    ],
  ] as const)(
    "refuses a package with %s, which is neither unpacked nor executed",
    async (_what, how, reason) => {
      const dir = tempDir();
      const { trusted, sign } = keyPair(dir, "ECDSA P-256");
      const stranger = keyPair(dir, "ECDSA P-256", "stranger");
      const rig = await packageHost({ settings: { packages: { trust: { keys: [trusted] } } } });
      const { host } = rig;
      const program = scriptedProgram(host, "spy", `*) touch "$DIR/executed";;`);
      let signature = new Uint8Array();
      if (how === "other") signature = new Uint8Array(stranger.sign(program.file));
      if (how === "moved") {
        signature = new Uint8Array(sign(program.file));
        appendFileSync(program.file, "# and more\n");
      }
      await offerProgram(rig, { ...program, signature });
      expect(await packageVerdict(host.server, "")).toMatch(reason);
      await expectUntouched(rig);
      expect(stepsOf(host.server, "")).toEqual(refused);
      expect(existsSync(join(host.dir, "executed"))).toBe(false);
      expect(readdirSync(join(host.stateDir, "packages", "versions"))).toEqual([]);
    },
  );

  it("takes nothing while a key of it is damaged, says so, and goes on when it is mended", async () => {
    const { trusted, sign } = keyPair(tempDir(), "Ed25519");
    const rig = await packageHost({ settings: { packages: { trust: { keys: [trusted] } } } });
    const { host } = rig;
    const key = readFileSync(trusted);
    writeFileSync(trusted, "nonsense");
    const spec = { ...secondProgram(), signature: sign(secondCollectorBinary()) };
    await offerProgram(rig, spec);
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/)).toMatch(
      /^InstallFailed: .*key\.pub\.pem/,
    );
    await host.expectDataFlows();
    writeFileSync(trusted, key);
    await offerProgram(rig, spec);
    expect(await packageTold(host.server, "", /^Installed/)).toBe("Installed 2.0");
  });
});
