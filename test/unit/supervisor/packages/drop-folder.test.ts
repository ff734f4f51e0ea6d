import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readDropFolder } from "../../../../src/supervisor/packages/drop-folder.ts";
import { parsePackagesAvailable } from "../../../../src/supervisor/packages/offer.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const sha256 = "ab".repeat(32);

function folder(manifest: string | undefined, files: Record<string, string> = { "otelcol.tar.gz": "x" }) {
  const dir = tempDir();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  if (manifest !== undefined) writeFileSync(join(dir, "offer.yaml"), manifest);
  return dir;
}

const packageOf = (fields: string) => `packages: {collector: {version: "2", ${fields}}}`;

describe("packages.drop_folder", () => {
  it("offers nothing without a manifest, and nothing where no medium is mounted", async () => {
    expect(await readDropFolder(folder(undefined))).toBeUndefined();
    expect(await readDropFolder(join(tempDir(), "not-there"))).toBeUndefined();
  });

  it("offers the files that the manifest names, with their signatures", async () => {
    const manifest = packageOf(`file: otelcol.tar.gz, sha256: "${sha256}", signature: otelcol.sig`);
    const dir = folder(manifest, { "otelcol.tar.gz": "x", "otelcol.sig": "signed" });
    const message = await readDropFolder(dir);
    const { packages, problems } = parsePackagesAvailable(message!, { fromThisHost: true });
    expect(problems).toEqual([]);
    expect(packages).toMatchObject([
      {
        name: "collector",
        type: "top-level",
        version: "2",
        file: {
          url: `file://${dir}/otelcol.tar.gz`,
          sha256,
          signature: Uint8Array.from(Buffer.from("signed")),
        },
      },
    ]);
  });

  it("names files of this host only for an administrator, not for a server", async () => {
    const message = await readDropFolder(folder(packageOf(`file: otelcol.tar.gz, sha256: "${sha256}"`)));
    expect(parsePackagesAvailable(message!).problems).toMatchObject([
      { name: "collector", reason: expect.stringContaining("scheme file:") },
    ]);
  });

  it("is another offer when a version or a file is another", async () => {
    const hashOf = async (fields: string) =>
      (await readDropFolder(folder(`packages: {collector: {file: otelcol.tar.gz, ${fields}}}`)))
        ?.allPackagesHash;
    const first = await hashOf(`version: "2", sha256: "${sha256}"`);
    expect(await hashOf(`version: "2", sha256: "${sha256}"`)).toEqual(first);
    expect(await hashOf(`version: "3", sha256: "${sha256}"`)).not.toEqual(first);
    expect(await hashOf(`version: "2", sha256: "${"cd".repeat(32)}"`)).not.toEqual(first);
  });

  it.each([
    ["a file that is not there yet", packageOf(`file: other, sha256: "${sha256}"`), /other/],
    [
      "a file elsewhere",
      packageOf(`file: ../../etc/passwd, sha256: "${sha256}"`),
      /file: it is to be the name of a file/,
    ],
    ["no hash", packageOf("file: otelcol.tar.gz"), /sha256/],
    ["an unknown key", packageOf(`file: otelcol.tar.gz, sha256: "${sha256}", run: now`), /run/],
    ["broken YAML", "packages: [", /offer\.yaml cannot be used/],
    ["nothing", "", /offer\.yaml cannot be used/],
  ])("says what is wrong with a manifest that has %s", async (_what, manifest, problem) => {
    await expect(readDropFolder(folder(manifest))).rejects.toThrow(problem);
  });
});
