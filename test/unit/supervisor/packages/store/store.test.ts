import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { LogFields } from "../../../../../src/foundation/logger.ts";
import type { HeldPackage, PackageStore } from "../../../../../src/supervisor/packages/store/store.ts";
import { PackageProblem } from "../../../../../src/supervisor/packages/unpack/package-problem.ts";
import {
  admit,
  collectorArchive,
  offerOf,
  openStore,
  sha256Of,
} from "../../../../support/package-store-rig.ts";
import { tempDir } from "../../../../support/temp-dir.ts";

let root: string;
let store: PackageStore;
let errors: LogFields[];

beforeEach(async () => {
  root = join(tempDir(), "packages");
  errors = [];
  store = await openStore(root);
});

const reopen = async () => {
  store = await openStore(root, (fields) => errors.push(fields));
  return store;
};
const [one, two] = [collectorArchive("one"), collectorArchive("two")];
const words = (path: string) => execFileSync(path, { encoding: "utf8" }).trim();
const namesIn = (path: string) => readdirSync(join(root, path)).toSorted();
const recordOf = (held: HeldPackage) => `${held.directory}.json`;

describe("admit", () => {
  it("unpacks a top-level package whose Collector runs, for everybody to read", async () => {
    const old = process.umask(0o077);
    const held = await admit(store, "otelcol", one).finally(() => process.umask(old));
    expect(held).toMatchObject({ name: "otelcol", type: "top-level", version: "1", sha256: sha256Of(one) });
    expect(words(held.executable!)).toBe("one");
    for (let path = held.directory; path.startsWith(root); path = join(path, ".."))
      expect(statSync(path).mode & 0o777).toBe(0o755);
    expect(statSync(join(root, "downloads")).mode & 0o777).toBe(0o700);
  });

  it("survives a restart", async () => {
    const held = await admit(store, "otelcol", one);
    expect(await (await reopen()).find(offerOf("otelcol", one))).toEqual(held);
    expect(errors).toEqual([]);
  });

  it("keeps an addon's file under its name in the URL, and the unnamed package in a folder of its own", async () => {
    const data = await admit(store, "geo", Buffer.from("db"), {
      type: "addon",
      url: "https://h/x/Geo.mmdb?k=v",
    });
    expect(data.executable).toBeUndefined();
    expect(readFileSync(join(data.directory, "Geo.mmdb"), "utf8")).toBe("db");
    const unnamed = await admit(store, "", Buffer.from("#!/bin/sh\necho bare\n"));
    expect(basename(join(unnamed.directory, ".."))).toBe("_");
    expect(words(unnamed.executable!)).toBe("bare");
  });

  it("does nothing twice, and one thing at once", async () => {
    const [first, second] = await Promise.all([admit(store, "otelcol", one), admit(store, "otelcol", one)]);
    expect(second).toEqual(first);
    const { ino } = statSync(first.executable!);
    expect(statSync((await admit(store, "otelcol", one)).executable!).ino).toBe(ino);
    expect(namesIn("versions/otelcol")).toEqual([first.id, `${first.id}.json`]);
  });

  it.each([
    ["nothing in it", Buffer.alloc(0), "is not a program"],
    [
      "a link in it",
      collectorArchive("x", [{ path: "l", type: "SymbolicLink", linkpath: "/" }]),
      "symbolic link",
    ],
    [
      "several programs",
      collectorArchive("x", [{ path: "d/otelcol", mode: 0o755, content: "#!" }]),
      "several",
    ],
    ["a program for Windows", Buffer.from("MZ and so on"), "built for Windows"],
  ])("refuses a package with %s and leaves nothing of it", async (_what, content, reason) => {
    const error: unknown = await admit(store, "collector", content).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PackageProblem);
    expect((error as Error).message).toContain(reason);
    expect(namesIn("versions/collector")).toEqual([]);
  });

  it.each(["..", "../x", "a/b", ".hidden", "_", "x".repeat(101), "a\0"])(
    "refuses a package named %j",
    async (name) => {
      await expect(admit(store, name, one)).rejects.toThrow(PackageProblem);
      expect(namesIn("versions")).toEqual([]);
    },
  );

  it("puts a damaged package right again", async () => {
    const held = await admit(store, "otelcol", one);
    rmSync(held.executable!);
    expect(words((await admit(store, "otelcol", one)).executable!)).toBe("one");
  });
});

