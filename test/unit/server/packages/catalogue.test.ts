import { createHash } from "node:crypto";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { PackageCatalogue, scanIntervalMs } from "../../../../src/server/packages/catalogue.ts";
import { settleMs } from "../../../../src/server/packages/file-reader.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { LogBook } from "../test-server.ts";
import { type Files, writeFiles } from "./package-folder.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

interface Options {
  /** Of the wall clock. Default: long before the files were written, so that only watching them helps. */
  now?: number;
}

async function catalogueOf(files: Files, { now }: Options = {}) {
  const directory = tempDir();
  await writeFiles(directory, files);
  const clock = new ManualClock(now);
  const log = new LogBook();
  const catalogue = new PackageCatalogue({ directory, clock, log });
  onTestFinished(() => catalogue.close());
  await catalogue.settled();
  const look = async () => {
    clock.advance(scanIntervalMs);
    await catalogue.settled();
  };
  const names = () => catalogue.files.map(({ name, version }) => `${name} ${version}`);
  const problems = () => catalogue.problems.map(({ path, reason }) => [path.slice(directory.length), reason]);
  return { catalogue, directory, clock, log, look, names, problems };
}

describe("the catalogue", () => {
  it("has one file for each version, hashed, with its type and signature", async () => {
    const der = Buffer.from("3006020101020102", "hex");
    const { catalogue } = await catalogueOf({
      "collector/0.149.0/otelcol": "old",
      "collector/0.150.0/otelcol": "new",
      "collector/0.150.0/otelcol.sig": `${der.toString("base64")}\n`,
      "otelcol-contrib/1.0.0/a.tar.gz": "contrib",
      "rules/2026-01/rules.zip": "rules",
      "rules/2026-01/rules.zip.sig": der,
      "otelcol-rules/1/r": "addon by its own word",
      "otelcol-rules/package.yaml": "type: addon\n",
      "agent/1/a": "top-level by its own word",
      "agent/package.yaml": "type: top-level\n",
    });
    await catalogue.rescan();
    expect(catalogue.problems).toEqual([]);
    expect(catalogue.files.map(({ name, version, type }) => [name, version, type])).toEqual([
      ["agent", "1", "top-level"],
      ["collector", "0.149.0", "top-level"],
      ["collector", "0.150.0", "top-level"],
      ["otelcol-contrib", "1.0.0", "top-level"],
      ["otelcol-rules", "1", "addon"],
      ["rules", "2026-01", "addon"],
    ]);
    expect(catalogue.find("collector", "0.150.0")).toMatchObject({
      sha256: sha256("new"),
      size: 3,
      fileName: "otelcol",
      signature: new Uint8Array(der),
    });
    expect(catalogue.find("rules", "2026-01")?.signature).toEqual(new Uint8Array(der));
    expect(catalogue.find("collector", "0.149.0")?.signature).toEqual(new Uint8Array());
  });

  it("leaves out what does not fit the layout, says where, once, and keeps the rest", async () => {
    const { catalogue, directory, log, look, names, problems } = await catalogueOf({
      "good/1/file": "x",
      "README.md": "not a package",
      ".hidden/1/file": "x",
      "bad name/1/file": "x",
      "two/1/a": "x",
      "two/1/b": "x",
      "two/2/a": "fine",
      "signed/1/a": "x",
      "signed/1/b.sig": "x",
      "signed/2/a": "x",
      "signed/2/a.sig": "",
      "typed/1/a": "x",
      "typed/package.yaml": "typ: addon\n",
      "typed2/1/a": "x",
      "typed2/package.yaml": "type: program\n",
      "empty/1/a": "",
      "deep/1/a/b": "x",
      "file/1": "x",
    });
    await mkdir(join(directory, "none/1"), { recursive: true });
    await mkdir(join(directory, "linked/1"), { recursive: true });
    await symlink("/etc/passwd", join(directory, "linked/1/a"));
    await symlink("/etc", join(directory, "elsewhere"));
    await catalogue.rescan();
    expect(names()).toEqual(["good 1", "two 2"]);
    expect(problems()).toEqual([
      ["/README.md", expect.stringContaining("no folder")],
      ["/bad name", expect.stringContaining("no name that can be used")],
      ["/deep/1", "expected one regular file, but a is none"],
      ["/elsewhere", expect.stringContaining("symbolic link")],
      ["/file/1", expect.stringContaining("no folder")],
      ["/linked/1", "expected one regular file, but a is none"],
      ["/none/1", "expected one file, found none"],
      ["/signed/1", "b.sig signs no file: expected a.sig"],
      ["/two/1", "expected one file, found a and b"],
      ["/typed/package.yaml", expect.stringMatching(/:1:1: typ: unknown key; did you mean type/)],
      ["/typed2/package.yaml", expect.stringMatching(/type: expected one of top-level, addon/)],
      ["/empty/1/a", "is empty"],
      ["/signed/2/a", expect.stringMatching(/signature.*1 to 16384 bytes, got 0/)],
    ]);
    await look();
    await look();
    const paths = log.of("package_problem").map(({ path }) => path);
    expect(paths).toHaveLength(new Set(paths).size);
    expect(paths).toContain(join(directory, "two/1"));
  });

  it("says so when there is no such folder, and reads it when it comes", async () => {
    const { catalogue, directory, log, names } = await catalogueOf({});
    await rm(directory, { recursive: true });
    await catalogue.rescan();
    expect(log.of("package_problem")).toMatchObject([{ path: directory, reason: "no such folder" }]);
    await writeFiles(directory, { "good/1/file": "x" });
    await catalogue.rescan();
    expect([names(), catalogue.problems]).toEqual([["good 1"], []]);
  });

  it("does not take a file that may still be copied", async () => {
    const { catalogue, directory, clock, look, names } = await catalogueOf({ "big/1/file": "first half" });
    expect(names()).toEqual([]);
    expect(catalogue.waiting).toMatchObject([{ path: join(directory, "big/1/file") }]);
    await writeFile(join(directory, "big/1/file"), "first half, second half");
    await look();
    expect(names()).toEqual([]);
    clock.advance(settleMs);
    await look();
    expect(catalogue.find("big", "1")?.sha256).toBe(sha256("first half, second half"));
    expect(catalogue.waiting).toEqual([]);
  });

  it("waits for a signature that may still be copied as well", async () => {
    const { catalogue, directory, look } = await catalogueOf({ "big/1/file": "x" });
    await look();
    expect(catalogue.find("big", "1")?.signature).toHaveLength(0);
    await writeFile(join(directory, "big/1/file.sig"), "half a sig");
    await look();
    expect(catalogue.find("big", "1")).toBeUndefined();
    await look();
    expect(catalogue.find("big", "1")?.signature).toHaveLength(10);
  });

  it("takes a file that is old enough by its own times at the first look", async () => {
    const { names } = await catalogueOf({ "big/1/file": "x" }, { now: Date.now() + settleMs + 1_000 });
    expect(names()).toEqual(["big 1"]);
  });

  it("takes it at once when someone says that it is complete", async () => {
    const { catalogue, look, names } = await catalogueOf({ "big/1/file": "x", "big/1/file.sig": "y" });
    await catalogue.rescan();
    expect(names()).toEqual(["big 1"]);
    // And keeps it, however soon it looks again by itself.
    await look();
    expect(names()).toEqual(["big 1"]);
  });

  it("follows what comes, changes and goes", async () => {
    const { catalogue, directory, log, look, names } = await catalogueOf({ "a/1/file": "one" });
    await catalogue.rescan();
    await writeFiles(directory, { "a/2/file": "two" });
    await look();
    await look();
    expect(names()).toEqual(["a 1", "a 2"]);
    // Of the same size and name, and in one step.
    await writeFile(join(directory, "a/.new"), "own");
    await rename(join(directory, "a/.new"), join(directory, "a/1/file"));
    await look();
    expect(names()).toEqual(["a 2"]);
    await look();
    expect(catalogue.find("a", "1")?.sha256).toBe(sha256("own"));
    await rm(join(directory, "a"), { recursive: true });
    await look();
    expect(names()).toEqual([]);
    expect(log.of("package_removed")).toMatchObject([
      { package: "a", version: "1" },
      { package: "a", version: "1" },
      { package: "a", version: "2" },
    ]);
    expect(log.of("package_added")).toMatchObject([
      { package: "a", version: "1", sha256: sha256("one"), bytes: 3, signed: false, type: "addon" },
      { package: "a", version: "2" },
      { package: "a", version: "1", sha256: sha256("own") },
    ]);
  });

  it("stops looking when it is closed, in the middle of a look too", async () => {
    const { catalogue, clock } = await catalogueOf({ "big/1/file": Buffer.alloc(8 * 1024 * 1024) });
    const look = catalogue.rescan();
    await catalogue.close();
    await look;
    expect(clock.pending).toEqual([]);
    clock.advance(10 * scanIntervalMs);
    await catalogue.settled();
    expect(catalogue.files).toEqual([]);
  });

  it("stops as well when it is closed in its first look", async () => {
    const clock = new ManualClock();
    const catalogue = new PackageCatalogue({ directory: tempDir(), clock, log: new LogBook() });
    await catalogue.close();
    expect(clock.pending).toEqual([]);
  });
});
