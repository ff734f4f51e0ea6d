import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const entry = new URL("../../../../src/cli/supervisor.ts", import.meta.url);

/** What a module imports when it is loaded; types are gone by then. */
function staticImports(module: URL): string[] {
  const text = readFileSync(module, "utf8");
  const statements = text.matchAll(/^(?:import|export)\s(?!type\s)(?:[^;"']*?\sfrom\s)?["']([^"']+)["']/gm);
  return [...statements].map(([, specifier]) => specifier ?? "");
}

/** Every module that is loaded with the program, and the packages among what they import. */
function loadedAtStart(): { modules: string[]; packages: Set<string> } {
  const modules = new Map<string, URL>([[entry.href, entry]]);
  const packages = new Set<string>();
  for (const module of modules.values()) {
    for (const specifier of staticImports(module)) {
      const isOwn = specifier.startsWith(".");
      const next = new URL(specifier, module);
      if (isOwn && specifier.endsWith(".ts")) modules.set(next.href, next);
      else if (!isOwn && !specifier.startsWith("node:")) packages.add(specifier);
    }
  }
  return { modules: [...modules.values()].map((url) => fileURLToPath(url)), packages };
}

describe("the start of the supervisor", () => {
  it("loads no part of the OpenTelemetry SDK", () => {
    const { modules, packages } = loadedAtStart();
    // The walk finds what it is to find.
    expect(packages).toContain("pino");
    expect(modules.some((path) => path.endsWith("/telemetry/open-telemetry.ts"))).toBe(true);
    expect([...packages].filter((name) => /opentelemetry|grpc/.test(name))).toEqual([]);
    expect(modules.filter((path) => path.includes("/telemetry/sdk/"))).toEqual([]);
  });
});