describe("find", () => {
  it("AP3: takes the same package hash for the same package, whatever else is offered", async () => {
    const held = await admit(store, "otelcol", one, { hash: "aa" });
    expect(await store.find(offerOf("otelcol", two, { hash: "aa", version: "9" }))).toEqual(held);
    expect(await store.find(offerOf("otelcol", two, { hash: "bb" }))).toBeUndefined();
    expect(await store.find(offerOf("other", one, { hash: "aa" }))).toBeUndefined();
  });

  it("AP3: prefers the package that is the same in all", async () => {
    await admit(store, "otelcol", one, { hash: "aa" });
    const exact = await admit(store, "otelcol", two, { hash: "aa" });
    expect(await store.find(offerOf("otelcol", two, { hash: "aa" }))).toEqual(exact);
  });

  it("AP5: takes the same content over under the offered label, without a copy", async () => {
    const held = await admit(store, "otelcol", one, { version: "1", hash: "aa" });
    const next = (await store.find(offerOf("otelcol", one, { version: "2", hash: "bb" })))!;
    expect(next).toMatchObject({ version: "2", hash: "bb", sha256: held.sha256 });
    expect(next.id).not.toBe(held.id);
    expect(statSync(next.executable!).ino).toBe(statSync(held.executable!).ino);
    expect(readFileSync(join(next.directory, "docs/README.md"), "utf8")).toBe("one");
    // The one does not need the other.
    const set = await store.makeSet([next]);
    await store.keepOnly(new Set([set!.id]), new Set());
    expect(existsSync(held.directory)).toBe(false);
    expect(words((await (await reopen()).loadSet(set!.id))!.executable!)).toBe("one");
  });

  it("AP5: never mixes up types, nor names that a file got from its URL", async () => {
    const url = "https://h/a.csv";
    await admit(store, "data", Buffer.from("x"), { type: "addon", url });
    const labelled = { type: "addon", version: "2" } as const;
    expect(await store.find(offerOf("data", Buffer.from("x"), { ...labelled, url: "https://h/b.csv" }))).toBe(
      undefined,
    );
    expect(await store.find(offerOf("data", Buffer.from("x"), { version: "2", url }))).toBeUndefined();
    expect(await store.find(offerOf("data", Buffer.from("x"), { ...labelled, url }))).toBeDefined();
  });

  it("without a package hash takes nothing but the same version of the same content as it is", async () => {
    await admit(store, "otelcol", one, { hash: "" });
    expect(await store.find(offerOf("otelcol", two, { hash: "" }))).toBeUndefined();
    expect(await store.find(offerOf("otelcol", one, { hash: "" }))).toBeDefined();
  });

  it("does not find what is damaged", async () => {
    const held = await admit(store, "otelcol", one);
    chmodSync(held.executable!, 0o644);
    expect(await store.find(offerOf("otelcol", one))).toBeUndefined();
  });
});

