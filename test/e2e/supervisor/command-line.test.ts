import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCommand } from "../../support/run-command.ts";
import { tempDir } from "../../support/temp-dir.ts";

function settingsFile(content: object | string): string {
  const path = join(tempDir(), "supervisor.yaml");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const good = { server: { endpoint: "ws://127.0.0.1:4320/v1/opamp" }, agent: { executable: "/bin/sh" } };
const exampleFile = new URL("../../../supervisor.example.yaml", import.meta.url);
const packageJson = new URL("../../../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(packageJson, "utf8")) as { version: string };

describe("opamp-supervisor", () => {
  it("--help prints the usage, every option and the signals", async () => {
    const { code, stdout } = await runCommand("--help");
    expect(code).toBe(0);
    for (const word of ["Usage: opamp-supervisor", "--config", "--log-level", "validate", "SIGUSR2"]) {
      expect(stdout).toContain(word);
    }
  });

  it("--version prints the package's", async () => {
    expect(await runCommand("--version")).toMatchObject({ code: 0, stdout: `opamp-supervisor ${version}\n` });
  });

  it.each([
    [["--no-such-flag"], /--no-such-flag/],
    [["bogus", "--config", "x"], /unknown command "bogus"/],
    [[], /--config FILE is missing/],
    [["--config", "x", "--log-level", "loud"], /--log-level loud: expected one of/],
  ])("%j is bad usage", async (args, message) => {
    const { code, stdout, stderr } = await runCommand(...args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
    expect(stderr).toContain("--help");
  });

  it("validate --config accepts a good file and starts nothing", async () => {
    const path = settingsFile(good);
    expect(await runCommand("validate", "--config", path)).toMatchObject({
      code: 0,
      stdout: `${path}: valid\n`,
    });
    expect(await runCommand("validate", `-config=${path}`)).toMatchObject({ code: 0 });
  });

  it.each([
    ["an unknown key", { ...good, sever: {} }, /sever/],
    ["no endpoint", { agent: good.agent }, /server::endpoint must be specified/],
    ["a bad scheme", { ...good, server: { endpoint: "ftp://x" } }, /scheme/],
    ["no YAML", "server: [", /:1:10: invalid YAML/],
  ])("with %s both validate and a start say so", async (_what, content, message) => {
    const path = settingsFile(content);
    for (const args of [
      ["validate", "--config", path],
      ["--config", path],
    ]) {
      const { code, stderr } = await runCommand(...args);
      expect(code).toBe(2);
      expect(stderr).toContain(path);
      expect(stderr).toMatch(message);
    }
  });

  it.each([
    ["a file of another machine", JSON.stringify({ ...good, agent: { executable: "/no/such/otelcol" } })],
    [
      "the example",
      readFileSync(exampleFile, "utf8").replace(/^(\s*executable:) .*$/m, "$1 /no/such/otelcol"),
    ],
  ])("of %s validate only warns that the Collector is not there; a start fails", async (_what, content) => {
    const path = settingsFile(content);
    const message = /\/no\/such\/otelcol/;
    const { code, stdout, stderr } = await runCommand("validate", "--config", path);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${path}: valid\n` });
    expect(stderr).toMatch(/^warning: /);
    expect(stderr).toMatch(message);
    const start = await runCommand("--config", path);
    expect(start).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string });
  });

  it("without the file says so", async () => {
    const { code, stderr } = await runCommand("--config", "/no/such/supervisor.yaml");
    expect(code).toBe(2);
    expect(stderr).toContain("/no/such/supervisor.yaml");
  });
});
