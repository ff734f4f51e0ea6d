import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const id = /\b(?:AN|AW|AH|AE|AI|P)\d{1,2}\b/g;

interface Row {
  id: string;
  /** As in the page: without `test/` and the ending. */
  tests: string[];
}

const rows: Row[] = readFileSync("docs/conformance.md", "utf8")
  .split("\n")
  .flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim());
    const [, name = ""] = cells;
    if (name.match(id)?.[0] !== name) return [];
    return {
      id: name,
      tests: [...(cells.at(-2) ?? "").matchAll(/`([^`]+)`/g)].map(([, path]) => path ?? ""),
    };
  });

/** The ids in what a test file says as text, which is where names are. */
function idsIn(path: string): Set<string> {
  const literals = readFileSync(path, "utf8").matchAll(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g);
  return new Set([...literals].flatMap(([text]) => text.match(id) ?? []));
}

function testFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => join(folder, path));
}

describe("docs/conformance.md", () => {
  it.each(rows)("names tests of $id that bear its name", ({ id: rule, tests }) => {
    expect(tests).not.toEqual([]);
    for (const test of tests)
      expect(`${test}: ${[...idsIn(`test/${test}.test.ts`)].join()}`).toMatch(new RegExp(`\\b${rule}\\b`));
  });

  it("has every rule once, and each that a test bears the name of", () => {
    const listed = rows.map((row) => row.id);
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed.length).toBeGreaterThan(70);
    const borne = ["unit", "e2e", "interop"].flatMap((kind) =>
      testFiles(`test/${kind}`).flatMap((path) => [...idsIn(path)].map((rule) => `${rule} in ${path}`)),
    );
    expect(borne.filter((text) => !listed.includes(text.split(" ", 1)[0] ?? ""))).toEqual([]);
  });
});