describe("sets", () => {
  const make = async () => {
    const held = await admit(store, "otelcol", one);
    const data = await admit(store, "data", Buffer.from("x"), { type: "addon", url: "https://h/rows.csv" });
    return [held, data] as const;
  };

  it("have the same id for the same packages in any order, and no set is made of none", async () => {
    const [held, data] = await make();
    const [first, second] = [await store.makeSet([held, data]), await store.makeSet([data, held])];
    expect(second?.id).toBe(first?.id);
    expect((await store.makeSet([held]))?.id).not.toBe(first?.id);
    expect(await store.makeSet([])).toBeUndefined();
    await expect(store.makeSet([held, held])).rejects.toThrow("one name");
  });

  it("link each package by its name and are loaded after a restart", async () => {
    const [held, data] = await make();
    const set = (await store.makeSet([held, data]))!;
    expect(set.executable).toBe(held.executable);
    expect(readFileSync(join(set.path, "data", "rows.csv"), "utf8")).toBe("x");
    expect(readlinkSync(join(set.path, "otelcol"))).toBe(`../../versions/otelcol/${held.id}`);
    const loaded = await (await reopen()).loadSet(set.id);
    expect(loaded).toEqual({ ...set, packages: expect.arrayContaining([held, data]) });
  });

  it.each<[string, (set: string, held: HeldPackage, data: HeldPackage) => void]>([
    ["its folder", (set) => rmSync(set, { recursive: true })],
    ["one of its links", (set) => rmSync(join(set, "data"))],
    [
      "the right target of a link",
      (set, held) => {
        rmSync(join(set, "data"));
        symlinkSync(`../../versions/otelcol/${held.id}`, join(set, "data"));
      },
    ],
    ["the executable", (_set, held) => rmSync(held.executable!)],
    ["bytes of the executable", (_set, held) => writeFileSync(held.executable!, "#!")],
    ["the right to execute", (_set, held) => chmodSync(held.executable!, 0o600)],
    ["an addon's file", (_set, _held, data) => rmSync(join(data.directory, "rows.csv"))],
    ["a package", (_set, held) => rmSync(held.directory, { recursive: true })],
  ])("are not loaded without %s, and made whole again", async (_what, damage) => {
    const [held, data] = await make();
    const set = (await store.makeSet([held, data]))!;
    damage(set.path, held, data);
    expect(await store.loadSet(set.id)).toBeUndefined();
    const again = await store.makeSet(await make());
    expect(again?.id).toBe(set.id);
    expect(await store.loadSet(set.id)).toBeDefined();
  });

  it("are not loaded by an id that leads elsewhere", async () => {
    for (const id of ["", "empty", ".", "..", "../versions", "0123456789abcdef"])
      expect(await store.loadSet(id)).toBeUndefined();
  });
});

describe("current", () => {
  it("is an empty folder at first, and again when flipped to nothing", async () => {
    expect(readdirSync(store.currentPath)).toEqual([]);
    expect(await store.currentId()).toBeUndefined();
    const set = await store.makeSet([await admit(store, "otelcol", one)]);
    await store.flip(set);
    expect(await store.currentId()).toBe(set!.id);
    expect(words(join(store.currentPath, "otelcol", "otelcol"))).toBe("one");
    await store.flip(undefined);
    expect(readdirSync(store.currentPath)).toEqual([]);
    expect(await store.currentId()).toBeUndefined();
  });

  it("is never missing and never mixed while it is flipped", async () => {
    const sets = [
      await store.makeSet([await admit(store, "otelcol", one)]),
      await store.makeSet([await admit(store, "otelcol", two, { version: "2" })]),
    ];
    await store.flip(sets[0]);
    let flipping = true;
    const flips = (async () => {
      for (let round = 0; round < 60; round += 1) await store.flip(sets[round % 2]);
      flipping = false;
    })();
    while (flipping) {
      expect(readFileSync(join(store.currentPath, "otelcol/otelcol"), "utf8")).toMatch(/echo (one|two)/);
      await new Promise(setImmediate);
    }
    await flips;
    expect(namesIn(".")).toEqual(["current", "downloads", "sets", "versions"]);
  });

  it("stays over a restart, and what stands in its place is set aside", async () => {
    const set = await store.makeSet([await admit(store, "otelcol", one)]);
    await store.flip(set);
    expect(await (await reopen()).currentId()).toBe(set!.id);
    rmSync(store.currentPath);
    mkdirSync(store.currentPath);
    expect(await (await reopen()).currentId()).toBeUndefined();
    expect(errors).toHaveLength(1);
    expect(namesIn(".").some((name) => name.startsWith("current.corrupt-"))).toBe(true);
  });
});

