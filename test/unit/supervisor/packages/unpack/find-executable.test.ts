import { mkdirSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { bareFileOf } from "../../../../../src/supervisor/packages/unpack/bare-file.ts";
import {
  architectureProblem,
  findExecutable,
} from "../../../../../src/supervisor/packages/unpack/find-executable.ts";
import { PackageProblem } from "../../../../../src/supervisor/packages/unpack/package-problem.ts";
import { tempDir } from "../../../../support/temp-dir.ts";

const script = "#!/bin/sh\n";

function treeOf(files: Record<string, [content: string, mode?: number]>): string {
  const dir = tempDir();
  for (const [path, [content, mode = 0o755]] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content, { mode });
  }
  return dir;
}

describe("findExecutable", () => {
  it.each([
    ["the only one", { "bin/agent": [script], "README.md": ["x", 0o644] }, "bin/agent"],
    ["the only program", { notes: ["text"], agent: [script] }, "agent"],
    ["the one named like the package", { a: [script], gateway: [script], otelcol: [script] }, "gateway"],
    [
      "the one named otelcol",
      { a: [script], "x/otelcol-contrib": ["\x7fELF"], b: [script] },
      "x/otelcol-contrib",
    ],
    ["the only one marked executable", { "agent.exe": ["MZ"], notes: ["x", 0o644] }, "agent.exe"],
  ] as const)("finds %s", async (_which, files, expected) => {
    const tree = treeOf(files as unknown as Record<string, [string, number?]>);
    expect(await findExecutable(tree, "gateway")).toBe(expected);
  });

  it.each([
    ["nothing", {}, "it is empty"],
    ["nothing to execute", { otelcol: [script, 0o644] }, "of otelcol, none is marked executable"],
    [
      "several",
      { a: [script], "x/b": [script] },
      "several programs and none can be told to be the Collector: a, x/b",
    ],
    ["two of one name", { "a/otelcol": [script], "b/otelcol": [script] }, "a/otelcol, b/otelcol"],
  ] as const)("names what there is of %s", async (_which, files, reason) => {
    const tree = treeOf(files as unknown as Record<string, [string, number?]>);
    const error: unknown = await findExecutable(tree, "").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PackageProblem);
    expect((error as Error).message).toContain(reason);
  });

  it("does not make a long list of many", async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`p${n}`, [script] as [string]]));
    await expect(findExecutable(treeOf(many), "")).rejects.toThrow("and 25 more");
  });
});

describe("architectureProblem", () => {
  const problemOf = (head: Buffer) => {
    const path = join(tempDir(), "otelcol");
    writeFileSync(path, Buffer.concat([head, Buffer.alloc(64)]));
    return architectureProblem(path);
  };
  const elf = (machine: number, system = 0) => {
    const head = Buffer.from("\x7fELF\x02\x01\x01".padEnd(20, "\0"), "latin1");
    head[7] = system;
    head.writeUInt16LE(machine, 18);
    return head;
  };

  it("lets a program of this host and a script be", () => {
    expect(architectureProblem(process.execPath)).toBeUndefined();
    expect(problemOf(Buffer.from(script))).toBeUndefined();
  });

  it.each([
    ["another processor", elf(243), "is built for riscv64, this host is"],
    ["FreeBSD", elf(62, 9), "is built for FreeBSD, this host runs Linux; offer the build for Linux"],
    ["macOS", Buffer.from([0xcf, 0xfa, 0xed, 0xfe]), "is built for macOS, this host runs Linux"],
    ["macOS, universal", Buffer.from([0xca, 0xfe, 0xba, 0xbe]), "is built for macOS"],
    ["Windows", Buffer.from("MZ\x90\0"), "is built for Windows, this host runs Linux"],
    ["nothing", Buffer.from("hello"), "is not a program"],
  ])("names both sides for a program for %s", (_what, head, reason) => {
    expect(problemOf(head)).toContain(reason);
  });

  it("names this host's architecture as what to offer", () => {
    expect(problemOf(elf(243))).toContain(`offer the build for ${arch()}`);
  });
});

describe("bareFileOf", () => {
  const file = (url: string) => ({ url, sha256: "", signature: new Uint8Array(0), headers: {} });
  const addon = (url: string) => bareFileOf({ name: "geo", type: "addon", file: file(url) });

  it("names a program like its package", () => {
    const url = "https://h/otelcol-0.149";
    expect(bareFileOf({ name: "gateway", type: "top-level", file: file(url) })).toEqual({
      name: "gateway",
      mode: 0o755,
    });
    expect(bareFileOf({ name: "", type: "top-level", file: file(url) }).name).toBe("collector");
  });

  it.each([
    ["https://h/x/GeoLite2.mmdb?token=secret#f", "GeoLite2.mmdb"],
    ["https://h/a%20b.txt", "a b.txt"],
    ["file:///drop/x.mmdb", "x.mmdb"],
    ["https://h/", "geo"],
    ["https://h/a%2Fb", "geo"],
    ["https://h/%2e%2e", "geo"],
    ["https://h/a%00b", "geo"],
    ["https://h/%ff", "geo"],
    [`https://h/${"x".repeat(300)}`, "geo"],
    ["no url", "geo"],
  ])("names the addon of %s %s", (url, name) => {
    expect(addon(url)).toEqual({ name, mode: 0o644 });
  });
});
