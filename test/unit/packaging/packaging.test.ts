import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const packaging = new URL("../../../packaging", import.meta.url).pathname;
const read = (name: string) => readFileSync(join(packaging, name), "utf8");
const unit = read("systemd/opamp-supervisor.service");

describe("packaging", () => {
  it.each([
    ...readdirSync(join(packaging, "scripts")).map((name) => `scripts/${name}`),
    "libexec/end-left-collector",
    "libexec/http-check",
    "container/install.sh",
  ])("%s is a script that a shell can read", (name) => {
    expect(read(name)).toMatch(/^#!\/bin\/sh\n/);
    execFileSync("sh", ["-n", join(packaging, name)]);
  });

  it("explains every drop-in where they lie", () => {
    const explained = [...read("systemd/drop-ins/README.md").matchAll(/^\| `(\S+\.conf)`/gm)].map(
      ([, name]) => name,
    );
    const present = readdirSync(join(packaging, "systemd/drop-ins")).filter((name) => name.endsWith(".conf"));
    expect(new Set(explained)).toEqual(new Set(present));
  });

  // Each of these was lost once in some unit, under the wrong section or by a well-meant clean-up.
  it.each([
    ["Unit", "StartLimitIntervalSec=0"],
    ["Unit", "ConditionPathExists=/etc/opamp-supervisor/supervisor.yaml"],
    ["Service", "Type=notify"],
    ["Service", "NotifyAccess=all"],
    ["Service", "KillMode=process"],
    ["Service", "RestartKillSignal=SIGUSR2"],
    ["Service", "Restart=always"],
    ["Service", "OOMPolicy=continue"],
  ])("has in [%s] %s", (section, line) => {
    const lines = unit.split(/^\[/m).find((text) => text.startsWith(`${section}]`)) ?? "";
    expect(lines.split("\n")).toContain(line);
  });

  it("sets no memory limit, which would be the Collector's too", () => {
    expect(unit).not.toMatch(/^Memory(?:Max|High|Limit|SwapMax)=/m);
  });
});