describe("keepOnly", () => {
  it("deletes other sets, versions that no set needs, and other downloads; never what is in use", async () => {
    const kept = await admit(store, "otelcol", one);
    const used = await admit(store, "otelcol", two, { version: "2" });
    const other = await admit(store, "otelcol", collectorArchive("three"), { version: "3" });
    const [keptSet, usedSet, otherSet] = [
      await store.makeSet([kept]),
      await store.makeSet([used]),
      await store.makeSet([other]),
    ];
    await store.flip(usedSet);
    writeFileSync(`${store.downloadPath(sha256Of(two))}.json`, "{}");
    await store.keepOnly(new Set([keptSet!.id]), new Set([sha256Of(two)]));
    expect(namesIn("sets")).toEqual([keptSet!.id, usedSet!.id, "empty"].toSorted());
    expect(namesIn("versions/otelcol")).toEqual(
      [kept.id, `${kept.id}.json`, used.id, `${used.id}.json`].toSorted(),
    );
    expect(namesIn("downloads")).toEqual([`${sha256Of(two)}.part`, `${sha256Of(two)}.part.json`]);
    expect(await store.loadSet(otherSet!.id)).toBeUndefined();
    expect(await store.find(offerOf("otelcol", collectorArchive("three"), { version: "3" }))).toBeUndefined();
    await store.flip(undefined);
    await store.keepOnly(new Set(), new Set());
    expect([namesIn("sets"), namesIn("versions/otelcol"), namesIn("downloads")]).toEqual([["empty"], [], []]);
  });
});

describe("open", () => {
  it("removes what a crash left unfinished, and a package without its record", async () => {
    const held = await admit(store, "otelcol", one);
    const { directory } = await admit(store, "otelcol", two, { version: "2" });
    rmSync(`${directory}.json`);
    for (const path of ["versions/otelcol/x.tmp", "sets/empty/l.tmp", "downloads/d.tmp", "current.1.tmp"])
      mkdirSync(join(root, path));
    await reopen();
    expect(namesIn("versions/otelcol")).toEqual([held.id, `${held.id}.json`]);
    expect([namesIn("sets/empty"), namesIn("downloads").filter((name) => name.endsWith(".tmp"))]).toEqual([
      [],
      [],
    ]);
    expect(namesIn(".")).toEqual(["current", "downloads", "sets", "versions"]);
    expect(errors).toEqual([]);
  });

  it.each<[string, (held: HeldPackage) => void]>([
    ["an empty record", (held) => writeFileSync(recordOf(held), "")],
    ["a record of something else", (held) => writeFileSync(recordOf(held), '{"name":"otelcol"}')],
    [
      "the record of another package",
      (held) => {
        const record = JSON.parse(readFileSync(recordOf(held), "utf8")) as object;
        writeFileSync(recordOf(held), JSON.stringify({ ...record, version: "9" }));
      },
    ],
    ["no executable", (held) => rmSync(held.executable!)],
    [
      "a file in place of its folder",
      (held) => {
        rmSync(held.directory, { recursive: true });
        writeFileSync(held.directory, "x");
      },
    ],
  ])("sets a package with %s aside and says so", async (_what, damage) => {
    const held = await admit(store, "otelcol", one);
    damage(held);
    await reopen();
    expect(errors.length).toBeGreaterThan(0);
    expect(await store.find(offerOf("otelcol", one))).toBeUndefined();
    expect(existsSync(held.directory)).toBe(false);
    expect(namesIn("versions/otelcol").filter((name) => name.includes(".corrupt-")).length).toBeGreaterThan(
      0,
    );
    expect(words((await admit(store, "otelcol", one)).executable!)).toBe("one");
  });

  it("leaves a damaged package where it is while it is in use: the Collector may still run from it", async () => {
    const held = await admit(store, "otelcol", one);
    const set = await store.makeSet([held]);
    await store.flip(set);
    writeFileSync(recordOf(held), "");
    await reopen();
    expect(errors).toHaveLength(1);
    expect(await store.loadSet(set!.id)).toBeUndefined();
    expect(words(join(store.currentPath, "otelcol", "otelcol"))).toBe("one");
    await admit(store, "otelcol", one);
    expect(await store.loadSet(set!.id)).toBeDefined();
  });

  it("keeps no more than one damaged thing of a kind", async () => {
    for (let round = 0; round < 3; round += 1) {
      const held = await admit(store, "otelcol", one);
      rmSync(held.executable!);
      await reopen();
    }
    expect(namesIn("versions/otelcol")).toHaveLength(2);
  });

  it("moves with the storage directory", async () => {
    const set = await store.makeSet([await admit(store, "otelcol", one)]);
    await store.flip(set);
    renameSync(root, `${root}-moved`);
    root = `${root}-moved`;
    expect((await (await reopen()).loadSet(set!.id))?.executable).toContain("-moved");
    expect(words(join(store.currentPath, "otelcol", "otelcol"))).toBe("one");
  });
});
