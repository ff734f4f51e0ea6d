import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { PackagesAvailableSchema } from "../../../../src/opamp/messages.ts";
import { parsePackagesAvailable } from "../../../../src/supervisor/packages/offer.ts";

type Packages = NonNullable<MessageInitShape<typeof PackagesAvailableSchema>["packages"]>;
type Package = Packages[string];

const file = {
  downloadUrl: "https://user:pass@packages.example.com/otelcol.tar.gz?sig=s3cr3t",
  contentHash: new Uint8Array(32).fill(0xab),
  signature: Uint8Array.of(1, 2),
  headers: { headers: [{ key: "Authorization", value: "Bearer s3cr3t" }] },
};
const collector: Package = { type: 0, version: "0.149.0", hash: Uint8Array.of(0x0a, 0xff), file };
const addon: Package = { ...collector, type: 1 };

function parse(packages: Packages) {
  return parsePackagesAvailable(
    create(PackagesAvailableSchema, { packages, allPackagesHash: Uint8Array.of(0xbe, 0xef) }),
  );
}

function problemOf(name: string, offered: Package): string {
  const { packages, problems } = parse({ [name]: offered, good: addon });
  expect(packages.map((each) => each.name)).toEqual(["good"]);
  expect(problems.map((problem) => problem.name)).toEqual([name]);
  expect(JSON.stringify(problems)).not.toMatch(/s3cr3t|user|pass@/);
  return problems[0]!.reason;
}

describe("an offer of packages", () => {
  it("is what the server says, with hashes in hexadecimal (AP6)", () => {
    expect(parse({ otelcol: collector })).toEqual({
      allHash: "beef",
      problems: [],
      packages: [
        {
          name: "otelcol",
          type: "top-level",
          version: "0.149.0",
          hash: "0aff",
          file: {
            url: file.downloadUrl,
            sha256: "ab".repeat(32),
            signature: Uint8Array.of(1, 2),
            headers: { Authorization: "Bearer s3cr3t" },
          },
        },
      ],
    });
  });

  it("may have no packages at all", () => {
    expect(parse({})).toEqual({ allHash: "beef", packages: [], problems: [] });
  });

  it("may have a top-level package without a name, and addons beside it (AP16)", () => {
    const { packages, problems } = parse({ "": collector, "a.b-c_1": addon });
    expect(problems).toEqual([]);
    expect(packages.map(({ name, type }) => [name, type])).toEqual([
      ["", "top-level"],
      ["a.b-c_1", "addon"],
    ]);
  });

  it.each([
    "..",
    ".hidden",
    "a/b",
    "a\\b",
    "-x",
    "_x",
    "__proto__",
    "a b",
    "ä",
    "a\0",
    "a\n",
    "x".repeat(101),
  ])("refuses %j as a name", (name) => {
    expect(problemOf(name, addon)).toContain("its name must be");
  });

  it("refuses an addon without a name", () => {
    expect(problemOf("", addon)).toBe("an addon needs a name");
  });

  it("refuses every top-level package when there are two, since none can be told to be meant", () => {
    const { packages, problems } = parse({ a: collector, b: collector, c: addon });
    expect(packages.map(({ name }) => name)).toEqual(["c"]);
    expect(problems.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(problems[0]?.reason).toBe("2 top-level packages are offered; an agent has one");
  });

  it.each([
    ["a type that is not known", { type: 7 }, "its type 7 is unknown"],
    ["no file", { file: undefined }, "it has no file to download"],
    ["no URL", { file: { ...file, downloadUrl: "" } }, "its file has no URL"],
    [
      "a URL that is none",
      { file: { ...file, downloadUrl: "s3cr3t" } },
      "the URL of its file cannot be read",
    ],
    [
      "a file of this host",
      { file: { ...file, downloadUrl: "file:///etc/shadow" } },
      "the scheme file: instead",
    ],
    [
      "a scheme that is none of ours",
      { file: { ...file, downloadUrl: "ftp://s3cr3t/x" } },
      "the scheme ftp:",
    ],
    [
      "no hash of its file",
      { file: { ...file, contentHash: new Uint8Array() } },
      "has 0 bytes instead of the 32",
    ],
    ["another kind of hash", { file: { ...file, contentHash: new Uint8Array(20) } }, "has 20 bytes instead"],
    [
      "a line break in a header",
      { file: { ...file, headers: { headers: [{ key: "A", value: "s3cr3t\r\nB: c" }] } } },
      "one of its headers is none that HTTP allows",
    ],
    [
      "a header without a name",
      { file: { ...file, headers: { headers: [{ key: "", value: "s3cr3t" }] } } },
      "one of its headers is none that HTTP allows",
    ],
  ])("refuses %s, and shows nothing that may be secret", (_, wrong, reason) => {
    expect(problemOf("bad", { ...addon, ...wrong } as Package)).toContain(reason);
  });

  it("joins headers of one name, and takes names that objects have of themselves", () => {
    const headers = ["A", "A", "__proto__"].map((key, index) => ({ key, value: `${index}` }));
    const [offered] = parse({ x: { ...addon, file: { ...file, headers: { headers } } } }).packages;
    expect(Object.entries(offered!.file.headers)).toEqual([
      ["A", "0, 1"],
      ["__proto__", "2"],
    ]);
  });
});
