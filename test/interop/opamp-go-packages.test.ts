import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { secondCollectorBinary } from "../support/collector.ts";
import { tempDir } from "../support/temp-dir.ts";
import { Host, supervisorExecutable } from "./host.ts";
import { firstOtlpAnswer } from "./otlp.ts";

/** A P-256 key pair, and the signature over a file as cosign and openssl write it. */
function signer() {
  const dir = tempDir();
  const key = join(dir, "key.pem");
  const publicKey = join(dir, "trusted.pem");
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key);
  openssl("ec", "-in", key, "-pubout", "-out", publicKey);
  return { publicKey, sign: (file: string) => openssl("dgst", "-sha256", "-sign", key, file) };
}

async function host(trusted: string): Promise<Host> {
  return Host.running({
    executable: supervisorExecutable,
    capabilities: { accepts_packages: true },
    settings: { packages: { trust: { keys: [trusted] } } },
  });
}

describe("packages that opamp-go's server offers", () => {
  it("AP1 AP9 AP10 AP11 AP12 AP13: are downloaded from Go's file server, verified by openssl's signature, installed", async () => {
    const { publicKey, sign } = signer();
    await using supervised = await host(publicKey);
    const { server } = supervised;
    const from = server.mark();
    const file = secondCollectorBinary();
    const signature = sign(file).toString("base64");
    const { hash = "" } = await server.send({
      cmd: "packages",
      packages: { "": { version: "2.0", file, signature } },
    });
    const installed = await server.message(
      "installed",
      ({ packageStatuses }) => packageStatuses?.packages[""]?.status === "Installed",
      { from },
    );
    expect(installed.packageStatuses).toEqual({
      hash,
      packages: { "": { status: "Installed", version: "2.0", offered: "2.0", error: "" } },
    });
    await server.state(
      "the new version",
      ({ identifying, health }) => identifying?.["service.version"] === "0.149.1" && health?.healthy === true,
      { from },
    );
    expect(await firstOtlpAnswer(supervised.otlpPort)).toBeGreaterThan(0);
  });

  it("AP7 AP13: are refused unsigned, before anything of them runs, and the configuration of the same message too", async () => {
    const { publicKey } = signer();
    await using supervised = await host(publicKey);
    const { server } = supervised;
    const before = supervised.collectorPids();
    const from = server.mark();
    const files = { "collector.yaml": JSON.stringify(supervised.configuration(1)) };
    const packages = { "": { version: "2.0", file: secondCollectorBinary() } };
    const { hash } = await server.send({ cmd: "config", files, packages });
    const failed = await server.message(
      "refused",
      ({ packageStatuses }) => packageStatuses?.packages[""]?.status === "InstallFailed",
      { from },
    );
    expect(failed.packageStatuses?.packages[""]).toMatchObject({
      version: "",
      offered: "2.0",
      error: expect.stringContaining("not signed"),
    });
    const { remoteConfigStatus } = await server.status("FAILED", hash, { from });
    expect(remoteConfigStatus?.error).toContain("packages");
    expect(supervised.collectorPids()).toEqual(before);
  });
});
