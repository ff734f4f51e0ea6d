import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { checkRunAs, missingCapabilities } from "../../../../src/supervisor/collector/run-as.ts";
import { commandAs } from "../../../../src/supervisor/collector/run-as-command.ts";

describe("missingCapabilities", () => {
  it("names what CapEff lacks", () => {
    expect(missingCapabilities("CapEff:\t000001ffffffffff\n")).toEqual([]);
    expect(missingCapabilities("CapEff:\t0000000000000000\n")).toEqual([
      "CAP_KILL",
      "CAP_SETGID",
      "CAP_SETUID",
      "CAP_SYS_PTRACE",
    ]);
    const killAndSetuid = ((1n << 5n) | (1n << 7n)).toString(16).padStart(16, "0");
    expect(missingCapabilities(`CapPrm:\t0\nCapEff:\t${killAndSetuid}\n`)).toEqual([
      "CAP_SETGID",
      "CAP_SYS_PTRACE",
    ]);
  });
});

describe("checkRunAs", () => {
  it("refuses a user that does not exist, also one that looks like an option", async () => {
    expect(await checkRunAs("no-such-user-here")).toMatchObject({ ok: false, problem: "unknown-user" });
    expect(await checkRunAs("--version")).toMatchObject({ ok: false, problem: "unknown-user" });
  });

  it("accepts the user that it already is, without any capability", async () => {
    const { username, uid, gid } = userInfo();
    expect(await checkRunAs(username)).toEqual({ ok: true, runAs: { user: username, uid, gid } });
  });

  it("tells by the capabilities of this process whether it can become another user", async () => {
    const missing = missingCapabilities(readFileSync("/proc/self/status", "utf8"));
    const expected =
      missing.length === 0 ? { ok: true } : { ok: false, problem: "missing-capabilities", missing };
    const other = userInfo().username === "nobody" ? "root" : "nobody";
    expect(await checkRunAs(other)).toMatchObject(expected);
  });
});

describe("commandAs", () => {
  it("puts setpriv in front, and takes away what would let the Collector change user itself", () => {
    const { file, args } = commandAs("/bin/x", ["--a"], { user: "u", uid: 4_000_000, gid: 4_000_001 });
    expect(file).toBe("setpriv");
    expect(args).toEqual([
      "--reuid=4000000",
      "--regid=4000001",
      "--init-groups",
      "--inh-caps=-kill,-setgid,-setuid,-sys_ptrace",
      "--ambient-caps=-kill,-setgid,-setuid,-sys_ptrace",
      "--",
      "/bin/x",
      "--a",
    ]);
  });

  it("is the command itself without a user", () => {
    expect(commandAs("/bin/x", ["--a"], undefined)).toEqual({ file: "/bin/x", args: ["--a"] });
  });
});
