import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { launcher } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(...args: string[]): Promise<Outcome> {
  try {
    return { code: 0, ...(await promisify(execFile)(launcher, args)) };
  } catch (error) {
    return error as Outcome;
  }
}

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
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    for (const word of ["Usage: opamp-supervisor", "--config", "--log-level", "validate", "SIGUSR2"]) {
      expect(stdout).toContain(word);
    }
  });

  it("--version prints the package's", async () => {
    expect(await run("--version")).toMatchObject({ code: 0, stdout: `opamp-supervisor ${version}\n` });
  });

  it.each([
    [["--no-such-flag"], /--no-such-flag/],
    [["bogus", "--config", "x"], /unknown command "bogus"/],
    [[], /--config FILE is missing/],
    [["--config", "x", "--log-level", "loud"], /--log-level loud: expected one of/],
  ])("%j is bad usage", async (args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
    expect(stderr).toContain("--help");
  });

  it("validate --config accepts a good file and starts nothing", async () => {
    const path = settingsFile(good);
    expect(await run("validate", "--config", path)).toMatchObject({ code: 0, stdout: `${path}: valid\n` });
    expect(await run("validate", `-config=${path}`)).toMatchObject({ code: 0 });
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
      const { code, stderr } = await run(...args);
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
    const { code, stdout, stderr } = await run("validate", "--config", path);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${path}: valid\n` });
    expect(stderr).toMatch(/^warning: /);
    expect(stderr).toMatch(message);
    const start = await run("--config", path);
    expect(start).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string });
  });

  it("without the file says so", async () => {
    const { code, stderr } = await run("--config", "/no/such/supervisor.yaml");
    expect(code).toBe(2);
    expect(stderr).toContain("/no/such/supervisor.yaml");
  });
});
