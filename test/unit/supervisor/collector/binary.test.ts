// Shell scripts stand in for what is not a Collector, hangs or lacks the extension; the real one is in test/e2e.
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type IdentifiedBinary, identifyBinary } from "../../../../src/supervisor/collector/binary.ts";
import { availableComponents } from "../../../../src/supervisor/collector/binary-available-components.ts";
import { readCachedBinary, writeCachedBinary } from "../../../../src/supervisor/collector/binary-cache.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "binary-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function identify(body: string, timeoutMs = 10_000) {
  const executable = join(directory, "collector");
  await writeFile(executable, `#!/bin/sh\n${body}\n`);
  await chmod(executable, 0o755);
  return await identifyBinary({
    executable,
    env: process.env,
    timeoutMs,
    cachePath: join(directory, "cache.json"),
  });
}

const collector = (extensions: string, gates = "") => `case "$1" in
components) echo 'buildinfo: {command: col, version: 1.2.3}'; echo 'extensions: ${extensions}';;
featuregate) echo 'ID Enabled'; echo '${gates}';;
validate) echo "'exporters' unknown type: x (valid values: [otlp nop])" >&2; exit 1;;
esac`;

const binary: IdentifiedBinary = {
  identified: true,
  path: "/bin/col",
  fileIdentity: "a",
  command: "col",
  description: "",
  version: "1",
  components: {
    receivers: [
      { name: "otlp", module: "r/otlp v1" },
      { name: "nop", module: "r/nop v1" },
    ],
    processors: [],
    exporters: [{ name: "new" }],
    connectors: [],
    extensions: [{ name: "opamp", module: "e/opamp v1" }],
  },
  supportsNoPipelines: true,
};

describe("identifyBinary", () => {
  it("tells name, version, components and the gate", async () => {
    const found = await identify(
      collector("[{name: opamp, module: m v1}]", "service.AllowNoPipelines false"),
    );
    expect(found).toMatchObject({
      identified: true,
      command: "col",
      version: "1.2.3",
      supportsNoPipelines: true,
      components: {
        exporters: [{ name: "nop" }, { name: "otlp" }],
        extensions: [{ name: "opamp", module: "m v1" }],
      },
    });
  });

  it("does not take another gate for the one it needs", async () => {
    const found = await identify(
      collector("[opamp]", "service.AllowNoPipelinesX false service.AllowNoPipelines"),
    );
    expect(found).toMatchObject({ identified: true, supportsNoPipelines: false });
  });

  it("asks a script each time: what it starts may have been upgraded", async () => {
    await identify(collector("[opamp]"));
    expect(await readdir(directory)).toEqual(["collector"]);
  });

  it("says which module is missing when there is no opamp extension", async () => {
    const found = await identify(collector("[health_check]"));
    expect(found).toMatchObject({ identified: false, problem: "no-opamp-extension" });
    expect(found.identified ? "" : found.reason).toContain(
      "github.com/open-telemetry/opentelemetry-collector-contrib/extension/opampextension",
    );
  });

  it("does not take another program for a Collector", async () => {
    expect(await identify("echo hello")).toMatchObject({ identified: false, problem: "not-a-collector" });
    expect(await identify("exit 1")).toMatchObject({ identified: false, problem: "not-a-collector" });
  });

  it("tells a command that hangs or crashes from one that answers wrongly", async () => {
    expect(await identify("exec sleep 100", 200)).toMatchObject({
      identified: false,
      problem: "unresponsive",
    });
    const crash = await identify("kill -SEGV $$");
    expect(crash).toMatchObject({
      problem: "unresponsive",
      reason: expect.stringContaining("SIGSEGV") as string,
    });
  });

  it("says what is wrong with the file", async () => {
    const at = (name: string) =>
      identifyBinary({
        executable: join(directory, name),
        env: {},
        timeoutMs: 1,
        cachePath: join(directory, "c"),
      });
    expect(await at("missing")).toMatchObject({ problem: "not-found", fileIdentity: undefined });
    expect(await at(".")).toMatchObject({ problem: "not-executable" });
    await writeFile(join(directory, "plain"), "x");
    expect(await at("plain")).toMatchObject({
      problem: "not-executable",
      reason: expect.stringContaining("chmod") as string,
    });
    await chmod(join(directory, "plain"), 0o755);
    expect(await at("plain")).toMatchObject({
      problem: "not-executable",
      reason: expect.stringContaining("ELF") as string,
    });
  });
});

describe("the cache of identified binaries", () => {
  it("answers for the very same file only", async () => {
    const path = join(directory, "cache.json");
    await writeCachedBinary(path, binary);
    expect(await readCachedBinary(path, "/bin/link", "a")).toEqual({ ...binary, path: "/bin/link" });
    expect(await readCachedBinary(path, "/bin/col", "b")).toBeUndefined();
  });

  it.each(["", "{", "[]", '{"format":1,"binaries":[{}]}', '{"format":0,"binaries":[]}'])(
    "is ignored and written anew when it holds %j",
    async (damaged) => {
      const path = join(directory, "cache.json");
      await writeFile(path, damaged);
      expect(await readCachedBinary(path, "/bin/col", "a")).toBeUndefined();
      await writeCachedBinary(path, binary);
      expect(await readCachedBinary(path, "/bin/col", "a")).toEqual(binary);
    },
  );

  it("keeps the newest four, and leaves no temporary file", async () => {
    const path = join(directory, "cache.json");
    for (const fileIdentity of ["a", "b", "c", "a", "d", "e"])
      await writeCachedBinary(path, { ...binary, fileIdentity });
    const kept = JSON.parse(await readFile(path, "utf8")) as { binaries: { fileIdentity: string }[] };
    expect(kept.binaries.map(({ fileIdentity }) => fileIdentity)).toEqual(["e", "d", "a", "c"]);
    expect(await readdir(directory)).toEqual(["cache.json"]);
  });

  it("is done without where it cannot be written", async () => {
    await expect(writeCachedBinary(join(directory, "no", "cache.json"), binary)).resolves.toBeUndefined();
  });
});

describe("availableComponents", () => {
  it("AX1: has the five groups, with the module of each component", () => {
    const { components } = availableComponents(binary);
    expect(Object.keys(components).sort()).toEqual([
      "connectors",
      "exporters",
      "extensions",
      "processors",
      "receivers",
    ]);
    const { metadata } = components.receivers!.subComponentMap.otlp!;
    expect(metadata).toMatchObject([{ key: "code.namespace", value: { value: { value: "r/otlp v1" } } }]);
    expect(components.exporters!.subComponentMap.new!.metadata).toEqual([]);
  });

  it("AX2: has a hash that depends on the set of components, not on their order", () => {
    const { hash } = availableComponents(binary);
    expect(hash).toHaveLength(32);
    const { components } = binary;
    const reversed = { ...components, receivers: [...components.receivers].reverse() };
    expect(availableComponents({ ...binary, components: reversed }).hash).toEqual(hash);
    const fewer = { ...components, receivers: components.receivers.slice(1) };
    expect(availableComponents({ ...binary, components: fewer }).hash).not.toEqual(hash);
  });
});
