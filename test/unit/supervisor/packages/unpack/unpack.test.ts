import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { PackageProblem } from "../../../../../src/supervisor/packages/unpack/package-problem.ts";
import { unpackPackage } from "../../../../../src/supervisor/packages/unpack/unpack.ts";
import {
  paxRecord,
  type TarMember,
  tarGzOf,
  tarOf,
  type ZipMember,
  zipOf,
} from "../../../../support/package-archives.ts";
import { tempDir } from "../../../../support/temp-dir.ts";

const limits = { maxBytes: 1_000_000, maxMembers: 20 };
const bare = { name: "collector", mode: 0o755 };

let dir: string;
let into: string;
beforeEach(() => {
  dir = tempDir();
  into = join(dir, "into");
});

function unpack(archive: Buffer, allowed = limits) {
  writeFileSync(join(dir, "archive"), archive);
  return unpackPackage(join(dir, "archive"), into, allowed, bare);
}

/** The reason, after seeing that nothing is left of it, inside the folder or outside. */
async function refusal(archive: Buffer, allowed = limits): Promise<string> {
  const error = await unpack(archive, allowed).then(
    () => new Error("was unpacked"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PackageProblem);
  expect(readdirSync(dir)).toEqual(["archive"]);
  return (error as Error).message;
}

const modeOf = (path: string) => statSync(join(into, path)).mode & 0o7777;
const text = (path: string) => readFileSync(join(into, path), "utf8");
const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");

const regular = 0o100000;

function withLongName(member: TarMember & { path: string }): TarMember[] {
  if (member.path.length <= 100) return [member];
  const header = { path: "h", type: "ExtendedHeader", content: paxRecord("path", member.path) } as const;
  return [header, { ...member, path: "short" }];
}
const both: readonly [string, (members: readonly (TarMember & { path: string })[]) => Buffer][] = [
  ["tar.gz", (members) => tarGzOf(members.flatMap(withLongName))],
  ["tar", (members) => tarOf(members.flatMap(withLongName))],
  [
    "zip",
    (members) =>
      zipOf(
        members.map(({ path, content, mode = 0o644, type }): ZipMember => {
          const isDirectory = type === "Directory";
          const name = isDirectory && !path.endsWith("/") ? `${path}/` : path;
          return { name, content: content ?? "", mode: mode | (isDirectory ? 0o040000 : regular) };
        }),
      ),
  ],
];

describe.each(both)("a %s", (format, archiveOf) => {
  it("is unpacked with its folders, modes and content", async () => {
    const big = randomBytes(400_000);
    const archive = archiveOf([
      { path: "./", type: "Directory" },
      { path: "otelcol", mode: 0o755, content: big },
      { path: "README.md", mode: 0o600, content: "read me" },
      { path: "etc/", type: "Directory", mode: 0o700 },
      { path: "etc/deep/er/config.yaml", mode: 0o640, content: "a: 1" },
      { path: "./etc//empty", content: "" },
    ]);
    const { files } = await unpack(archive);
    expect(files.toSorted()).toEqual(["README.md", "etc/deep/er/config.yaml", "etc/empty", "otelcol"]);
    expect(sha256(readFileSync(join(into, "otelcol")))).toBe(sha256(big));
    expect([text("README.md"), text("etc/deep/er/config.yaml"), text("etc/empty")]).toEqual([
      "read me",
      "a: 1",
      "",
    ]);
    expect(["otelcol", "README.md", "etc", "etc/deep", "etc/empty", "."].map(modeOf)).toEqual([
      0o755, 0o644, 0o755, 0o755, 0o644, 0o755,
    ]);
  });

  it("has its setuid, setgid, sticky and write bits for others taken away, whatever the umask", async () => {
    const old = process.umask(0o077);
    try {
      await unpack(archiveOf([{ path: "d/otelcol", mode: 0o7777, content: "x" }]));
    } finally {
      process.umask(old);
    }
    expect(["d/otelcol", "d", "."].map(modeOf)).toEqual([0o755, 0o755, 0o755]);
  });

  it.each([
    ["../evil", "leads out"],
    ["a/../../evil", "leads out"],
    ["a/..", "leads out"],
    ["..", "leads out"],
    ["/etc/evil", "absolute path"],
    ["..\\evil", "backslash"],
    ["a\nb", "control character"],
    ["a\x7fb", "control character"],
    [`${"x".repeat(256)}`, "longer than 255 bytes"],
    [`${"d/".repeat(40)}x`, "deeper than"],
    [".", "no name"],
  ])("is refused for a member named %j", async (path, reason) => {
    const message = await refusal(
      archiveOf([
        { path: "fine", content: "x" },
        { path, content: "evil" },
      ]),
    );
    // yauzl finds some of them first, and says it in its own words.
    expect(message).toMatch(format === "zip" ? /./ : reason);
  });

  it("is refused for two members of one name, also if they differ only in case", async () => {
    const twice = (first: string, second: string) =>
      refusal(
        archiveOf([
          { path: first, content: "1" },
          { path: second, content: "2" },
        ]),
      );
    expect(await twice("a/b", "a/b")).toContain('two members are named "a/b"');
    expect(await twice("a/b", "./a//b")).toContain("two members are named");
    expect(await twice("README", "Readme")).toContain("differ only in case");
    expect(await twice("é", "e\u0301")).toContain("differ only in case");
    expect(await twice("A/x", "a/y")).toContain("differ only in case");
    expect(await twice("a", "a/b")).toContain("two members are named");
    expect(await twice("a/b", "a")).toContain("two members are named");
  });

  it("may name a folder again", async () => {
    await unpack(
      archiveOf([
        { path: "a/b", content: "1" },
        { path: "a", type: "Directory" },
        { path: "a", type: "Directory" },
      ]),
    );
    expect(text("a/b")).toBe("1");
  });

  it("is refused for one byte or one member too many, folders counted", async () => {
    const archive = archiveOf([
      { path: "a/b", content: "12345" },
      { path: "a/c", content: "67890" },
    ]);
    expect(await refusal(archive, { maxBytes: 9, maxMembers: 3 })).toContain("more than 9 bytes");
    expect(await refusal(archive, { maxBytes: 10, maxMembers: 2 })).toContain("more than 2 members");
    expect((await unpack(archive, { maxBytes: 10, maxMembers: 3 })).files).toHaveLength(2);
  });

  it("is refused when it ends too early, at whatever byte", async () => {
    const archive = archiveOf([
      { path: "a/b", content: randomBytes(2000) },
      { path: "c", content: randomBytes(2000) },
    ]);
    for (let end = archive.length - 1; end > 600; end -= 171) {
      // A tar that ends where a member does is whole, even without its two empty blocks.
      if (format === "tar" && (end % 2560 <= 512 || end >= 5119)) continue;
      expect(await refusal(archive.subarray(0, end))).not.toBe("");
    }
  });
});

describe("a tar", () => {
  it.each([
    ["SymbolicLink", "symbolic link"],
    ["Link", "hard link"],
    ["CharacterDevice", "device"],
    ["BlockDevice", "device"],
    ["FIFO", "FIFO"],
  ] as const)("is refused for a %s", async (type, reason) => {
    const linkpath = type.endsWith("Link") ? "/etc/passwd" : undefined;
    const member = { path: "evil", type, ...(linkpath === undefined ? {} : { linkpath }) };
    const archive = tarGzOf([{ path: "fine", content: "x" }, member, { path: "evil/x", content: "x" }]);
    expect(await refusal(archive)).toContain(reason);
  });

  it("is refused for a type that nobody knows, and for sparse files", async () => {
    const withType = (type: string) => {
      const archive = tarOf([{ path: "odd", content: "x" }]);
      archive.write(type, 156);
      // The checksum covers the type.
      const sum = Number.parseInt(archive.toString("latin1", 148, 154), 8) + type.charCodeAt(0) - 48;
      archive.write(sum.toString(8).padStart(6, "0"), 148);
      return archive;
    };
    expect(await refusal(withType("S"))).toContain("SparseFile");
    expect(await refusal(withType("!"))).toContain("unsupported type");
    const sparse = {
      path: "h",
      type: "ExtendedHeader",
      content: paxRecord("GNU.sparse.major", "1"),
    } as const;
    expect(await refusal(tarOf([sparse, { path: "f", content: "x" }]))).toContain("sparse");
  });

  it("keeps long names, by pax and by GNU, for one member each", async () => {
    const [pax, gnu] = [`p/${"ü".repeat(110)}`, `g/${"y".repeat(240)}`];
    await unpack(
      tarGzOf([
        { path: "pax_global_header", type: "GlobalExtendedHeader", content: paxRecord("comment", "c") },
        { path: "PaxHeader", type: "ExtendedHeader", content: paxRecord("path", pax) },
        { path: "short", content: "pax" },
        { path: "././@LongLink", type: "NextFileHasLongPath", content: `${gnu}\0` },
        { path: "short", content: "gnu" },
        { path: "short", content: "own" },
      ]),
    );
    expect([text(pax), text(gnu), text("short")]).toEqual(["pax", "gnu", "own"]);
  });

  it("keeps a name that stands in a header of many pieces", async () => {
    const content = `${paxRecord("comment", "a".repeat(90_000))}${paxRecord("path", "long/name")}${paxRecord("comment", "z".repeat(90_000))}`;
    await unpack(
      tarOf([
        { path: "h", type: "ExtendedHeader", content },
        { path: "short", content: "x" },
      ]),
    );
    expect(text("long/name")).toBe("x");
  });

  it("is refused for a long name that leads out", async () => {
    const [pax, gnu] = [paxRecord("path", "../evil"), "../evil\0"];
    for (const [type, content] of [["ExtendedHeader", pax] as const, ["NextFileHasLongPath", gnu] as const])
      expect(
        await refusal(
          tarOf([
            { path: "h", type, content },
            { path: "ok", content: "x" },
          ]),
        ),
      ).toContain("leads out");
    const long = { path: "h", type: "NextFileHasLongPath", content: "x/".repeat(600_000) } as const;
    expect(await refusal(tarGzOf([long, { path: "ok" }]), { ...limits, maxBytes: 1e8 })).toContain(
      "header of",
    );
  });

  it("is refused when a header is damaged", async () => {
    const archive = tarOf([
      { path: "a", content: "x" },
      { path: "b", content: "x" },
    ]);
    archive[1024 + 3]! ^= 1;
    expect(await refusal(archive)).toContain("wrong checksum");
    expect(await refusal(tarOf([{ path: "a", claimedSize: 2 ** 40, content: "x" }]))).toContain(
      "ends in the middle",
    );
  });

  it("made by the system's tar is unpacked", async () => {
    const source = join(dir, "source");
    mkdirSync(join(source, "x".repeat(120), "z"), { recursive: true });
    writeFileSync(join(source, "otelcol"), "#!/bin/sh\n");
    chmodSync(join(source, "otelcol"), 0o755);
    writeFileSync(join(source, "x".repeat(120), "z", "y".repeat(120)), "deep");
    for (const format of ["gnu", "pax"]) {
      const archive = execFileSync("tar", ["-C", source, `--format=${format}`, "-cz", "."]);
      writeFileSync(join(dir, "archive"), archive);
      await unpackPackage(join(dir, "archive"), join(dir, format), limits, bare);
      const deep = join(dir, format, "x".repeat(120), "z", "y".repeat(120));
      expect(readFileSync(deep, "utf8")).toBe("deep");
      expect(statSync(join(dir, format, "otelcol")).mode & 0o777).toBe(0o755);
    }
  });
});

describe("a gzip file", () => {
  it("is refused when it holds one file and no tar", async () => {
    for (const content of ["just text", randomBytes(5000), "", tarGzOf([{ path: "a", content: "x" }])])
      expect(await refusal(gzipSync(content))).toContain("not a tar archive");
  });

  it("is refused for a wrong checksum at its end, after the tar's own end", async () => {
    const archive = gzipSync(Buffer.concat([tarOf([{ path: "a", content: "x" }]), Buffer.alloc(20_000)]));
    archive[archive.length - 6]! ^= 1;
    expect(await refusal(archive)).toContain("gzip");
  });

  it.each([
    ["in a member", (zeros: Buffer) => tarOf([{ path: "a", content: zeros }])],
    ["after the end", (zeros: Buffer) => Buffer.concat([tarOf([{ path: "a" }]), zeros])],
    [
      "in a long name",
      (zeros: Buffer) => tarOf([{ path: "a", type: "NextFileHasLongPath", content: zeros }]),
    ],
  ])("is refused when it is a bomb, %s", async (_where, tarWith) => {
    const archive = gzipSync(tarWith(Buffer.alloc(60_000_000)), { level: 1 });
    expect(archive.length).toBeLessThan(400_000);
    expect(await refusal(archive)).toMatch(/more than|more bytes|header of/);
  });
});

describe("a zip", () => {
  it.each([
    ["a symbolic link", { mode: 0o120777, content: "/etc/passwd" }, "link or a device"],
    ["a device", { mode: 0o020644 }, "link or a device"],
    ["a folder by its type only", { mode: 0o040755 }, "folder"],
    ["an encrypted member", { flags: 1, mode: regular | 0o644, content: "x" }, "encrypted"],
    ["strong encryption", { flags: 0x41, mode: regular | 0o644, content: "x" }, "encrypt"],
    ["another compression", { method: 14, mode: regular | 0o644, content: "x" }, "method 14"],
    ["a wrong checksum", { claimedCrc: 1, mode: regular | 0o644, content: "x" }, "damaged"],
    ["a size too small", { claimedSize: 3, mode: regular | 0o644, content: "four" }, "damaged"],
    ["a size too large", { claimedSize: 5, mode: regular | 0o644, content: "four" }, "damaged"],
    ["a NUL in a name", { name: "a\0b", mode: regular | 0o644 }, "control character"],
    ["a name that is not UTF-8", { name: Buffer.from([0xff, 0xfe]), mode: regular | 0o644 }, "UTF-8"],
  ])("is refused for %s", async (_what, member, reason) => {
    const archive = zipOf([
      { name: "fine", content: "x", mode: regular | 0o644 },
      { name: "evil", ...member },
    ]);
    expect(await refusal(archive)).toContain(reason);
  });

  it("is refused when its directory is no good", async () => {
    const archive = zipOf([{ name: "a", content: randomBytes(1000), mode: regular | 0o644 }]);
    for (const at of [archive.length - 69, archive.length - 6, archive.length - 1]) {
      const damaged = Buffer.from(archive);
      damaged[at]! ^= 0xff;
      expect(await refusal(damaged)).toContain("zip");
    }
  });

  it("is refused when it is a bomb that lies about its size", async () => {
    const archive = zipOf([
      { name: "a", content: Buffer.alloc(60_000_000), claimedSize: 10, mode: regular | 0o644 },
    ]);
    expect(archive.length).toBeLessThan(100_000);
    expect(await refusal(archive)).toContain("more than 1000000 bytes");
  });

  it("may hold stored members, and without modes a program can be executed", async () => {
    await unpack(
      zipOf([
        { name: "otelcol", content: "\x7fELF and more", stored: true },
        { name: "start", content: "#!/bin/sh" },
        { name: "notes", content: "notes" },
      ]),
    );
    expect(["otelcol", "start", "notes"].map(modeOf)).toEqual([0o755, 0o755, 0o644]);
    expect(text("notes")).toBe("notes");
  });
});

describe("a file that is no archive", () => {
  it("is taken as it is, under the name it is given", async () => {
    const program = Buffer.concat([Buffer.from("\x7fELF"), randomBytes(300_000)]);
    expect(await unpack(program)).toEqual({ files: ["collector"] });
    expect(readFileSync(join(into, "collector"))).toEqual(program);
    expect(modeOf("collector")).toBe(0o755);
  });

  it("may be a Java archive, which is a zip to be left whole", async () => {
    const jar = zipOf([
      { name: "META-INF/", mode: 0o040755 },
      { name: "META-INF/MANIFEST.MF", content: "x" },
    ]);
    expect((await unpack(jar)).files).toEqual(["collector"]);
  });

  it("may be empty, but not larger than allowed", async () => {
    expect(await refusal(randomBytes(11), { ...limits, maxBytes: 10 })).toContain("more than 10 bytes");
    expect(await unpack(Buffer.alloc(0))).toEqual({ files: ["collector"] });
  });
});

it("never touches a folder that is there already", async () => {
  mkdirSync(into);
  writeFileSync(join(into, "mine"), "x");
  await expect(unpack(tarGzOf([{ path: "a", content: "x" }]))).rejects.toMatchObject({ code: "EEXIST" });
  expect(readdirSync(into)).toEqual(["mine"]);
});

it("blames the host, not the package, when the file is not there", async () => {
  const error = await unpackPackage(join(dir, "none"), into, limits, bare).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "ENOENT" });
  expect(error).not.toBeInstanceOf(PackageProblem);
  expect(existsSync(into)).toBe(false);
});
