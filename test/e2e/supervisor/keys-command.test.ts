import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { rotationContentType, signatureContentType } from "../../../src/opamp/trust-entries.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { runCommand } from "../../support/run-command.ts";
import { withEntry } from "../../support/signed-configuration.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";

/** A folder with a configuration, and the command run on names in it. */
function desk() {
  const dir = tempDir();
  const at = (name: string) => join(dir, name);
  writeFileSync(at("collector.yaml"), "receivers: {nop: }\n");
  const keys = (...args: string[]) => runCommand("keys", ...args);
  const done = async (...args: string[]) => {
    const { code, stdout, stderr } = await keys(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout;
  };
  return { at, keys, done };
}

const text = (path: string) => readFileSync(path, "utf8");

describe("opamp-supervisor keys", () => {
  it.each(["EdDSA", "ES256", "RS256"])(
    "makes a key pair for %s, signs with it and verifies",
    async (algorithm) => {
      const { at, keys, done } = desk();
      await done("generate", "--key", at("key.pem"), "--algorithm", algorithm);
      expect(statSync(at("key.pem")).mode & 0o777).toBe(0o600);
      expect(text(at("key.pem.pub"))).toContain("BEGIN PUBLIC KEY");
      const sign = [
        "sign",
        "--key",
        at("key.pem"),
        "--audience",
        "selector:env = prod",
        "--expires-in",
        "30d",
      ];
      await done(...sign, "--serial", "7", at("collector.yaml"), "--signature", at("c.sig"));
      const verify = [
        "verify",
        "--public-key",
        at("key.pem.pub"),
        "--signature",
        at("c.sig"),
        at("collector.yaml"),
      ];
      expect(await done(...verify)).toContain("serial 7, for selector:env=prod");
      const uid = "0198c8b1-0000-7000-8000-000000000000";
      await done(...verify, "--instance-uid", uid, "--label", "env=prod");
      const elsewhere = await keys(...verify, "--instance-uid", uid, "--label", "env=dev");
      expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining("wrong audience: ") });
      writeFileSync(at("collector.yaml"), "receivers: {nop: } \n");
      expect(await keys(...verify)).toMatchObject({ code: 1, stderr: expect.stringContaining("altered: ") });
    },
  );

  it("never overwrites a key", async () => {
    const { at, keys, done } = desk();
    await done("generate", "--key", at("key.pem"));
    const before = text(at("key.pem"));
    const again = await keys("generate", "--key", at("key.pem"));
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("never overwritten") });
    expect(text(at("key.pem"))).toBe(before);
  });

  it.each([
    [["sign"], "--key is missing"],
    [["generate", "--key", "x", "--algorithm", "HS256"], "expected one of EdDSA"],
    [["generate", "--key", "x", "--serial", "1"], "--serial means nothing here"],
    [["frobnicate"], "expected keys generate, sign, verify or rotate"],
    [
      ["sign", "--key", "k", "--signature", "s", "--expires-in", "1d", "--audience", "all", "f"],
      "is no audience",
    ],
    [
      ["sign", "--key", "k", "--signature", "s", "--expires-in", "soon", "--audience", "fleet", "f"],
      "--expires-in soon",
    ],
    [
      ["sign", "--key", "k", "--signature", "s", "--expires-in", "1d", "--audience", "fleet"],
      "expected one FILE",
    ],
  ])("%j is bad usage", async (args, message) => {
    const { code, stderr } = await runCommand("keys", ...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  });

  it("explains itself", async () => {
    const { code, stdout } = await runCommand("keys", "sign", "--help");
    expect(code).toBe(0);
    expect(stdout).toContain(signatureContentType);
    expect(stdout).toContain(rotationContentType);
  });

  it("gives what a host with the public key takes, also by a key that it was rotated to", async () => {
    const { at, done } = desk();
    await done("generate", "--key", at("old.pem"));
    await done("generate", "--key", at("new.pem"), "--algorithm", "ES256");
    await done(
      "rotate",
      "--key",
      at("old.pem"),
      "--public-key",
      at("new.pem.pub"),
      "--rotation",
      at("rotation"),
    );
    const host = await supervisorHost();
    await host.writeSettings({ trust: { config_keys: [at("old.pem.pub")] } });
    await host.startHealthy();
    writeFileSync(at("collector.yaml"), JSON.stringify(host.pipeline()));
    const plain = remoteConfig({ "collector.yaml": text(at("collector.yaml")) });
    const named = ["--entry", `collector.yaml=${at("collector.yaml")}`];
    const sign = (key: string, ...more: string[]) =>
      done(
        ...["sign", "--key", at(key), "--audience", "fleet", "--expires-in", "1h", "--signature", at("sig")],
        ...[...named, ...more],
      );
    await sign("old.pem", "--serial", "1");
    const signature = () => ({ body: text(at("sig")), contentType: signatureContentType });
    await host.apply(withEntry(plain, "any name", signature()));
    await sign("new.pem", "--serial", "2", "--rotation", at("rotation"));
    const rotation = { body: text(at("rotation")), contentType: rotationContentType };
    const moved = withEntry(plain, "opamp-key-rotation", rotation);
    await host.apply(withEntry(moved, "any name", signature()));
    await host.expectDataFlows();
    expect(JSON.parse(await host.readState("config_trust.json"))).toMatchObject({ serial: 2 });
  });
});
