import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { parseConfigTemplate, readTemplate } from "../../../src/server/configurations/config-template.ts";
import { parseStrategy } from "../../../src/server/rollouts/strategy/parse-strategy.ts";
import { loadServerSettings } from "../../../src/server/settings/load.ts";
import { dropFolderManifest, readDropFolder } from "../../../src/supervisor/packages/drop-folder.ts";
import { loadSupervisorSettings } from "../../../src/supervisor/settings/load.ts";
import { type CodeBlock, codeBlocks, readDocuments } from "../../support/documents.ts";
import { tempDir } from "../../support/temp-dir.ts";

type Tree = { [key: string]: unknown };

const documents = readDocuments();
const blocks = documents.flatMap(codeBlocks).filter(({ language }) => language === "yaml");
const chart = parse(readFileSync("packaging/helm/opamp-supervisor/values.yaml", "utf8")) as Tree;

/** Which file a block is of: what its fence says, else what only one of them can have. */
function fileOf({ file, text }: CodeBlock): string {
  if (file !== undefined) return file;
  const keys = Object.keys(parse(text) as Tree);
  if (keys.includes("kind")) return text.includes("kind: ConfigTemplate") ? "template" : "strategy";
  if (keys.some((key) => /^(receivers|processors|exporters|connectors|service)$/.test(key)))
    return "collector";
  if (keys.some((key) => /^(opamp|management|access|rollouts)$/.test(key))) return "server.yaml";
  return "supervisor.yaml";
}

/** Loads a part of a file, with what the whole has to have besides. @throws SettingsError */
function load(file: string, text: string): void {
  const tree = parse(text) as Tree;
  const sources = (whole: Tree) => ({ env: {}, readFile: () => stringify(whole), checkOnly: true });
  if (file === "server.yaml") loadServerSettings(file, sources(tree));
  else if (file === "supervisor.yaml") {
    const server = { endpoint: "ws://localhost", ...(tree.server as Tree) };
    const agent = { executable: "/otelcol", ...(tree.agent as Tree) };
    loadSupervisorSettings(file, sources({ ...tree, server, agent }));
  } else if (file === "values.yaml") {
    const unknown = Object.keys(tree).filter((key) => !(key in chart));
    if (unknown.length > 0) throw new Error(`values.yaml of the chart has no ${unknown.join(", ")}`);
  } else if (file === "strategy") parseStrategy(tree);
  else if (file === "template") parseConfigTemplate(readTemplate(text));
}

describe("settings in the documents", () => {
  it("are found", () => {
    const files = blocks.map(fileOf);
    for (const file of ["supervisor.yaml", "server.yaml", "values.yaml", "strategy", "template", "collector"])
      expect(files).toContain(file);
  });

  it.each(blocks.map((block) => [block.place, block] as const))("%s is accepted", (_, block) => {
    expect(() => load(fileOf(block), block.text)).not.toThrow();
  });

  it("docs/install-edge.md shows a manifest that the drop folder takes", async () => {
    const { text } = blocks.find(({ file }) => file === dropFolderManifest)!;
    const folder = tempDir();
    for (const name of ["otelcol.tar.gz", "otelcol.tar.gz.sig"]) writeFileSync(join(folder, name), name);
    writeFileSync(join(folder, dropFolderManifest), text);
    const offer = await readDropFolder(folder);
    expect(offer?.packages.collector?.version).toBe("0.150.0");
  });

  it.each([
    ["supervisor.yaml", "agent: {memory: 1MiB}", "agent.memory"],
    ["server.yaml", "opamp: {port: 1}", "opamp.port"],
    ["values.yaml", "preset: {}", "no preset"],
    ["strategy", "{kind: RolloutStrategy, name: a, stage: []}", "stage"],
    ["template", "{kind: ConfigTemplate, variable: {}}", "variable"],
  ])("%s: %s would be found", (file, text, message) => {
    expect(() => load(file, text)).toThrow(message);
  });
});

describe("files of the installation that the documents name", () => {
  const named = new Set(
    documents.flatMap(({ text }) =>
      [...text.matchAll(/\/opt\/opamp-supervisor\/([\w./-]*\w)/g)].map(([, path = ""]) => path),
    ),
  );

  it("are in it", () => {
    const [dist, tree] = [tempDir(), tempDir()];
    mkdirSync(dist, { recursive: true });
    for (const name of ["take-over.cjs", "LICENSES.txt"]) writeFileSync(join(dist, name), "");
    const layOut = `import("./packaging/tree.mjs").then(({ layOut }) => layOut(${JSON.stringify({ arch: process.arch, dist, tree })}))`;
    execFileSync(process.execPath, ["--input-type=module", "--eval", layOut]);
    expect(named.size).toBeGreaterThan(5);
    expect([...named].filter((path) => !existsSync(join(tree, path)))).toEqual([]);
    // For somebody without a network, at three in the morning.
    expect(readFileSync(join(tree, "docs/runbook.md"), "utf8")).toContain("# Runbook");
  });
});
